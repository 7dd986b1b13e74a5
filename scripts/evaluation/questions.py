"""Test questions from a table: ids, references, tags, and the faults that rows can have."""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.errors import UserError, warn
from evaluation.generate_settings import Questions
from evaluation.keys import sha256_hex
from evaluation.records import Question

ID_DIGITS = 12
SHOWN_REPEATS = 5


def needed_columns(settings: Questions) -> list[str]:
    """The columns that the settings name."""
    named = [settings.instruction_column, settings.reference_column, settings.id_column, *settings.tag_columns]
    return [column for column in named if column is not None]


def read_questions(where: str, rows: Sequence[Mapping[str, Any]], settings: Questions) -> list[Question]:
    """The rows as questions, in order. Raises a UserError that names the row for a fault in it.

    A row with the instruction and reference of an earlier one is left out, and that is said: the verdicts take
    questions to be independent, and one that counts twice makes everything look surer than it is.
    """
    questions, texts, repeats = dict[str, Question](), set[tuple[str, str | None]](), list[int]()
    for number, row in enumerate(rows, start=1):
        question = read_question(f"{where}, row {number}", row, settings)
        if question.id in questions and settings.id_column:
            place, found = f"{where}, row {number}", f"the id {question.id[:40]!r} stands there twice"
            raise UserError(place, found, "give every row its own id")
        if (question.instruction, question.reference) in texts:
            repeats.append(number)
            continue
        texts.add((question.instruction, question.reference))
        # The hash does not tell where the instruction ends: another pair may have the same one.
        identity = f"{question.id}-2" if question.id in questions else question.id
        questions[identity] = question.model_copy(update={"id": identity})
        if len(questions) == settings.limit:
            break
    if repeats:
        shown = ", ".join(map(str, repeats[:SHOWN_REPEATS])) + (", ..." if len(repeats) > SHOWN_REPEATS else "")
        warn(
            f"{where}: left out {len(repeats)} rows that repeat an earlier question and its reference (rows {shown}): "
            "a question counts once"
        )
    return list(questions.values())


def read_question(place: str, row: Mapping[str, Any], settings: Questions) -> Question:
    """One row as a question. Raises a UserError for a fault in it."""
    instruction = text_of(place, settings.instruction_column, row, required=True) or ""
    reference = text_of(place, settings.reference_column, row) if settings.reference_column else None
    if settings.id_column:
        identity = text_of(place, settings.id_column, row, required=True) or ""
    else:
        identity = sha256_hex(f"{instruction}\n{reference or ''}")[:ID_DIGITS]
    tags = {column: text_of(place, column, row) or "" for column in settings.tag_columns}
    return Question(id=identity, instruction=instruction, reference=reference, tags=tags)


def text_of(place: str, column: str, row: Mapping[str, Any], required: bool = False) -> str | None:
    """A field as text; an empty one is null. Numbers and booleans are written out, lists and objects refused."""
    value = row.get(column)
    if isinstance(value, (list, dict, bytes)):
        remedy = "name a column of texts"
        raise UserError(place, f"the field {column!r} is a {type(value).__name__}, not a text", remedy)
    text = "" if value is None else str(value)
    if not text.strip():
        if required:
            raise UserError(place, f"the field {column!r} is empty", "fill it in or remove the row")
        return None
    return text
