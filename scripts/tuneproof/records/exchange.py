"""Writes the ledger to JSON Lines, and takes such a file in.

PYTHONPATH=scripts python -m tuneproof.records.exchange export FILE.jsonl
PYTHONPATH=scripts python -m tuneproof.records.exchange import FILE.jsonl
"""

import argparse
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuneproof.common.errors import UserError, run, say
from tuneproof.common.files import write_text
from tuneproof.records.ledger import Kind, Ledger, is_result
from tuneproof.records.rows import Reply, Result


def is_whole(kind: Kind, key: str, body: dict[str, Any]) -> bool:
    """Whether a result of another ledger is one that the stages can read."""
    try:
        if kind == "answer":
            Result.model_validate(body)
        elif kind == "reply":
            Reply.model_validate({**body, "key": key})
    except ValidationError:
        return False
    return True


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
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                with suppress(ValueError, KeyError, TypeError):
                    row = json.loads(line)
                    key, kind, body = row["key"], row["kind"], row["body"]
                    if is_result(kind, body) and isinstance(key, str) and is_whole(kind, key, body):
                        results.append((key, kind, body))
                if len(results) != number:
                    raise UserError(f"{path}, line {number}", "this is no ledger row", "export the ledger again")
    except (OSError, UnicodeDecodeError) as error:
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
