"""Answers that were made elsewhere, from a file of rows."""

from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.common.places import local_path
from tuneproof.sources.tables import load_local_table


def read_rows(path: str, answer_column: str = "answer", instruction_column: str | None = None) -> list[dict[str, Any]]:
    """The rows of a file of answers, with these two columns as `answer` and `instruction`, whatever they are called.

    A file without the named column of instructions may have one called `instruction`. Raises a UserError where it
    cannot be read or lacks a column.
    """
    rows, asked = load_local_table(local_path(path), None), instruction_column or "instruction"
    if answer_column not in rows[0] or not rows[0].keys() & {"id", "instruction", asked}:
        found = f"its columns are {', '.join(str(name)[:40] for name in rows[0])}"
        either = " or ".join(f"`{name}`" for name in dict.fromkeys(("id", asked)))
        remedy = f"give it the columns `{answer_column}`, and {either}, or name its own: `answer_column`"
        raise UserError(path, found, f"{remedy}, `instruction_column`")
    asked = asked if asked in rows[0] else "instruction"
    return [
        {**row, "answer": row[answer_column], **({"instruction": row[asked]} if asked in row else {})} for row in rows
    ]
