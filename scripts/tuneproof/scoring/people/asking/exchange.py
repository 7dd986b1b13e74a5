"""Labels for other tools and back: Label Studio's JSON, and plain CSV. The way there and back loses nothing.

Label Studio's form is a list of tasks, each with `data`, and `annotations` whose `result` names a control of the
labelling interface (https://labelstud.io/guide/export, https://labelstud.io/guide/tasks). Here a criterion is a
control of type `choices` with the score as its text, the preference one named `preference`, the note a `textarea`.
"""

import csv
import io
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from tuneproof.common.errors import UserError
from tuneproof.records.rows import Label, problem_in
from tuneproof.scoring.people.asking.items import Item

PREFERENCE, NOTE = "preference", "note"
SCORE_COLUMN = "score "  # and the criterion's name
COLUMNS = ("key", "id", "kind", "rater", "drawn", "round", "instructions", "seconds", PREFERENCE, NOTE)
TEXT_COLUMNS = ("question", "reference", "answer", "other_answer")
CONTROLS = ("choices", "rating", "number", "text")  # of Label Studio, whose values are read here
OF_LABEL = ("key", "id", "kind", "drawn", "round", "instructions")  # what an annotation has no place for
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "'")  # what spreadsheets run, and the mark that stops them


def to_label_studio(items: Sequence[Item], labels: Iterable[Label]) -> str:
    """A task for every item and for every label whose item is not of this run; what was rated is an annotation."""
    tasks: dict[str, dict[str, Any]] = {item.key: {"data": task_data(item), "annotations": []} for item in items}
    own = {key: item.key for item in items for key in item.keys}
    for label in labels:
        data = {"key": label.key, "id": label.id, "kind": label.kind, "drawn": label.drawn}
        task = tasks.setdefault(own.get(label.key, label.key), {"data": data, "annotations": []})
        task["annotations"].append(annotation_of(label))
    return json.dumps(list(tasks.values()), ensure_ascii=False, indent=1) + "\n"


def task_data(item: Item) -> dict[str, Any]:
    """What a person is shown of an item, under the names that a labelling interface can use."""
    named = dict(zip(("answer", "other_answer"), item.answers, strict=False))
    plain = {"key": item.key, "id": item.id, "kind": item.kind, "drawn": item.drawn}
    return plain | {"question": item.question, "reference": item.reference} | named


def annotation_of(label: Label) -> dict[str, Any]:
    """A label as Label Studio's annotation; `meta` holds what it has no place for."""
    given = {**(label.scores or {}), **({PREFERENCE: label.preference} if label.preference is not None else {})}
    result = [
        {"from_name": name, "to_name": "answer", "type": "choices", "value": {"choices": [json.dumps(value)]}}
        for name, value in given.items()
    ]
    if label.note is not None:
        text = {"text": [label.note]}
        result.append({"from_name": NOTE, "to_name": "answer", "type": "textarea", "value": text})
    meta = label.model_dump(include=set(OF_LABEL))
    return {
        "completed_by": {"email": label.rater}, "lead_time": label.seconds, "was_cancelled": not label.rated,
        "result": result, "meta": meta,
    }  # fmt: skip


def from_label_studio(text: str, rater: str | None, defaults: Mapping[str, Any]) -> list[Label]:
    """The labels of Label Studio's JSON. `defaults` hold `round` and `instructions` of annotations made there.

    `rater` is whose they are where an annotation does not say. Raises a UserError for what is no label.
    """
    try:
        tasks = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError("the import", "it is not JSON", "export it from Label Studio as JSON") from None
    if not isinstance(tasks, list):
        raise UserError("the import", "it is not a list of tasks", "export it from Label Studio as JSON")
    found = []
    for number, task in enumerate(tasks, start=1):
        where = f"the import, task {number}"
        try:
            annotations = task.get("annotations") or []
            found += [read_annotation(task["data"], one, rater, defaults) for one in annotations]
        except ValidationError as error:
            raise refused(where, problem_in(error)) from None
        except (AttributeError, KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
            raise refused(where, f"it is not as Label Studio writes it ({type(error).__name__})") from None
    return found


def read_annotation(
    data: Mapping[str, Any], annotation: Mapping[str, Any], rater: str | None, defaults: Mapping[str, Any]
) -> Label:
    """One annotation as a label; raises a ValueError, KeyError or TypeError for what is none."""
    values: dict[str, Any] = {}
    for one in annotation["result"]:
        value = one["value"]
        given = next(value[control] for control in CONTROLS if control in value)
        values[one["from_name"]] = str(given[0] if isinstance(given, list) else given)
    note, preference = values.pop(NOTE, None), values.pop(PREFERENCE, None)
    who = annotation.get("completed_by")
    email = who.get("email") if isinstance(who, dict) else None
    plain = {
        "key": data["key"], "id": data["id"], "kind": data["kind"], "drawn": data["drawn"], "note": note,
        "scores": {name: number(value) for name, value in values.items()} or None,
        "preference": None if preference is None else number(preference),
        "rater": email_name(email) or rater, "seconds": float(annotation.get("lead_time") or 0.0),
    }  # fmt: skip
    meta = annotation.get("meta") or {}
    return Label.model_validate(plain | dict(defaults) | {name: meta[name] for name in OF_LABEL if name in meta})


def email_name(email: str | None) -> str | None:
    """The part of an address before its @, which names a rater here."""
    return email.partition("@")[0].lower().replace(".", "-").replace("+", "-") if email else None


def to_csv(items: Sequence[Item], labels: Sequence[Label], criteria: Sequence[str]) -> str:
    """A row for every label, and one without a rater for every item that nobody rated.

    A cell that a spreadsheet would run as a formula begins with an apostrophe, as OWASP advises
    (https://owasp.org/www-community/attacks/CSV_Injection); reading takes it off again.
    """
    names = list(dict.fromkeys([*criteria, *(name for label in labels for name in label.scores or ())]))
    columns = [*COLUMNS, *(SCORE_COLUMN + name for name in names), *TEXT_COLUMNS]
    by_key = {key: item for item in items for key in item.keys}
    written = io.StringIO()
    writer = csv.DictWriter(written, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    for label in labels:
        writer.writerow({name: guarded(cell) for name, cell in csv_row(label, by_key.get(label.key)).items()})
    seen = {label.key for label in labels}
    for item in items:
        if not seen & set(item.keys):
            writer.writerow({name: guarded(cell) for name, cell in task_data(item).items() if cell is not None})
    return written.getvalue()


def csv_row(label: Label, item: Item | None) -> dict[str, Any]:
    """A label's cells; what is null has none."""
    plain = label.model_dump(exclude={"scores"}) | {
        SCORE_COLUMN + name: json.dumps(score) for name, score in (label.scores or {}).items()
    }
    texts = {name: cell for name, cell in task_data(item).items() if name in TEXT_COLUMNS} if item else {}
    return {name: cell for name, cell in (plain | texts).items() if cell is not None}


def guarded(cell: object) -> str:
    """A cell that no spreadsheet runs; numbers are left as they are."""
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA_BEGINS) and not is_number(text) else text


def unguarded(cell: str) -> str:
    """A cell as it was before `guarded`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_BEGINS) else cell


def from_csv(text: str, rater: str | None, defaults: Mapping[str, Any]) -> list[Label]:
    """The labels of a CSV; rows in which nothing was rated, skipped or noted are left out.

    `rater` and `defaults` stand for empty cells. Raises a UserError for a row that is no label.
    """
    heading = text.partition("\n")[0]
    delimiter = ";" if heading.count(";") > heading.count(",") else ","  # as spreadsheets of some countries write it
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    missing = [name for name in ("key", "id", "kind", "drawn") if name not in (reader.fieldnames or ())]
    if missing:
        raise refused("the import", f"it has no column {missing[0]}")
    found = []
    try:
        for row in reader:
            cells = {name: unguarded(cell) for name, cell in row.items() if isinstance(cell, str) and cell and name}
            if label := read_row(cells, rater, defaults):
                found.append(label)
    except ValidationError as error:
        raise refused(f"the import, line {reader.line_num}", problem_in(error)) from None
    except (csv.Error, ValueError) as error:
        raise refused(f"the import, line {reader.line_num}", str(error)) from None
    return found


def read_row(cells: Mapping[str, str], rater: str | None, defaults: Mapping[str, Any]) -> Label | None:
    """One row as a label, None where nobody filled it in. Raises a ValueError for what is none."""
    scores = {name.removeprefix(SCORE_COLUMN): number(cells[name]) for name in cells if name.startswith(SCORE_COLUMN)}
    if not scores and not cells.keys() & {"rater", PREFERENCE, NOTE}:
        return None
    plain: dict[str, Any] = {name: cells.get(name) for name in ("key", "id", "kind", "drawn", NOTE)}
    given: dict[str, Any] = {name: cells[name] for name in ("rater", "instructions") if name in cells}
    if "round" in cells:  # it is an export's, whose label may be of instructions that are not known
        given |= {"round": int(cells["round"]), "instructions": cells.get("instructions")}
    return Label.model_validate(
        plain | {"rater": rater} | dict(defaults) | given
        | {
            "scores": scores or None, "seconds": float(cells.get("seconds", 0)),
            "preference": number(cells[PREFERENCE]) if PREFERENCE in cells else None,
        }
    )  # fmt: skip


def number(text: str) -> int | float:
    """A number as labels have it; raises a ValueError for any other text."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a score is no finite number")
    try:
        return int(text)
    except ValueError:
        return value


def is_number(text: str) -> bool:
    """Whether a cell is a number, which no spreadsheet runs."""
    try:
        number(text)
    except ValueError:
        return False
    return text == text.strip()


def refused(where: str, found: str) -> UserError:
    """The error for what cannot be imported; nothing has been changed then."""
    return UserError(where, found, "correct it and import again; nothing was changed")


def require_steps(labels: Iterable[Label], scales: Mapping[str, Collection[float]], instructions: str) -> None:
    """Raises a UserError for a label with these instructions whose criterion is not there or whose score no step."""
    for label in labels:
        for name, score in (label.scores or {}).items() if label.instructions in (None, instructions) else ():
            where = f"the import, answer {label.id[:40]} of {label.rater}"
            if name not in scales:
                raise refused(where, f"there is no criterion '{name[:40]}'")
            if score not in scales[name]:
                raise refused(where, f"{score} is no step of {name}")
