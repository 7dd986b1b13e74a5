"""Files that belong to a process: locked while it lives, so that whoever comes later knows what nobody writes any more.

A lock ends with its process, however that ends, also where containers share a folder and no process number of theirs.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Self
from uuid import uuid4

from tuneproof.common.places import project_root

READABLE_BY_ALL = 0o666  # less what umask takes
READABLE_BY_OWNER = 0o600


def create_owned(path: Path, mode: int = READABLE_BY_ALL) -> int:
    """Creates a file that this process owns; gives its descriptor, whose end is the lock's."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, mode)
        with suppress(OSError):  # a file system without locks: then nobody can take it for left behind either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else it was removed as left behind before it was locked
            return descriptor
        os.close(descriptor)


def left_behind(folder: Path, pattern: str) -> Iterator[tuple[Path, int]]:
    """The files of processes that are gone, each with a descriptor; locked, so that no two callers have the same."""
    for path in sorted(folder.glob(pattern)):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                yield path, descriptor
        except OSError:
            continue  # its process lives
        finally:
            os.close(descriptor)


class Temporary:
    """A file that is to become another one; gone at the end of the context where it has not.

    It lies in the project's `.cache`, which neither Git, DVC nor a stage looks into; where that is on another disk,
    beside the file that it is to become. Its name begins with the number of its process.
    """

    def __init__(self, target: Path) -> None:
        """Creates the file. Raises an OSError where that cannot be."""
        self.path = folder_for(target) / f".{os.getpid()}-{uuid4().hex}"
        self.file: IO[str] = os.fdopen(create_owned(self.path), "w", encoding="utf-8", newline="\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)
        with suppress(OSError):  # a full disk has been told of
            self.file.close()

    def become(self, target: Path) -> None:
        """Puts the file, which is on disk, in its target's place. Raises an OSError where that cannot be."""
        try:
            self.path.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # mounts of one disk are told apart by trying only
                raise
            beside = target.with_name(self.path.name)
            try:
                shutil.copyfile(self.path, beside)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)


def folder_for(target: Path) -> Path:
    """Where a temporary file for this target lies; what processes that are gone have left there is removed."""
    folder = project_root() / ".cache" / "writing"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_dev != target.parent.stat().st_dev:
            return target.parent
    except OSError:
        return target.parent
    for path, _ in left_behind(folder, ".*"):
        path.unlink(missing_ok=True)
    return folder
