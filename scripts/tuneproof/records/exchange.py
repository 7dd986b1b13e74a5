"""Writes the ledger to JSON Lines, and takes such a file in.

PYTHONPATH=scripts python -m tuneproof.records.exchange export FILE.jsonl
PYTHONPATH=scripts python -m tuneproof.records.exchange import FILE.jsonl
"""

import argparse
import json
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, run, say
from tuneproof.common.files import write_text
from tuneproof.records.keys import canonical_json
from tuneproof.records.ledger import Kind, Ledger, is_result
from tuneproof.records.rows import Reply, Result, Row, problem_in


class ExportedRow(Row):
    """A line of an export."""

    key: str
    kind: Kind
    body: dict[str, Any]


def read_row(where: str, line: bytes) -> tuple[str, Kind, dict[str, Any]]:
    """A row that the stages can read. Raises a UserError for any other."""
    try:
        row = ExportedRow.model_validate_json(line)
        if not is_result(row.kind, row.body):
            raise ValueError("its body lacks fields")
        if row.kind == "answer":
            Result.model_validate(row.body)
        elif row.kind == "reply":
            Reply.model_validate({**row.body, "key": row.key})
        canonical_json(row.body)
    except ValueError as error:
        raise UserError(where, f"this is no ledger row ({problem_in(error)})", "export the ledger again") from None
    return row.key, row.kind, row.body


def export_ledger(ledger: Ledger, path: Path) -> int:
    """Writes every row as one JSON line; returns how many."""
    lines = [json.dumps({"key": key, "kind": kind, "body": json.loads(body)}) for key, kind, body in ledger.rows()]
    text = "".join(line + "\n" for line in lines)
    if path.exists() and not path.is_file():  # a pipe or a device takes the text, and is not replaced by a file
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            found = f"it cannot be written ({error.strerror or error})"
            raise UserError(str(path), found, "name a file, a pipe or a device") from None
    else:
        write_text(path.resolve() if path.is_symlink() else path, text)  # a link goes on pointing where it does
    return len(lines)


def import_ledger(ledger: Ledger, path: Path) -> int:
    """Adds the rows of an export; returns how many were new. A broken line is a UserError, and nothing is added."""
    results: list[tuple[str, Kind, dict[str, Any]]] = []
    try:
        with path.open("rb") as lines:
            results += [read_row(f"{path}, line {number}", line) for number, line in enumerate(lines, start=1)]
    except OSError as error:
        raise UserError(str(path), f"it cannot be read ({error})", "name a file that was exported before") from None
    return ledger.put_many(results)


def main() -> None:
    """Exports or imports the ledger of this clone."""
    parser = argparse.ArgumentParser(description="Export or import the ledger as JSON Lines.")
    parser.add_argument("action", choices=["export", "import"])
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    with Ledger() as ledger:
        if arguments.action == "export":
            say(f"wrote {export_ledger(ledger, arguments.file)} results to {arguments.file}")
        else:
            say(f"added {import_ledger(ledger, arguments.file)} results from {arguments.file} to {ledger.path}")


if __name__ == "__main__":
    run(main)
