"""Answers that were made elsewhere, from a file of rows."""

from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.common.places import local_path
from tuneproof.sources.tables import load_local_table


def read_rows(path: str) -> list[dict[str, Any]]:
    """The rows of a file of answers. Raises a UserError where it cannot be read or lacks a column."""
    rows = load_local_table(local_path(path), None)
    if "answer" not in rows[0] or not rows[0].keys() & {"id", "instruction"}:
        found = f"its columns are {', '.join(str(name)[:40] for name in rows[0])}"
        raise UserError(path, found, "give it the columns `answer`, and `id` or `instruction`")
    return rows
