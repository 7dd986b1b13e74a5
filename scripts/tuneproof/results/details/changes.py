"""Where one model gains and loses, by question and against the other models: to understand, not to decide."""

from typing import Literal

from pydantic import Field

from tuneproof.records.rows import Record
from tuneproof.results.details.criteria import Changes, CriterionVerdict

Outcome = Literal["better", "same", "worse"]
OUTCOMES: dict[str, Outcome] = {"b": "better", "s": "same", "w": "worse"}  # of one question, by letter
NOT_KNOWN = "-"  # where either model has no score
TURNED = str.maketrans("bw", "wb")  # the same letters seen from the other model


class Loss(Record):
    """One of the questions on which a model got worse than the baseline, or another, in any criterion of the claim.

    `share` is the mean difference over these criteria as a share of their scales. `fell` are the criteria in which it
    got worse, what fell farthest first. `preference` is the judge's where it saw both answers: 1 for the model's.
    """

    question: str
    share: float
    baseline: dict[str, float]  # the other's scores by criterion: the claim's, then those of others that score answers
    model: dict[str, float]
    fell: list[str] = Field(default=[])  # of files of before
    preference: float | None = Field(default=None, exclude_if=lambda preference: preference is None)


class Losses(Record):
    """On how many questions a model got worse than another one in any criterion of the claim, and the worst of them."""

    worsened: int
    worst: list[Loss]


class PairGain(Record):
    """One model less another one on one criterion, over the questions scored in both.

    The claim's criteria of all pairs of models hold together at alpha, as a family of their own beside that of the
    gains over the baseline; any other criterion holds by itself.
    """

    gain: float
    low: float
    high: float
    level: float
    paired: int
    verdict: CriterionVerdict
    changes: Changes | None = Field(default=None, exclude_if=lambda changes: changes is None)  # of files of before
