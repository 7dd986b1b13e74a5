"""One model on one criterion, in the judge's units and in people's."""

from typing import Literal

from pydantic import Field

from tuneproof.records.rows import Record

CriterionVerdict = Literal["better", "worse", "undecided", "too few", "not tested", "no verdict"]


class MissingScores(Record):
    """The mean gain over all questions, and its verdict, if every missing score were the model's worst or best."""

    missing: int
    worst: float
    best: float
    verdict_if_worst: CriterionVerdict
    verdict_if_best: CriterionVerdict
    could_change_verdict: bool


class Collapses(Record):
    """The share of questions on which a model falls by a whole step, or by half of one to the lowest score.

    With several samples every one of the model's is compared with every one of the baseline's. `of_baseline` is what
    two samples of the baseline do to each other; None where there is only one.
    """

    share: float
    low: float
    high: float
    questions: int
    of_baseline: float | None


class Changes(Record):
    """How many questions scored in both improved, stayed the same and got worse (`Criterion.counts_from`)."""

    improved: int
    same: int
    worse: int


class LengthBin(Record):
    """Questions with answers of similar length: their mean length in characters and their mean score."""

    characters: float
    mean: float
    low: float
    high: float
    questions: int


class EqualLength(Record):
    """The gain by the judge's scores where both answers are equally long: exploratory, each interval alone.

    `doubling` is what an answer twice as long as the baseline's scores more. `outside`: so few are longer, or so few
    shorter, that equal length lies at the edge of what was seen (docs/statistics.md).
    """

    gain: float
    low: float
    high: float
    doubling: float
    doubling_low: float
    doubling_high: float
    longer: int
    shorter: int
    questions: int
    outside: bool


class PeopleScores(Record):
    """One model on one criterion in people's units: estimated from random labels and the judge's scores (PPI++).

    `people_mean` and `judge_mean` are the raw figures over the labelled questions. The estimates are None below
    `needed` labels, those of gains for the baseline too. A `weight` is lambda: 0 is labels alone, 1 the judge believed.
    `worth` is how many more labels would give the same error without the judge.
    """

    labels: int  # questions with a label, and a score of the judge
    needed: int
    people_mean: float | None
    judge_mean: float | None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    weight: float | None = None
    worth: int | None = None
    gain_labels: int | None = None  # questions labelled in both
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    gain_weight: float | None = None
    gain_worth: int | None = None
    level: float | None = None
    verdict: CriterionVerdict | None = None

    @property
    def missing(self) -> int:
        """How many labelled questions are missing."""
        least = self.labels if self.gain_labels is None else self.gain_labels
        return max(self.needed - least, 0)


class JudgeAlone(Record):
    """What the judge itself says of one model on one criterion, where people's units decide."""

    mean: float | None
    low: float | None
    high: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    verdict: CriterionVerdict | None


class CriterionDetails(Record):
    """One model on one criterion. The gain's fields are None for the baseline itself.

    Where people's units decide (`run.in_units_of`) and there are labels enough, mean and gain are people's, `paired`
    counts labelled questions, and `judge_alone` has what the judge itself says.
    """

    mean: float | None
    low: float | None
    high: float | None
    method: str | None
    caution: str | None  # what to know before trusting the interval
    scored: int  # questions with a score
    mean_if_missing_worst: float | None
    mean_if_missing_best: float | None
    distribution: dict[str, int]  # answers by the step of the scale that their score is nearest to
    length_correlation: float | None  # Spearman's, between answer length and score, over questions
    lengths: list[LengthBin]

    gain: float | None = None  # the mean paired difference to the baseline
    gain_low: float | None = None
    gain_high: float | None = None
    gain_method: str | None = None
    gain_caution: str | None = None
    level: float | None = None  # each gain's own level, at which all of the run's hold together at alpha
    paired: int | None = None  # questions scored in both
    verdict: CriterionVerdict | None = None
    smallest_detectable: float | None = None  # the true gain that `paired` questions show in 80 % of repeats
    questions_needed: int | None = None  # to show the observed gain as often
    missing: MissingScores | None = None  # only where scores are missing
    collapses: Collapses | None = None
    changes: Changes | None = Field(default=None, exclude_if=lambda changes: changes is None)
    people: PeopleScores | None = Field(default=None, exclude_if=lambda scores: scores is None)
    judge_alone: JudgeAlone | None = Field(default=None, exclude_if=lambda scores: scores is None)
    equal_length: EqualLength | None = Field(default=None, exclude_if=lambda gain: gain is None)
