"""Labelled answers from a file of the user's: any classification, read as hostile text."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.common.places import local_path
from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.scoring.evaluator.learning.examples import Classes, Example, group_of, step_name
from tuneproof.settings.evidence.evaluator import OwnData
from tuneproof.sources.tables import load_local_table

YES, NO = frozenset({"yes", "true", "pass"}), frozenset({"no", "false", "fail"})
MOST_STEPS = 20
MOST_CLASSES = 50
Row = Mapping[str, Any]


def own_rows(path: str, columns: OwnData, criterion: str) -> list[Row]:
    """The file's rows as input, output, ground_truth, label and group; those without a label are left out.

    Raises a UserError that names the column that is missing, or the row that is no labelled answer.
    """
    table = load_local_table(local_path(path), None)
    known = list(dict.fromkeys(name for row in table for name in row))
    label = criterion if criterion in known else columns.label
    for name in (columns.output, label, *([columns.group] if columns.group else [])):
        if name not in known:
            shown = ", ".join(one_line(each, 40) for each in known[:20])
            found = f"there is no column {one_line(name, 40)}, only {shown}"
            raise UserError(path, found, "name the columns in evaluator.data_columns")
    rows = [plain_row(row, path, number, columns, label) for number, row in enumerate(table, start=1)]
    labelled = [row for row in rows if row["label"] is not None]
    if not labelled:
        raise UserError(path, f"no row has a label in {one_line(label, 40)}", "label some of them")
    return labelled


def plain_row(row: Row, path: str, number: int, columns: OwnData, label: str) -> Row:
    """A row of the file by our names. Raises a UserError for one that holds something else than texts."""
    found = {name: row.get(getattr(columns, name)) for name in ("input", "output", "ground_truth")}
    for name, value in found.items():
        if value is not None and not isinstance(value, str):
            problem = f"its {name} is no text ({type(value).__name__})"
            raise UserError(f"{path}, row {number}", problem, "turn the column into text")
    given = None if row.get(label) is None else label_name(row[label], path, number)
    if found["output"] is None and given is not None:
        raise UserError(f"{path}, row {number}", "it has a label and no output", "remove the row, or give its answer")
    group = row.get(columns.group) if columns.group else None
    return {**found, "label": given, "group": None if group is None else str(group)}


def label_name(value: object, path: str, number: int) -> str:
    """A label as a class is called. Raises a UserError for what is none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return step_name(value)
    if not isinstance(value, str) or not value.strip():
        found = f"its label is no text or number ({type(value).__name__})"
        raise UserError(f"{path}, row {number}", found, "give it a class, a number, or nothing")
    text = " ".join(value.split())
    lower = text.lower()
    if lower in YES | NO:
        return "yes" if lower in YES else "no"
    number_of = as_step(text)
    return text[:100] if number_of is None else step_name(number_of)


def as_step(text: str) -> float | None:
    """The number that a text is, None for any other."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e9 else None


def classes_of(labels: Sequence[str], order: Sequence[str] | None, path: str) -> Classes:
    """The classes that labels are of: in the order given, else a scale of numbers or yes/no, else without order."""
    distinct = set(labels)
    if order is not None:
        names = tuple(label_name(name, "evaluator.criteria", 0) for name in order)
        if strange := sorted(distinct - set(names)):
            found = f"the label {one_line(strange[0], 40)!r} is none of the classes {', '.join(names)}"
            raise UserError(path, found, "name it in the criterion's `classes`, or correct the rows")
        return Classes(names, tuple(float(place) for place in range(len(names))))
    if distinct <= {"yes", "no"}:
        return Classes(("no", "yes"), (0.0, 1.0))
    numbers = {name: as_step(name) for name in distinct}
    steps = sorted(number for number in numbers.values() if number is not None)
    if len(steps) == len(distinct):
        return of_numbers(steps, path)
    if len(distinct) > MOST_CLASSES:
        found = f"its labels are {len(distinct)} different texts"
        raise UserError(path, found, f"give at most {MOST_CLASSES} classes")
    return at_least_two(Classes(tuple(sorted(distinct)), None), path)


def of_numbers(steps: Sequence[float], path: str) -> Classes:
    """A scale whose steps are the numbers that occur."""
    if len(steps) > MOST_STEPS:
        found = f"its labels are {len(steps)} different numbers, which is a measurement and no scale"
        raise UserError(path, found, f"round them to at most {MOST_STEPS} steps")
    return at_least_two(Classes(tuple(map(step_name, steps)), tuple(steps)), path)


def at_least_two(classes: Classes, path: str) -> Classes:
    """Raises a UserError where all labels are the same."""
    if len(classes.names) < 2:
        raise UserError(path, f"every label is {one_line(classes.names[0], 40)!r}", "give rows of at least two classes")
    return classes


def own_examples(rows: Sequence[Row], classes: Classes, weight: float, path: str) -> list[Example]:
    """The rows as examples. Raises a UserError for a label that is none of the classes."""
    examples = []
    for row in rows:
        if row["label"] not in classes.names:
            found = f"the label {one_line(row['label'], 40)!r} is none of {', '.join(classes.names)}"
            raise UserError(path, found, "correct the rows; a criterion of the judge's has the judge's scale")
        group = row["group"] if row["group"] is not None else row["input"] or row["output"]
        texts = Texts(row["input"], row["output"], row["ground_truth"])
        examples.append(Example(texts, group_of(group), row["label"], weight, "data"))
    return examples
