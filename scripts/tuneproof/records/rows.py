"""The rows that stages hand on, one JSON object a line."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Run = Literal["real", "dummy", "embedded"]


FinishReason = Literal["stop", "length", "error"]


ReplyStatus = Literal["ok", "refused", "truncated", "unreadable"]


Status = Literal["ok", "refused", "truncated", "unreadable", "no_answer"]


class Record(BaseModel):
    """Base of every row and file; unknown fields of a newer version are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Question(Record):
    """A test question. `reference` is null where the dataset has none; `input` is what the instruction works on.

    `checks` are those that stand with this question alone (docs/checks.md).
    """

    id: str
    instruction: str
    reference: str | None
    tags: dict[str, str] = {}
    input: str | None = Field(default=None, exclude_if=lambda text: text is None)
    checks: list[dict[str, Any]] | None = Field(default=None, exclude_if=lambda checks: checks is None)

    @property
    def asked(self) -> str:
        """The whole question as a person reads it: the instruction, and below it its input where there is one."""
        return self.instruction if self.input is None else f"{self.instruction}\n\n{self.input}"


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


class Check(Record):
    """What programs found in one answer, by criterion. A score is null where the check could not be applied."""

    id: str
    sample: int
    scores: dict[str, float | None]
    reasons: dict[str, str]
    status: Literal["ok", "no_answer"]


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
