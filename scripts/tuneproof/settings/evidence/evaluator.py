"""The section of params.yaml that says which evaluators are trained, from what and how: evaluator."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tuneproof.settings.base import NotNegative, Positive, Settings, Text, Texts, as_tuple
from tuneproof.settings.evidence.judging import criterion_name

EMBEDDED_BASE = "embedded"  # the model of words, which needs no download
Column = Literal["input", "output", "ground_truth"]
Weight = Annotated[float, Field(gt=0)]
PartShare = Annotated[float, Field(gt=0, lt=0.5)]


class Learned(Settings):
    """One criterion that an evaluator learns.

    `columns` is what it may see. `classes`, where labels are texts, gives them in order, the lowest first; without it
    numbers and yes/no are a scale, and other texts are classes without order.
    """

    columns: Annotated[tuple[Column, ...], BeforeValidator(as_tuple), Field(min_length=1)] = (
        "input", "output", "ground_truth",
    )  # fmt: skip
    classes: Texts | None = None

    @model_validator(mode="after")
    def check(self) -> Self:
        """It sees the answer, each column once; a scale has two steps."""
        if "output" not in self.columns or len(set(self.columns)) != len(self.columns):
            raise ValueError("columns: name output, and input and ground_truth where it may see them, each once")
        if self.classes is not None and (len(self.classes) < 2 or len(set(self.classes)) != len(self.classes)):
            raise ValueError("classes: name at least two different ones, the lowest first")
        return self


class OwnData(Settings):
    """The columns of `evaluator.data`. The label of a criterion stands in the column of its name, else in `label`.

    `group` names a column whose rows belong together; null: those with the same input do.
    """

    input: Text = "input"
    output: Text = "output"
    ground_truth: Text = "ground_truth"
    label: Text = "label"
    group: Text | None = None


class Weights(Settings):
    """What a label of each source counts in training."""

    judge: Weight = 1.0
    data: Weight = 1.0
    people: Weight = 3.0


class Training(Settings):
    """How an encoder is trained; the model of words needs none of it but the seed."""

    seed: NotNegative = 42
    epochs: Positive = 8
    patience: Positive = 2
    batch_size: Positive = 16
    learning_rate: Annotated[float, Field(gt=0)] = 3e-5
    max_tokens: Annotated[int, Field(ge=16, le=8192)] = 512


class EvaluatorSettings(Settings):
    """Which criteria get an evaluator, from what it learns, and what it is made of."""

    criteria: dict[str, Learned] = Field(default_factory=dict)
    base: Text = EMBEDDED_BASE
    revision: Text = "main"
    data: Text | None = None
    data_columns: OwnData = OwnData()
    weights: Weights = Weights()
    validation: PartShare = 0.15
    test: PartShare = 0.25
    training: Training = Training()
    learning_curve: bool = True
    track: Literal["wandb", "trackio"] | None = None

    @field_validator("criteria", mode="before")
    @classmethod
    def read_plain(cls, criteria: object) -> object:
        """A criterion that is only named takes the defaults."""
        if isinstance(criteria, dict):
            return {name: {} if value is None else value for name, value in criteria.items()}
        return criteria

    @field_validator("criteria")
    @classmethod
    def check_names(cls, criteria: dict[str, Learned]) -> dict[str, Learned]:
        """Names become folders."""
        for name in criteria:
            criterion_name(name)
        return criteria
