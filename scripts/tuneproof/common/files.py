"""Files that are written whole or not at all."""

import errno
import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from tuneproof.common.errors import UserError
from tuneproof.common.temporary import Temporary


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes a file whole or not at all, as `write_all` does."""
    write_all([(path, lines)])


def write_all(files: Iterable[tuple[Path, Iterable[str]]]) -> None:
    """Writes files, all of them whole or none: temporary files, flushed to disk, then renamed.

    Raises a UserError when the disk is full or a file cannot be written; what `files` and their lines raise, an OSError
    too, stays as it is.
    """
    with ExitStack() as stack:
        waiting: list[tuple[Temporary, Path]] = []
        for path, lines in files:
            try:
                temporary = stack.enter_context(new_temporary(path))
            except OSError as error:
                raise unwritable(path, error) from None
            write_content(temporary.file, lines, path)
            waiting.append((temporary, path))
        for temporary, path in waiting:
            try:
                temporary.become(path)
            except OSError as error:
                raise unwritable(path, error) from None


def new_temporary(path: Path) -> Temporary:
    """An empty file for what is to lie at `path`. Raises an OSError where nothing can be written there."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    path.parent.mkdir(parents=True, exist_ok=True)
    return Temporary(path)


def write_content(file: IO[str], lines: Iterable[str], path: Path) -> None:
    """Writes a file's lines and has them on disk."""
    for line in lines:
        try:
            file.write(line)
        except OSError as error:
            raise unwritable(path, error) from None
    try:
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> UserError:
    """The error for a file that cannot be written."""
    remedy = "make room or check the folder's permissions, then run again"
    return UserError(str(path), f"it cannot be written ({error.strerror or error})", remedy)


def write_text(path: Path, text: str) -> None:
    """Writes a text whole or not at all."""
    write_lines(path, [text])


def write_json(path: Path, value: Any) -> None:
    """Writes one indented JSON document whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
