"""The recorded engine: answers that were made elsewhere, read from a .jsonl, .csv or .parquet file.

Columns: `answer`; `id` or `instruction` to match a question by (or what the model's settings call them); where wanted
`sample` and `turn` (from 0), `finish_reason` and `error`, what went wrong where the reason is `error`. A row whose
answer is null has none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tuneproof.common.errors import UserError, say
from tuneproof.generation.conversations.messages import Conversation
from tuneproof.generation.jobs import Ask, Job, Renderer, Request, Save, of_turn, save_all
from tuneproof.records.keys import content_key
from tuneproof.records.rows import EngineDescription, FinishReason, Question, Result
from tuneproof.sources.recorded import read_rows

SHOWN_MISSING = 3
LONGEST_NUMBER_DIGITS = 9
FINISH_REASONS: dict[str, FinishReason] = {  # as servers call them
    "stop": "stop", "length": "length", "error": "error", "content_filter": "error",
}  # fmt: skip
DESCRIPTION = EngineDescription(engine="recorded", version="1")

Place = tuple[str, int, int]  # what a question is matched by, the sample and the turn


def renderer(job: Job) -> Renderer:
    """What renders a request for every sample, keyed by the recorded answer itself; the prompt is what the user says.

    Raises a UserError that names questions without an answer, and rows that cannot be read.
    """
    rows = rows_of(job)
    column, answers = "", dict[Place, Result]()

    def render(conversations: Sequence[Conversation]) -> list[Request]:
        nonlocal column, answers
        if not answers:  # the first call is for every question: what the file lacks is said before anything is taken
            questions = [conversation.question for conversation in conversations]
            column = matching_column(job, rows, questions)
            answers = by_place(job, rows, column)
            require_answers(job, rows, column, questions, answers)
        return [
            request(conversation, sample, key_of(answers[place_of(conversation, column, rows, sample)]))
            for conversation in conversations
            for sample in conversation.samples
        ]

    return render


def rows_of(job: Job) -> list[dict[str, Any]]:
    """The rows of a model's file."""
    return read_rows(str(job.model.path), job.model.answer_column, job.model.instruction_column)


def request(conversation: Conversation, sample: int, key: str) -> Request:
    """A request for a recorded answer; its prompt is what the user says."""
    question = conversation.question
    prompt = question.all_turns[conversation.turn] if question.is_conversation else question.instruction
    return Request(question.id, sample, prompt, key, seed=0, **of_turn(conversation))


def place_of(conversation: Conversation, column: str, rows: Sequence[Mapping[str, Any]], sample: int) -> Place:
    """Where the answer to a turn stands."""
    return text_of(conversation.question, column, rows), sample, conversation.turn


def require_answers(
    job: Job,
    rows: Sequence[Mapping[str, Any]],
    column: str,
    questions: Sequence[Question],
    answers: Mapping[Place, Result],
) -> None:
    """Raises a UserError that names questions without an answer, in whichever turn."""
    wanted = [
        (question, (text_of(question, column, rows), sample, turn))
        for question in questions
        for sample in range(job.samples)
        for turn in range(len(question.all_turns))
    ]
    missing = [(question, place[0]) for question, place in wanted if place not in answers]
    if missing:
        raise answers_missing(job, rows, column, missing, len(wanted), {text for text, *_ in answers})


def text_of(question: Question, column: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The text that a question is matched by; its input counts where the file holds inputs."""
    if column == "id":
        return question.id
    return plain_line_ends(question.asked if "input" in rows[0] else question.instruction)


def plain_line_ends(text: str) -> str:
    """A text whose lines end as they do on Linux: tools change them on the way without a word."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def answers_missing(
    job: Job,
    rows: Sequence[Mapping[str, Any]],
    column: str,
    missing: Sequence[tuple[Question, str]],
    wanted: int,
    texts: set[str],
) -> UserError:
    """The error for questions without an answer, with what the texts that they are matched by may differ in."""
    instructions = list(dict.fromkeys(question.instruction for question, _ in missing))[:SHOWN_MISSING]
    shown = "; ".join(repr(instruction[:60]) for instruction in instructions)
    found = f"{len(missing)} of {wanted} answers are missing, such as those to {shown}"
    there = {" ".join(text.split()) for text in texts}
    near = sum(" ".join(text.split()) in there for _, text in missing)
    if near:
        found += f"; {near} of them are there with other white space"
    remedy = f"add rows with their {column} and answer"
    if any(row["answer"] is None for row in rows):
        remedy += ' (an answer that is null is none; an empty one is "" in a .jsonl file)'
    if any(question.is_conversation for question, _ in missing):
        remedy += ", and a column `turn` from 0"
    if job.samples > 1:
        remedy += f", and a column `sample` from 0 to {job.samples - 1}, or set generate.sampling.samples to 1"
    return UserError(str(job.model.path), found, remedy)


@contextmanager
def start(job: Job) -> Iterator[Ask]:
    """Takes the answers over from the file."""
    results = [read_answer(where(job, number), row) for number, row in enumerate(rows_of(job), start=1)]
    by_key = {key_of(result): result for result in results if result}

    def ask(requests: Iterable[Request], save: Save) -> None:
        save_all(save, ((request, by_key[request.key]) for request in requests))

    yield ask


def where(job: Job, number: int) -> str:
    """The place of a row in a message."""
    return f"{job.model.path}, row {number}"


def matching_column(job: Job, rows: Sequence[Mapping[str, Any]], questions: Sequence[Question]) -> str:
    """The column that questions are matched by: `id`, unless the ids are others than the questions' own."""
    ids = {question.id for question in questions}
    if "instruction" in rows[0] and not any(str(row.get("id")) in ids for row in rows):
        if "id" in rows[0]:
            say(f"generate {job.resolved.model}: no id of {job.model.path} is a question's; matched by instruction")
        return "instruction"
    return "id"


def by_place(job: Job, rows: Sequence[Mapping[str, Any]], column: str) -> dict[Place, Result]:
    """Every recorded answer by the text that its question is matched by and the sample."""
    answers: dict[Place, Result] = {}
    for number, row in enumerate(rows, start=1):
        place, result = read_place(where(job, number), row, column), read_answer(where(job, number), row)
        if place in answers:
            raise UserError(where(job, number), f"this {column} was answered above", "remove one of them")
        if result:
            answers[place] = result
    return answers


def read_place(where: str, row: Mapping[str, Any], column: str) -> Place:
    """What a row is matched by, its sample and its turn. Raises a UserError where it has none."""
    if row[column] is None:
        raise UserError(where, f"its {column} is empty", "fill it in or remove the row")
    text = str(row[column])
    if column == "instruction" and row.get("input"):
        text += f"\n\n{row['input']}"
    return plain_line_ends(text), read_count(where, row, "sample"), read_count(where, row, "turn")


def read_count(where: str, row: Mapping[str, Any], name: str) -> int:
    """A row's sample or turn, 0 where it names none."""
    value = str(row.get(name) or 0)
    if not value.isdecimal() or len(value) > LONGEST_NUMBER_DIGITS:
        raise UserError(where, f"its {name} is {value[:40]!r}", f"count {name}s from 0")
    return int(value)


def read_answer(where: str, row: Mapping[str, Any]) -> Result | None:
    """A row's answer, None where it is null. Raises a UserError for one that is no text or ended in no known way."""
    answer, given = row["answer"], row.get("finish_reason") or "stop"
    if not isinstance(answer, str | None):
        raise UserError(where, "its answer is no text", "mend or remove the row")
    if not isinstance(given, str) or given not in FINISH_REASONS:
        remedy = f"write one of {', '.join(FINISH_REASONS)}, or leave it empty"
        raise UserError(where, f"its finish_reason is {str(given)[:40]!r}", remedy)
    reason = FINISH_REASONS[given]
    if reason == "error":
        error = str(row.get("error") or f"the row's finish_reason is {given}")
        return Result(answer="", finish_reason="error", error=error, engine=DESCRIPTION)
    return None if answer is None else Result(answer=answer, finish_reason=reason, engine=DESCRIPTION)


def key_of(result: Result) -> str:
    """What determines a recorded answer: its text and how it ended."""
    determines = result.model_dump(include={"answer", "finish_reason", "engine"})
    return content_key({"kind": "answer", **determines} | ({"error": result.error} if result.error else {}))
