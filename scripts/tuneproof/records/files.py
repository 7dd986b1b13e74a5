"""The rows that stages hand on (JSON Lines) and the files that validate writes, typed."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from tuneproof.common.errors import UserError
from tuneproof.common.files import write_lines
from tuneproof.records.rows import Record, problem_in

AnyRecord = TypeVar("AnyRecord", bound=Record)


def rows_text(rows: Iterable[Record]) -> str:
    """Rows as JSON Lines."""
    return "".join(row.model_dump_json() + "\n" for row in rows)


def record_text(record: Record) -> str:
    """One record as an indented JSON document."""
    return record.model_dump_json(indent=2) + "\n"


def write_rows(path: Path, rows: Iterable[Record]) -> None:
    """Writes JSON Lines whole or not at all, holding one row at a time."""
    write_lines(path, (row.model_dump_json() + "\n" for row in rows))


def iterate_rows(path: Path, kind: type[AnyRecord], made_by: str) -> Iterator[AnyRecord]:
    """Reads JSON Lines one at a time. Raises a UserError that names the broken line, or the stage to run first."""
    for row in rows_or_errors(path, kind, made_by):
        if isinstance(row, UserError):
            raise row
        yield row


def rows_or_errors(path: Path, kind: type[AnyRecord], made_by: str) -> Iterator[AnyRecord | UserError]:
    """Reads JSON Lines one at a time; gives the error in place of a broken line."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable_file(path, made_by, error) from None
    with file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield _parse(line, kind, f"{path}, line {number}", made_by)
                except UserError as broken:
                    yield broken


def read_rows(path: Path, kind: type[AnyRecord], made_by: str) -> list[AnyRecord]:
    """Reads all of a JSON Lines file, as `iterate_rows` does."""
    return list(iterate_rows(path, kind, made_by))


def read_record(path: Path, kind: type[AnyRecord], made_by: str) -> AnyRecord:
    """Reads one JSON document; raises a UserError when it is missing or unreadable."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise unreadable_file(path, made_by, error) from None
    return _parse(text, kind, str(path), made_by)


def missing_file(path: Path, made_by: str) -> UserError:
    """The error for a file that an earlier stage writes."""
    return UserError(str(path), "there is no such file", f"run `dvc repro` or `python scripts/{made_by}` first")


def unreadable_file(path: Path, made_by: str, error: OSError) -> UserError:
    """The error for a file that is missing, or that is a folder or otherwise not to be read."""
    if isinstance(error, FileNotFoundError):
        return missing_file(path, made_by)
    found = f"it cannot be read ({error.strerror or error})"
    return UserError(str(path), found, f"remove it and run `python scripts/{made_by}` again")


def _parse(text: bytes, kind: type[AnyRecord], where: str, made_by: str) -> AnyRecord:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()
        raise UserError(
            where,
            f"this is no {words}: {problem_in(error)}",
            f"delete the file and run `python scripts/{made_by}` again",
        ) from None
