"""Results that the ledger cannot take now, kept in a file elsewhere until it can, or until the next start.

The file lies beside the ledger or, where that disk is full, in the temporary folder. Only this user's files are read
again: anybody may write into a temporary folder.
"""

import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from tuneproof.common.temporary import READABLE_BY_OWNER, create_owned, left_behind
from tuneproof.records.keys import sha256_hex

FOLDER_MODE = 0o700
OTHERS_MAY_WRITE = 0o022
FURTHER_TEMPORARY_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - checked before they are used; TMPDIR may change

Row = tuple[str, str, str]  # key, kind, body as JSON


class Spill:
    """One process's file of results; there is none as long as nothing was added."""

    def __init__(self, ledger: Path) -> None:
        """Takes the ledger that the results are meant for."""
        self.path: Path | None = None
        self._ledger, self._descriptor = ledger, -1
        self._kept = set[str]()

    def add(self, rows: Iterable[Row]) -> bool:
        """Has results on disk, each once; gives whether all of them are."""
        new = [row for row in rows if row[0] not in self._kept]
        if new and not (self._append(new) or self._begin(new)):
            return False
        self._kept |= {key for key, _, _ in new}
        return True

    def remove(self) -> None:
        """Ends the file: the ledger has everything."""
        if self.path:
            self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leaves the file to the next start."""
        if self.path:
            os.close(self._descriptor)
            self.path = None
            self._kept.clear()

    def _begin(self, rows: Iterable[Row]) -> bool:
        """Writes a first file, where that can be; one that is there already cannot take more."""
        if self.path:
            return False
        for folder in folders_of(self._ledger):
            try:
                folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
                if not is_ours(folder):
                    continue
                path = folder / f"{os.getpid()}-{uuid4().hex}.jsonl"
                self._descriptor, self.path = create_owned(path, READABLE_BY_OWNER), path
            except OSError:
                continue
            if self._append(rows):
                return True
            self.remove()
        return False

    def _append(self, rows: Iterable[Row]) -> bool:
        """Adds whole lines to the file, all of them or none."""
        if not self.path:
            return False
        lines = "".join(json.dumps({"key": key, "kind": kind, "body": body}) + "\n" for key, kind, body in rows)
        before = os.fstat(self._descriptor).st_size
        try:
            rest = memoryview(lines.encode())
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, before)
            return False
        return True


def folders_of(ledger: Path) -> list[Path]:
    """Where this ledger's results may be kept meanwhile, the best place first."""
    name = f"tuneproof-{os.getuid()}-{sha256_hex(str(ledger.resolve()))[:16]}"
    temporary = list(FURTHER_TEMPORARY_FOLDERS)
    with suppress(OSError):  # where no temporary folder can be written
        temporary.insert(0, tempfile.gettempdir())
    return [ledger.with_name("held"), *(Path(folder) / name for folder in dict.fromkeys(temporary))]


def is_ours(folder: Path) -> bool:
    """Whether a folder is this user's, and nobody else may write into it."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & OTHERS_MAY_WRITE


def spilled(ledger: Path) -> Iterator[tuple[Path, list[Row]]]:
    """The files that processes which are gone have left, with their results. Who has taken them in removes the file."""
    for folder in folders_of(ledger):
        try:
            ours = is_ours(folder)
        except OSError:
            continue
        for path, descriptor in left_behind(folder, "*.jsonl") if ours else ():
            with open(descriptor, "rb", closefd=False) as file:
                yield path, list(rows_of(file))


def rows_of(lines: Iterable[bytes]) -> Iterator[Row]:
    """The results in whole lines; the last one may be cut off."""
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            row = json.loads(line)
            key, kind, body = row["key"], row["kind"], row["body"]
            if isinstance(key, str) and isinstance(kind, str) and isinstance(json.loads(body), dict):
                yield key, kind, body
