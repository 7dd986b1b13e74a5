"""What a trained evaluator is: the texts that it sees, what it says of them, and its `evaluator.json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, model_validator

from tuneproof.records.rows import Row

MANIFEST = "evaluator.json"
TOKENIZER = "tokenizer.json"
COLUMNS = ("input", "output", "ground_truth")

Column = Literal["input", "output", "ground_truth"]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Texts:
    """One answer to score: the question, the answer itself, and what it should say. None where there is none."""

    input: str | None
    output: str
    ground_truth: str | None


@dataclass(frozen=True)
class Scored:
    """What an evaluator says of one answer.

    `probability` runs from 0 (surely the lowest class) to 1 (surely the highest): of yes/no it is that of yes, on a
    scale where the expected score lies, of classes without order that of `label`. `score` is the expected step of the
    scale, None for classes without order.
    """

    label: str
    score: float | None
    probability: float
    probabilities: dict[str, float]


class Model(Protocol):
    """What turns texts into logits."""

    def logits(self, rows: Sequence[Texts]) -> list[list[float]]:
        """The logits of each row: on a scale one for every class but the lowest, else one for every class."""
        ...


class Knots(Row):
    """A rising curve through points, from logits to probabilities."""

    logits: Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
    probabilities: Annotated[tuple[float, ...], Field(strict=False, min_length=1)]


class Calibration(Row):
    """How logits become probabilities: divided by the temperature, or along a curve for each of them (isotonic)."""

    kind: Literal["none", "temperature", "isotonic"] = "none"
    temperature: Annotated[float, Field(gt=0)] = 1.0
    curves: Annotated[tuple[Knots, ...], Field(strict=False)] = ()


class Base(Row):
    """What was trained further: an encoder at its commit, or the model of words."""

    id: str
    sha: str | None = None
    content: str | None = None
    license: str | None = None


class Trained(Row):
    """What it learned from. `sha256` identifies the examples, their labels, weights and parts."""

    examples: int
    questions: int
    from_people: int
    sha256: Sha256


class Manifest(Row):
    """`evaluator.json`: all that is needed to score beside the files that it names, each with its SHA-256.

    `classes` are in order on a scale, the lowest first, and `steps` their numbers; `cuts` are the probabilities from
    which on an answer is of the next class.
    """

    format: Literal[1] = 1
    criterion: str
    model: Literal["words", "encoder"]
    columns: Annotated[tuple[Column, ...], Field(strict=False, min_length=1)]
    classes: Annotated[tuple[str, ...], Field(strict=False, min_length=2)]
    steps: Annotated[tuple[float, ...], Field(strict=False)] | None
    cuts: Annotated[tuple[float, ...], Field(strict=False)]
    calibration: Calibration
    base: Base
    data: Trained
    scores_with: FileName
    max_tokens: Annotated[int, Field(ge=8)] | None = None
    files: dict[FileName, Sha256]

    @property
    def ordered(self) -> bool:
        """Whether the classes are a scale."""
        return self.steps is not None

    @property
    def needed(self) -> tuple[str, ...]:
        """The files that scoring reads."""
        return tuple(name for name in (self.scores_with, TOKENIZER) if name in self.files)

    @property
    def logits(self) -> int:
        """How many logits its model gives for an answer."""
        return len(self.classes) - self.ordered

    @model_validator(mode="after")
    def check_shape(self) -> Self:
        """Classes, steps, cuts and curves fit together."""
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: one is named twice")
        if self.steps is not None and (len(self.steps) != len(self.classes) or list(self.steps) != sorted(self.steps)):
            raise ValueError("steps: they do not fit the classes")
        if len(self.cuts) != (len(self.classes) - 1 if self.ordered else 0) or list(self.cuts) != sorted(self.cuts):
            raise ValueError("cuts: they do not fit the classes")
        if self.calibration.kind == "isotonic" and len(self.calibration.curves) != self.logits:
            raise ValueError("calibration.curves: they do not fit the classes")
        if any(len(curve.logits) != len(curve.probabilities) for curve in self.calibration.curves):
            raise ValueError("calibration.curves: each logit has its probability")
        if self.scores_with not in self.files:
            raise ValueError("scores_with: it is none of the files")
        if "output" not in self.columns:
            raise ValueError("columns: an evaluator sees the output")
        return self
