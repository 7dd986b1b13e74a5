"""What validate made of models, judge and questions."""

from pydantic import Field

from tuneproof.records.rows import Record, World


class ResolvedAdapter(Record):
    """A LoRA adapter as found."""

    id: str
    sha: str | None
    content: str


class ResolvedTokenizer(ResolvedAdapter):
    """The tokenizer of a served model as found."""


class ResolvedModel(Record):
    """What validate made of one model: which weights, in which world, asked in which format.

    `tokenizer` is a served model's, where the settings name one.
    """

    model: str
    run: World
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
    tokenizer: ResolvedTokenizer | None = Field(default=None, exclude_if=lambda found: found is None)


class ResolvedScorer(Record):
    """A trained evaluator as found. `content` is the SHA-256 of its evaluator.json, which names all its files."""

    id: str
    sha: str | None
    content: str


class ResolvedJudge(Record):
    """What validate made of the judge. `content` identifies the weights of one that needs no endpoint.

    `evaluators` are those that score in a judge's place, by criterion.
    """

    run: World
    backend: str
    judges: list[dict[str, str]]
    content: str | None = None
    evaluators: dict[str, ResolvedScorer] | None = Field(default=None, exclude_if=lambda value: value is None)


class ResolvedQuestions(Record):
    """Where the questions came from. `settings` is the hash of the settings that chose them."""

    run: World
    requested: str
    id: str
    sha: str | None
    content: str
    fallback_reason: str | None = None
    rows: int
    rows_sha256: str
    settings: str | None = None


class ResolvedPlan(Record):
    """The plan by which models ship, when validate last saw it: `key` identifies it, `rows_sha256` the questions.

    `earlier` are the plans that had decided on the same questions before it took their place.
    """

    run: World
    key: str
    rows_sha256: str
    earlier: tuple[str, ...] = ()


class ResolvedEvaluator(Record):
    """What evaluators are trained from: the base, and the SHA-256 of the user's file of labelled answers."""

    run: World
    id: str
    sha: str | None
    content: str | None
    data: str | None
