"""The rows that stages hand on, one JSON object a line."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tuneproof.common.errors import one_line

World = Literal["real", "dummy", "embedded"]


FinishReason = Literal["stop", "length", "error"]


ReplyStatus = Literal["ok", "refused", "truncated", "unreadable"]


Status = Literal["ok", "refused", "truncated", "unreadable", "no_answer"]


MOST_TOKENS = 10**9  # that anything here can have; more is an error of who counted
LARGEST_SCORE = 1e15  # beyond which neighbouring whole numbers are one float

Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
Number = (
    Annotated[int, Field(ge=-LARGEST_SCORE, le=LARGEST_SCORE)]
    | Annotated[float, Field(ge=-LARGEST_SCORE, le=LARGEST_SCORE)]
)
Turn = Annotated[Count | None, Field(exclude_if=lambda turn: turn is None)]  # only where there are turns
Probability = Annotated[float, Field(ge=0, le=1.000001)]
Preference = Annotated[Number, AfterValidator(lambda value: require_outcome(value))]  # 1: the first of a pair is better
RATER_NAME = r"^[a-z0-9_][a-z0-9_-]{0,39}$"  # which is a file's name
RaterName = Annotated[str, Field(pattern=RATER_NAME)]


class Record(BaseModel):
    """Base of every row and file; unknown fields of a newer version are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Row(Record):
    """Base of what may come from elsewhere: `true` and "3" are no numbers, and no number is infinite or NaN."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


def problem_in(error: ValueError) -> str:
    """What is wrong with a row, in one line: the first finding of pydantic with its place, or the error's own words."""
    if not isinstance(error, ValidationError):
        return one_line(error)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return one_line(f"{place}: {first['msg']}" if place else first["msg"])


def require_scores_of_status(status: str, scored: bool) -> None:
    """Raises a ValueError unless there are scores where the status is ok, and nowhere else."""
    if (status == "ok") != scored:
        raise ValueError(f"the status is {status} {'with' if scored else 'without'} scores")


def require_outcome(value: float) -> float:
    """One of the three outcomes of a pair; raises a ValueError for anything else."""
    if value not in (0, 0.5, 1):
        raise ValueError("a preference is 0, 0.5 or 1")
    return value


class Message(Row):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Question(Row):
    """A test question. `reference` is null where the dataset has none; `input` is what the instruction works on.

    `checks` are those that stand with this question alone (docs/checks.md). A conversation, and nothing else, has
    `history` (the messages before the first turn to be answered), `turns` (what the user says in each turn) and
    `references` (one for each turn); its `instruction` is the first turn, its `reference` the first reference.
    """

    id: str
    instruction: str
    reference: str | None
    tags: dict[str, str] = {}
    input: str | None = Field(default=None, exclude_if=lambda text: text is None)
    checks: list[dict[str, Any]] | None = Field(default=None, exclude_if=lambda checks: checks is None)
    history: list[Message] | None = Field(default=None, exclude_if=lambda history: history is None)
    turns: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, exclude_if=lambda turns: turns is None
    )
    references: list[str | None] | None = Field(default=None, exclude_if=lambda references: references is None)

    @model_validator(mode="after")
    def check_turns(self) -> Self:
        """A conversation has a reference, or null, for every turn."""
        if len(self.turns or ()) != len(self.references or ()):
            raise ValueError(f"it has {len(self.turns or ())} turns and {len(self.references or ())} references")
        return self

    @property
    def is_conversation(self) -> bool:
        """Whether it has more than one message, so that its rows have a turn."""
        return self.turns is not None

    @property
    def all_turns(self) -> list[str]:
        """What the user says in each turn; of a question that is no conversation, the whole question."""
        return self.turns or [self.asked]

    def at(self, turn: int | None) -> "Question":
        """The same with what one turn asks and its reference, as if it were a question of its own."""
        if turn is None or self.turns is None or self.references is None:
            return self
        return self.model_copy(update={"instruction": self.turns[turn], "reference": self.references[turn]})

    @property
    def asked(self) -> str:
        """The whole question as a person reads it: the instruction, and below it its input where there is one."""
        return self.instruction if self.input is None else f"{self.instruction}\n\n{self.input}"


class Answer(Row):
    """A model's answer to one question. `error` rows hold what no attempt can mend, such as an over-long prompt.

    `thinking` is what a reasoning model wrote before its answer, where that was told apart or taken off. `turn`, from
    0, is there where the question is a conversation.
    """

    id: str
    sample: Count
    prompt: str
    answer: str
    finish_reason: FinishReason
    error: str | None
    prompt_tokens: Count | None
    answer_tokens: Count | None
    key: str
    thinking: str | None = Field(default=None, exclude_if=lambda text: text is None)
    turn: Turn = None


class Reply(Row):
    """One reply of a judge, usable or not. The text is kept when it was not."""

    judge: str
    model: str | None
    attempt: Annotated[int, Field(ge=1, le=MOST_TOKENS)]
    status: ReplyStatus
    scores: Annotated[dict[str, Number], Field(min_length=1)] | None
    probabilities: dict[str, dict[str, Probability]] | None
    analyses: dict[str, str] | None
    reply: str | None
    error: str | None
    prompt_tokens: Count | None
    reply_tokens: Count | None
    key: str

    @model_validator(mode="after")
    def check_scores(self) -> Self:
        """Only what is ok has scores, and it has them."""
        require_scores_of_status(self.status, self.scores is not None)
        return self


class Judgement(Row):
    """What the judge made of one answer. `scores` is null unless the status is ok."""

    id: str
    sample: Count
    status: Status
    scores: Annotated[dict[str, Number], Field(min_length=1)] | None
    analyses: dict[str, str] | None
    answer_cut: bool
    replies: list[Reply]
    turn: Turn = None

    @model_validator(mode="after")
    def check_scores(self) -> Self:
        """Only what is ok has scores, and it has them."""
        require_scores_of_status(self.status, self.scores is not None)
        return self


class Comparison(Row):
    """The judge's preference between a model's answer and the baseline's, in one order. 1 means the model."""

    id: str
    sample: Count
    against: str
    order: Literal["model_first", "baseline_first"]
    status: Status
    preference: Annotated[float, Field(ge=0, le=1)] | None
    replies: list[Reply]
    turn: Turn = None

    @model_validator(mode="after")
    def check_preference(self) -> Self:
        """Only what is ok has a preference, and it has one."""
        require_scores_of_status(self.status, self.preference is not None)
        return self


class Check(Row):
    """What programs found in one answer, by criterion. A score is null where the check could not be applied."""

    id: str
    sample: int
    scores: dict[str, float | None]
    reasons: dict[str, str]
    status: Literal["ok", "no_answer"]
    turn: Turn = None


class Benchmark(Row):
    """What a harness made of one item of a benchmark, by metric. `id` is the hash of the item's document.

    `criterion` is the name in `benchmark.tasks`; `task` the harness's own, which differs within a group such as mmlu.
    """

    id: str
    criterion: str
    task: str
    task_version: str
    scores: dict[str, float | None]
    question: str  # as a person reads it, without the solved examples before it
    target: str
    response: str


class Label(Row):
    """What a person said of one answer, or of a pair. Both `scores` and `preference` are null where it was skipped.

    `key` names all that was rated (`answer_label_key`, `pair_label_key`), so that a label outlives its run and says of
    no model. `scores` may lack criteria that are still to be rated. `preference` is 1 where the first of the pair's two
    answers is better, wherever it stood on the page. `drawn` says how the answer came to be asked: only `random` ones
    feed statistics. `seconds` were spent on it. A changed rubric or guideline starts a new `round`; `instructions`
    names those that the rater had, null where that is not known.
    """

    key: Annotated[str, Field(min_length=1)]
    id: str
    kind: Literal["answer", "pair"]
    scores: Annotated[dict[str, Number], Field(min_length=1)] | None
    preference: Preference | None
    note: Annotated[str | None, AfterValidator(lambda text: text or None)]
    rater: RaterName
    drawn: Literal["random", "chosen"]
    seconds: Annotated[float, Field(ge=0)]
    round: Annotated[int, Field(ge=1)]
    instructions: str | None = None

    @model_validator(mode="after")
    def check_kind(self) -> Self:
        """An answer has scores, a pair a preference."""
        if self.preference is not None and self.kind == "answer":
            raise ValueError("an answer has scores and no preference")
        if self.scores is not None and self.kind == "pair":
            raise ValueError("a pair has a preference and no scores")
        return self

    @property
    def rated(self) -> bool:
        """Whether it says anything of what was asked."""
        return self.scores is not None or self.preference is not None


class EngineDescription(Row):
    """Which engine made an answer; recorded, not part of the key."""

    engine: str
    version: str
    device: str | None = None
    dtype: str | None = None
    batch_invariant: bool | None = None
    not_sent: Annotated[tuple[str, ...], Field(strict=False)] = ()  # settings that a served model does not know


class Result(Row):
    """A finished answer as the ledger keeps it."""

    answer: str
    finish_reason: FinishReason
    error: str | None = None
    prompt_tokens: Count | None = None
    answer_tokens: Count | None = None
    engine: EngineDescription | None = None
    thinking: str | None = Field(default=None, exclude_if=lambda text: text is None)
    repeated_token: Count | None = None  # the one token that all of the answer is, up to its limit
