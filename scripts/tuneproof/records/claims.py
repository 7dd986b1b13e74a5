"""Keeps experiments that run at the same time from buying the same reply twice."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tuneproof.common.errors import UserError

DIGITS_OF_A_PLACE = 15  # hex digits of a key: the place of its byte in the file, below the largest offset there is


class Claims:
    """What this process is buying just now, seen by all others of the clone.

    A claim is a lock on one byte of a file that stays empty. The system ends it with its process, however that ends, so
    that nothing is left to clean up after a kill -9.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file; one object in a process at a time, because closing the file ends all of its locks.

        Raises a UserError when that cannot be, and so does a claim on a disk that has no locks.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
        except OSError as error:
            found = f"this file of locks cannot be opened ({error.strerror or error})"
            remedy = "move away what lies there or check its permissions, then run again"
            raise UserError(str(path), found, remedy) from None
        self._held: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Gives whether the key could be claimed: nobody else, here or in another process, is buying it."""
        if not self._take(key):
            yield False
            return
        try:
            yield True
        finally:
            self._held.remove(key)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place_of(key))

    def _take(self, key: str) -> bool:
        if key in self._held:
            return False
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place_of(key))
        except BlockingIOError:
            return False
        except OSError as error:
            found = f"its disk cannot lock files ({error.strerror or error})"
            raise UserError(str(self.path), found, "have .cache on a disk that can, then run again") from None
        self._held.add(key)
        return True


def place_of(key: str) -> int:
    """The byte that stands for a key."""
    return int(key[:DIGITS_OF_A_PLACE], 16)
