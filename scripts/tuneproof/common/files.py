"""Files that are written whole or not at all."""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes a file whole or not at all, as `write_all` does."""
    write_all([(path, lines)])


def write_all(files: Iterable[tuple[Path, Iterable[str]]]) -> None:
    """Writes files, all of them whole or none: temporary files beside them, flushed to disk, then renamed.

    Raises a UserError when the disk is full or a file cannot be written.
    """
    waiting: list[tuple[Path, Path]] = []
    path = Path()
    try:
        for path, lines in files:
            waiting.append((temporary_file(path, lines), path))
        for temporary, path in waiting:
            temporary.replace(path)
    except OSError as error:
        remedy = "make room or check the folder's permissions, then run again"
        raise UserError(str(path), f"it cannot be written ({error.strerror or error})", remedy) from None
    finally:
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)


def temporary_file(path: Path, lines: Iterable[str]) -> Path:
    """A file beside `path` with its content to be, flushed to disk; none where that fails."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


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
