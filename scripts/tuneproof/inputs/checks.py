"""Checks that stand with one question in the dataset: a column with a list of them, or IFEval's two columns."""

import json
from collections.abc import Mapping
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.settings.evidence.checks import KINDS_IN_DATASETS, read_check

INSTRUCTIONS, ARGUMENTS = "instruction_id_list", "kwargs"  # as google/IFEval has them


def check_columns(column: str | None) -> list[str]:
    """The columns that a question's checks are read from."""
    return [] if column is None else [INSTRUCTIONS, ARGUMENTS] if column == INSTRUCTIONS else [column]


def checks_of(place: str, row: Mapping[str, Any], column: str | None) -> list[dict[str, Any]] | None:
    """A question's own checks, None where it has none. Raises a UserError that names the row for a fault in them."""
    if column is None:
        return None
    if column == INSTRUCTIONS:
        return instructions_of(place, row) or None
    checks = listed(place, column, row)
    for check in checks:
        try:
            read_check(check, KINDS_IN_DATASETS)
        except ValueError as error:
            raise UserError(f"{place}, {column}", one_line(error), "mend the check") from None
    return checks or None


def instructions_of(place: str, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """IFEval's instructions as checks. A table holds null for every argument that another row's instruction has."""
    names, arguments = listed(place, INSTRUCTIONS, row), listed(place, ARGUMENTS, row)
    if len(names) != len(arguments) or not all(isinstance(each, dict) for each in arguments):
        found = f"there are {len(names)} instructions and, in {ARGUMENTS}, the arguments of {len(arguments)}"
        raise UserError(f"{place}, {INSTRUCTIONS}", found, "give every instruction an object with its own, {} for none")
    return [
        {"kind": "instruction", "id": str(name), "kwargs": {key: each for key, each in own.items() if each is not None}}
        for name, own in zip(names, arguments, strict=True)
    ]


def listed(place: str, column: str, row: Mapping[str, Any]) -> list[Any]:
    """A field's list, which in a table of texts is written as JSON; none where it is empty."""
    value = row.get(column)
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            value = "no JSON"
    if value is not None and not isinstance(value, list):
        raise UserError(f"{place}, {column}", "it holds no list", "write a list of checks, such as [{...}]")
    return value or []
