"""What agree found out: how far people and the judge agree, and what people said of this run's answers."""

from typing import Annotated, Literal

from pydantic import Field

from tuneproof.records.rows import Count, Number, Record, Row, World

Source = Literal["labels", "graded"]


class Figure(Record):
    """A figure with its limits over whole questions, which are None where the ratings cannot give any."""

    value: float
    low: float | None
    high: float | None


class AmongPeople(Record):
    """How far people agree with each other, over the answers or pairs that two of them rated."""

    rated: int  # answers or pairs
    questions: int
    krippendorff_alpha: Figure | None  # ordinal
    weighted_kappa: Figure | None  # Cohen's with quadratic weights, the mean over pairs of raters
    nominal_kappa: Figure | None
    share_equal: Figure | None


class ScoreBias(Record):
    """How much higher the judge scores than people do, where people gave about this score."""

    score: float
    answers: int
    bias: float


class JudgeBesidePeople(Record):
    """How far the judge agrees with people on one criterion, over the answers that both scored.

    `weighted_kappa`, `nominal_kappa` and `share_equal` are the mean over the people, each beside the judge alone, so
    that they stand beside what people reach among themselves. The rest is against the mean of people's scores.
    """

    answers: int
    questions: int
    weighted_kappa: Figure | None
    nominal_kappa: Figure | None  # of the nearest steps, as is the share
    share_equal: Figure | None
    rank_correlation: Figure | None
    area_under_curve: dict[str, Figure | None]  # by step, for telling answers that reach it
    bias: Figure | None  # above 0: the judge scores higher
    bias_by_score: list[ScoreBias]
    length_effect: Figure | None  # the rank correlation of the judge's bias with the answer's length
    steps: list[float]
    confusion: list[list[int]]  # answers by people's step (rows) and the judge's (columns)


class CriterionAgreement(Record):
    """One criterion; None where nobody, or only one person, rated."""

    people: AmongPeople | None
    judge: JudgeBesidePeople | None


class PairAgreement(Record):
    """Preferences between a model's answer and the baseline's: people among themselves, and the judge beside them."""

    people: AmongPeople | None
    pairs: int
    questions: int
    share_equal: Figure | None  # of the same winner, or a tie for both
    nominal_kappa: Figure | None
    favour_of_length: Figure | None  # how much more the judge prefers the longer answer than people do


class OrderAgreement(Record):
    """A judge of pairs with itself, each pair shown in both orders. `above_chance` is 0 for one that reads nothing."""

    pairs: int
    questions: int
    consistency: Figure | None
    by_chance: float
    above_chance: Figure | None
    position_effect: Figure | None  # above 0: being shown first helps


class RandomLabels(Record):
    """The labels that may correct scores: of answers drawn at random. Counted in questions."""

    needed: int
    questions: dict[str, int]  # by model, questions with a label
    missing: dict[str, int]  # by model
    no_longer_here: int  # labels of answers that this run does not have


class Agreement(Record):
    """`data/agreement.json`.

    `source` says whose ratings: labels of this run's answers, or graded ones of the embedded world. Where it is None
    only `orders` and `labels` say anything.
    """

    run: World
    source: Source | None
    raters: list[str]
    rated: int  # answers
    questions: int
    criteria: dict[str, CriterionAgreement]
    pairs: PairAgreement | None
    orders: dict[str, OrderAgreement]  # by model
    labels: RandomLabels


class AnswerLabels(Row):
    """What people say of one of this run's answers, drawn at random: the mean over them. A pair has a preference."""

    model: str
    id: str
    sample: Count
    scores: Annotated[dict[str, Number], Field(min_length=1)] | None
    preference: Annotated[float, Field(ge=0, le=1)] | None
    raters: Count
