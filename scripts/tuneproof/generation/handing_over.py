"""Finished rows handed over in files while a run goes on, for whoever carries them away.

A part file is whole when it appears and never changes. Where it had to be copied into place a reader may see it half
written, so readers take whole lines only.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import Field

from tuneproof.common.errors import UserError
from tuneproof.records.files import rows_text
from tuneproof.records.rows import Record, Result

SECONDS_BETWEEN_PARTS = 3
PART_PREFIX = "part-"
Given = TypeVar("Given")


class FinishedRow(Record, Generic[Given]):
    """A row's key and its result."""

    key: str
    result: Given


class OpenRow(Record):
    """A row that is to be generated, with the answers to the turns before it."""

    key: str
    earlier: tuple[FinishedRow[Result], ...] = Field(default=(), exclude_if=lambda earlier: not earlier)


@contextmanager
def handed_over(directory: Path | None) -> Iterator[Callable[[str, Any], None]]:
    """Gives what takes each finished row; they appear in `directory` every few seconds and at the end, however it ends.

    Without a directory nothing is written. Raises a UserError when it cannot be written to.
    """
    if directory is None:
        yield lambda key, result: None
        return
    parts = Parts(directory)
    try:
        yield parts.add
    finally:
        parts.write()


class Parts:
    """The part files of one directory, numbered on from those that are there."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.rows, self.written_at = directory, list[FinishedRow[Any]](), 0.0
        self.number = len(list(directory.glob(f"{PART_PREFIX}*")))

    def add(self, key: str, result: Any) -> None:
        """Takes a row; the first one is handed over at once."""
        self.rows.append(FinishedRow[Any](key=key, result=result))
        if time.monotonic() - self.written_at >= SECONDS_BETWEEN_PARTS:
            self.write()

    def write(self) -> None:
        """Hands the waiting rows over in one new file."""
        if not self.rows:
            return
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.directory.parent) as elsewhere:
                whole = Path(elsewhere) / f"{PART_PREFIX}{self.number:06}.jsonl"
                whole.write_text(rows_text(self.rows), encoding="utf-8")
                shutil.move(whole, self.directory)  # a rename, or a copy where the directory is a mount of its own
        except OSError as error:
            found = f"finished rows cannot be written to it ({error.strerror or error})"
            raise UserError(str(self.directory), found, "make room, then run again") from None
        self.rows.clear()
        self.number += 1
        self.written_at = time.monotonic()
