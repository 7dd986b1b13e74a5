"""The rows that stages hand on (JSON Lines) and the files that validate writes, typed."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from evaluation.errors import UserError
from evaluation.whole_files import write_lines

QUESTIONS_FILE = Path("data/questions.jsonl")
RESOLVED_DIRECTORY = Path("data/resolved")
ANSWERS_DIRECTORY = Path("data/answers")
ENGINES_DIRECTORY = Path("data/engines")
JUDGEMENTS_DIRECTORY = Path("data/judgements")
COMPARISONS_DIRECTORY = Path("data/comparisons")
DETAILS_DIRECTORY = Path("data/details")
METRICS_DIRECTORY = Path("metrics")
REPORT_DIRECTORY = Path("report")

Run = Literal["real", "dummy", "embedded"]
FinishReason = Literal["stop", "length", "error"]
ReplyStatus = Literal["ok", "refused", "truncated", "unreadable"]
Status = Literal["ok", "refused", "truncated", "unreadable", "no_answer"]


class Record(BaseModel):
    """Base of every row and file; unknown fields of a newer version are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Question(Record):
    """A test question. `reference` is null where the dataset has none."""

    id: str
    instruction: str
    reference: str | None
    tags: dict[str, str] = {}


class Answer(Record):
    """A model's answer to one question. `error` rows hold what no attempt can mend, such as an over-long prompt."""

    id: str
    sample: int
    prompt: str
    answer: str
    finish_reason: FinishReason
    error: str | None
    prompt_tokens: int | None
    answer_tokens: int | None
    key: str


class EngineDescription(Record):
    """Which engine made an answer; recorded, not part of the key."""

    engine: str
    version: str
    device: str | None = None
    dtype: str | None = None
    batch_invariant: bool | None = None
    not_sent: tuple[str, ...] = ()  # settings that a served model does not know


class Result(Record):
    """A finished answer as the ledger keeps it."""

    answer: str
    finish_reason: FinishReason
    error: str | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    engine: EngineDescription | None = None


class Reply(Record):
    """One reply of a judge, usable or not. The text is kept when it was not."""

    judge: str
    model: str | None
    attempt: int
    status: ReplyStatus
    scores: dict[str, int | float] | None
    probabilities: dict[str, dict[str, float]] | None
    analyses: dict[str, str] | None
    reply: str | None
    error: str | None
    prompt_tokens: int | None
    reply_tokens: int | None
    key: str


class Judgement(Record):
    """What the judge made of one answer. `scores` is null unless the status is ok."""

    id: str
    sample: int
    status: Status
    scores: dict[str, int | float] | None
    analyses: dict[str, str] | None
    answer_cut: bool
    replies: list[Reply]


class Comparison(Record):
    """The judge's preference between a model's answer and the baseline's, in one order. 1 means the model."""

    id: str
    sample: int
    against: str
    order: Literal["model_first", "baseline_first"]
    status: Status
    preference: float | None
    replies: list[Reply]


class ResolvedAdapter(Record):
    """A LoRA adapter as found."""

    id: str
    sha: str | None
    content: str


class ResolvedModel(Record):
    """What validate made of one model: which weights, in which world, asked in which format."""

    model: str
    run: Run
    dummy: bool
    embedded: bool
    engine: str
    prompt: str
    requested: str
    id: str
    sha: str | None
    content: str
    fallback_reason: str | None = None
    adapter: ResolvedAdapter | None = None


class ResolvedJudge(Record):
    """What validate made of the judge. `content` identifies the embedded judge's weights."""

    run: Run
    backend: str
    judges: list[dict[str, str]]
    content: str | None = None


class ResolvedQuestions(Record):
    """Where the questions came from. `settings` is the hash of the settings that chose them."""

    run: Run
    requested: str
    id: str
    sha: str | None
    content: str
    fallback_reason: str | None = None
    rows: int
    rows_sha256: str
    settings: str | None = None


AnyRecord = TypeVar("AnyRecord", bound=Record)


def rows_text(rows: Iterable[Record]) -> str:
    """Rows as JSON Lines."""
    return "".join(row.model_dump_json() + "\n" for row in rows)


def record_text(record: Record) -> str:
    """One record as an indented JSON document."""
    return record.model_dump_json(indent=2) + "\n"


def write_rows(path: Path, rows: Iterable[Record]) -> None:
    """Writes JSON Lines whole or not at all, holding one row at a time."""
    write_lines(path, (row.model_dump_json() + "\n" for row in rows))


def iterate_rows(path: Path, kind: type[AnyRecord], made_by: str) -> Iterator[AnyRecord]:
    """Reads JSON Lines one at a time. Raises a UserError that names the broken line, or the stage to run first."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable_file(path, made_by, error) from None
    with file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _parse(line, kind, f"{path}, line {number}", made_by)


def read_rows(path: Path, kind: type[AnyRecord], made_by: str) -> list[AnyRecord]:
    """Reads all of a JSON Lines file, as `iterate_rows` does."""
    return list(iterate_rows(path, kind, made_by))


def read_record(path: Path, kind: type[AnyRecord], made_by: str) -> AnyRecord:
    """Reads one JSON document; raises a UserError when it is missing or unreadable."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise unreadable_file(path, made_by, error) from None
    return _parse(text, kind, str(path), made_by)


def missing_file(path: Path, made_by: str) -> UserError:
    """The error for a file that an earlier stage writes."""
    return UserError(str(path), "there is no such file", f"run `dvc repro` or `python scripts/{made_by}` first")


def unreadable_file(path: Path, made_by: str, error: OSError) -> UserError:
    """The error for a file that is missing, or that is a folder or otherwise not to be read."""
    if isinstance(error, FileNotFoundError):
        return missing_file(path, made_by)
    found = f"it cannot be read ({error.strerror or error})"
    return UserError(str(path), found, f"remove it and run `python scripts/{made_by}` again")


def _parse(text: bytes, kind: type[AnyRecord], where: str, made_by: str) -> AnyRecord:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()
        found = f"this is no {words}: {place + ': ' if place else ''}{first['msg']}"
        raise UserError(where, found, f"delete the file and run `python scripts/{made_by}` again") from None
