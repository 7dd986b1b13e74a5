"""Test questions from a table: ids, references, tags, and the faults that rows can have."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.common.errors import OutOfReachError, UserError, say, warn
from tuneproof.common.files import file_sha256
from tuneproof.common.places import local_path
from tuneproof.inputs.checks import check_columns, checks_of
from tuneproof.inputs.conversations import (
    Conversation,
    conversation_of_messages,
    conversation_of_turns,
    found_in_words,
)
from tuneproof.inputs.found import Found, is_pinned, say_kept
from tuneproof.records.documents.resolved import ResolvedQuestions
from tuneproof.records.files import rows_text
from tuneproof.records.handovers import QUESTION_SOURCE, QUESTIONS
from tuneproof.records.keys import content_key, sha256_hex
from tuneproof.records.rows import Question, World
from tuneproof.settings.inputs import Questions
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import DUMMY_QUESTIONS, EMBEDDED_PART, EMBEDDED_QUESTIONS_FILE
from tuneproof.sources.hub import repositories
from tuneproof.sources.hub.pins import Pins
from tuneproof.sources.tables import is_local_table, load_hub_table, load_local_table

ID_DIGITS = 12
COLUMNS_OF_CONVERSATIONS = ("messages_column", "turns_column")
PARTS_OF_QUESTIONS = ("input", "context")  # what datasets call a text that the instruction works on
SHOWN_REPEATS = 5


def needed_columns(settings: Questions) -> list[str]:
    """The columns that the settings name."""
    named = [
        settings.conversation_column or settings.instruction_column, settings.input_column, settings.reference_column,
        settings.id_column, *settings.tag_columns,
    ]  # fmt: skip
    return [column for column in named if column is not None] + check_columns(settings.checks_column)


def read_questions(where: str, rows: Sequence[Mapping[str, Any]], settings: Questions) -> list[Question]:
    """The rows as questions, in order. Raises a UserError that names the row for a fault in it.

    A row with the instruction and reference of an earlier one is left out, and that is said: the verdicts take
    questions to be independent, and one that counts twice makes everything look surer than it is.
    """
    questions, texts, repeats = dict[str, Question](), set[tuple[str | None, ...]](), list[int]()
    warn_of_unused_columns(where, rows, settings)
    for number, row in enumerate(rows, start=1):
        question = read_question(f"{where}, row {number}", row, settings)
        if question.id in questions and settings.id_column:
            place, found = f"{where}, row {number}", f"the id {question.id[:40]!r} stands there twice"
            raise UserError(place, found, "give every row its own id")
        text = (question.instruction, question.input, question.reference, conversation_text(question))
        if text in texts:
            repeats.append(number)
            continue
        texts.add(text)
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
    if settings.conversation_column:
        found = found_in_words(settings.conversation_column, list(questions.values()), rows)
        say(f"validate: {where}, column {settings.conversation_column}: {found}")
    return list(questions.values())


def conversation_text(question: Question) -> str | None:
    """Everything in a conversation as one text; None of a question that is none."""
    if question.turns is None or question.history is None or question.references is None:
        return None
    return Conversation(question.history, question.turns, question.references).identity


def read_question(place: str, row: Mapping[str, Any], settings: Questions) -> Question:
    """One row as a question. Raises a UserError for a fault in it."""
    asked = conversation_of(place, row, settings)
    given = text_of(place, settings.input_column, row) if settings.input_column else None
    if settings.id_column:
        identity = text_of(place, settings.id_column, row, required=True) or ""
    else:
        identity = sha256_hex(identity_of(asked, given))[:ID_DIGITS]
    tags = {column: text_of(place, column, row) or "" for column in settings.tag_columns}
    checks = checks_of(place, row, settings.checks_column)
    return Question(id=identity, tags=tags, input=given, checks=checks, **asked.fields())


def conversation_of(place: str, row: Mapping[str, Any], settings: Questions) -> Conversation:
    """What a row asks, in the form that the settings name; most often it is one message."""
    column = settings.reference_column
    if settings.turns_column:
        value = row.get(settings.turns_column)
        return conversation_of_turns(place, settings.turns_column, value, row.get(column) if column else None)
    reference = text_of(place, column, row) if column else None
    if settings.messages_column:
        return conversation_of_messages(place, settings.messages_column, row.get(settings.messages_column), reference)
    return Conversation([], [text_of(place, settings.instruction_column, row, required=True) or ""], [reference])


def identity_of(asked: Conversation, given: str | None) -> str:
    """What a question's id is made of: its one message, input and reference, or all of a conversation."""
    if not asked.has_one_message:
        return asked.identity
    instruction = asked.turns[0] if given is None else f"{asked.turns[0]}\n{given}"
    return f"{instruction}\n{asked.references[0] or ''}"


def warn_of_unused_columns(where: str, rows: Sequence[Mapping[str, Any]], settings: Questions) -> None:
    """Warns of a column that usually holds a part of the question, is filled in, and is read by no setting."""
    for column in set(PARTS_OF_QUESTIONS) - set(needed_columns(settings)):
        filled = sum(bool(str(row.get(column) or "").strip()) for row in rows)
        if filled:
            remedy = f"if it is a part of the question, set questions.input_column: {column}"
            warn(f"{where}: the column {column!r}, filled in {filled} of {len(rows)} rows, is not asked; {remedy}")


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


def resolve_questions(
    params: Params, requested: str, world: World, pins: Pins
) -> tuple[ResolvedQuestions, list[Question]]:
    """The test questions and where they came from.

    Where the Hub is out of reach, those that an earlier validate wrote from the same settings and pin are kept. Raises
    a UserError for a missing dataset, column or faulty row.
    """
    settings = params.questions
    if params.dummy:
        settings = settings.model_copy(update={"limit": min(settings.limit or DUMMY_QUESTIONS, DUMMY_QUESTIONS)})
    unset = {name for name in COLUMNS_OF_CONVERSATIONS if getattr(settings, name) is None}  # as before there were such
    asked = {"run": world, "requested": requested, "settings": content_key(settings.model_dump(exclude=unset))}
    try:
        found, rows = find_questions(settings, world, pins)
    except OutOfReachError as error:
        kept = kept_questions(settings, asked, pins)
        if kept is None:
            raise
        say_kept(error)
        return kept, QUESTIONS.read()
    questions = read_questions(found.id, rows, settings)
    record = ResolvedQuestions.model_validate(
        asked | vars(found) | {"rows": len(questions), "rows_sha256": sha256_hex(rows_text(questions))}
    )
    return record, questions


def find_questions(settings: Questions, world: World, pins: Pins) -> tuple[Found, list[dict[str, Any]]]:
    """The rows of the dataset, and what it is."""
    if is_local_table(settings.dataset) or local_path(settings.dataset).exists():
        return local_questions(settings, world)
    resolved = repositories.resolve_dataset(settings.dataset, settings.revision, settings.fallback, pins)
    columns = needed_columns(settings)
    rows = load_hub_table(resolved, settings.split, columns, subset=settings.subset, wanted=PARTS_OF_QUESTIONS)
    return Found(resolved.id, resolved.sha, resolved.content, resolved.fallback_reason), rows


def local_questions(settings: Questions, world: World) -> tuple[Found, list[dict[str, Any]]]:
    """The rows of a local file."""
    path = EMBEDDED_QUESTIONS_FILE if world == "embedded" else local_path(settings.dataset)
    if world != "embedded" and settings.split != Questions.model_fields["split"].default:
        found = f"{settings.dataset} is a local file, which is read whole: a split has no effect on it"
        raise UserError("questions.split", found, "set it to test, and name a file with the rows that you mean")
    if settings.subset is not None:
        found = f"{settings.dataset} is a local file, which has no subsets"
        raise UserError("questions.subset", found, "set it to null, and name a file with the rows that you mean")
    if world == "embedded":
        return Found(settings.dataset, None, file_sha256(path)), embedded_rows()
    rows = load_local_table(path, needed_columns(settings), wanted=PARTS_OF_QUESTIONS)
    return Found(settings.dataset, None, file_sha256(path)), rows


def embedded_rows() -> list[dict[str, Any]]:
    """The embedded questions that the judge was not trained on, each as a list of turns: most have only one."""
    rows = load_local_table(EMBEDDED_QUESTIONS_FILE, ["id", "instruction", "reference", "part", "turns", "references"])
    return [
        row | {"turns": row["turns"] or [row["instruction"]], "references": row["references"] or [row["reference"]]}
        for row in rows
        if row["part"] == EMBEDDED_PART
    ]


def kept_questions(settings: Questions, asked: dict[str, str], pins: Pins) -> ResolvedQuestions | None:
    """What the workspace says of the questions, where it holds them as they were and the pin still says the same."""
    try:
        kept = QUESTION_SOURCE.read()
    except UserError:
        return None
    same = kept == kept.model_copy(update=asked)
    pinned = is_pinned("dataset", kept, settings.dataset, settings.revision, settings.fallback, pins)
    whole = QUESTIONS.path.is_file() and file_sha256(QUESTIONS.path) == kept.rows_sha256
    return kept if same and pinned and whole else None
