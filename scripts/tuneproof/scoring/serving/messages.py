"""What a request may hold and what is answered."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_ITEMS = 32
MOST_CHARACTERS = 20_000
LARGEST_BODY = 2_000_000  # bytes

Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]


class Message(BaseModel):
    """Base of what comes in: an unknown or misspelt field is refused, and "1" is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Item(Message):
    """One answer to be scored: the question, the answer, and what it should say where that is known."""

    output: Text
    input: Text | None = None
    ground_truth: Text | None = None


class Asked(Message):
    """Up to 32 answers, and the evaluators that are meant; without them, all that are served."""

    items: Annotated[list[Item], Field(min_length=1, max_length=MOST_ITEMS)]
    evaluators: Annotated[list[Annotated[str, Field(max_length=100)]], Field(min_length=1, max_length=100)] | None = (
        None
    )

    @model_validator(mode="after")
    def check_names(self) -> Self:
        """An evaluator is asked once."""
        if self.evaluators and len(set(self.evaluators)) != len(self.evaluators):
            raise ValueError("evaluators: one is named twice")
        return self


class Score(BaseModel):
    """What one evaluator says of an answer.

    `probability` runs from 0 to 1, on a scale from its lowest to its highest step; `score` is the expected step, null
    for classes without order; `label` the class. `passed` says whether `probability` reaches `threshold`, both null
    where none was set.
    """

    probability: float
    score: float | None
    label: str
    threshold: float | None
    passed: bool | None


class Result(BaseModel):
    """One answer's scores by evaluator. `passed`: it reaches every threshold that was set; null where there is none."""

    passed: bool | None
    scores: dict[str, Score]


class Answered(BaseModel):
    """A result for every item, in order. After a time-out there are no scores: `passed` is what `--fail` says."""

    results: list[Result]
    timed_out: bool = False


class Problem(BaseModel):
    """Why there is no answer, in one line."""

    error: str
