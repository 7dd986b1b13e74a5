"""From ratings to agreement: people among themselves, and the judge beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.records.documents.agreement import (
    AmongPeople,
    CriterionAgreement,
    Figure,
    JudgeBesidePeople,
    OrderAgreement,
    PairAgreement,
    ScoreBias,
)
from tuneproof.statistics.agreement.by_question import Draws, Measure, estimate, question_draws
from tuneproof.statistics.agreement.pairs import (
    consistency_above_chance,
    consistency_by_chance,
    favour_of_length,
    order_consistency,
)
from tuneproof.statistics.agreement.raters import Weights, kappa, krippendorff_alpha, mean_kappa, share_equal
from tuneproof.statistics.agreement.scores import (
    area_under_curve,
    bias_by_score,
    confusion,
    length_effect,
    mean_difference,
    nearest_steps,
    rank_correlation,
)
from tuneproof.statistics.differences import question_means
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import difference_interval
from tuneproof.statistics.win_rates import PREFERENCE_SCALE, BothOrders

DIGITS = 6  # of a figure: the last bits differ between machines


@dataclass(frozen=True)
class Rated:
    """One answer, or one pair, that people rated on one criterion. `judge` is NaN where the judge gave nothing."""

    question: str
    ratings: Mapping[str, float]  # by rater
    judge: float
    length: float  # in characters; of a pair the model's less the baseline's


def criterion_agreement(rated: Sequence[Rated], steps: Sequence[float], alpha: float) -> CriterionAgreement:
    """People among themselves, and the judge beside them, on one criterion."""
    judged = [one for one in rated if not np.isnan(one.judge)]
    return CriterionAgreement(
        people=among_people(rated, alpha), judge=judge_beside_people(judged, steps, alpha) if judged else None
    )


def among_people(rated: Sequence[Rated], alpha: float) -> AmongPeople | None:
    """How far people agree with each other; None where no two of them rated the same."""
    shared = [one for one in rated if len(one.ratings) >= 2]
    if not shared:
        return None
    ratings, draws = ratings_of(shared), question_draws([one.question for one in shared])
    figures = Figures(draws, alpha)
    return AmongPeople(
        rated=len(shared),
        questions=draws.questions,
        krippendorff_alpha=figures.of(krippendorff_alpha, ratings),
        weighted_kappa=figures.of(mean_kappa, ratings),
        nominal_kappa=figures.of(lambda some: mean_kappa(some, "nominal"), ratings),
        share_equal=figures.of(share_equal, ratings),
    )


def judge_beside_people(judged: Sequence[Rated], steps: Sequence[float], alpha: float) -> JudgeBesidePeople:
    """How far the judge agrees with people, over answers that it scored, at least one."""
    ratings, judge = ratings_of(judged), np.array([one.judge for one in judged])
    people, lengths = np.nanmean(ratings, axis=0), np.array([one.length for one in judged])
    ordered = sorted(steps)
    draws = question_draws([one.question for one in judged])
    figures = Figures(draws, alpha)
    step_of_judge = np.array(ordered)[nearest_steps(judge, ordered)]
    return JudgeBesidePeople(
        answers=len(judged),
        questions=draws.questions,
        weighted_kappa=figures.of(mean_with_each, ratings, judge),
        nominal_kappa=figures.of(lambda some, one: mean_with_each(some, one, "nominal"), ratings, step_of_judge),
        share_equal=figures.of(share_with_each, ratings, step_of_judge),
        rank_correlation=figures.of(rank_correlation, people, judge),
        area_under_curve={
            f"{step:g}": figures.of(area_under_curve, people >= step - 1e-9, judge, by_chance=0.5)
            for step in ordered[1:]
        },
        bias=figures.of(mean_difference, people, judge),
        bias_by_score=[
            ScoreBias(score=one.score, answers=one.answers, bias=round(one.bias, DIGITS))
            for one in bias_by_score(people, judge, ordered)
        ],
        length_effect=figures.of(length_effect, people, judge, lengths),
        steps=ordered,
        confusion=confusion(people, judge, ordered).tolist(),
    )


def pair_agreement(rated: Sequence[Rated], alpha: float) -> PairAgreement | None:
    """People among themselves, and the judge beside them, on which answer of a pair is better; None without pairs."""
    if not rated:
        return None
    judged = [one for one in rated if not np.isnan(one.judge)]
    draws = question_draws([one.question for one in judged])
    figures, ratings = Figures(draws, alpha), ratings_of(judged)
    judge, lengths = (np.array([getattr(one, name) for one in judged]) for name in ("judge", "length"))
    outcomes = (np.sign(judge - 0.5) + 1) / 2
    people = np.nanmean(ratings, axis=0) if judged else judge
    return PairAgreement(
        people=among_people(rated, alpha),
        pairs=len(judged),
        questions=draws.questions,
        share_equal=figures.of(share_with_each, ratings, outcomes) if judged else None,
        nominal_kappa=figures.of(lambda some, one: mean_with_each(some, one, "nominal"), ratings, outcomes),
        favour_of_length=figures.of(favour_of_length, people, judge, lengths) if judged else None,
    )


def order_agreement(orders: BothOrders, alpha: float) -> OrderAgreement | None:
    """The judge of pairs with itself over both orders; None without pairs."""
    if not orders.questions:
        return None
    both = (orders.model_first, orders.baseline_first)
    draws = question_draws(orders.questions)
    figures = Figures(draws, alpha)
    by_question = question_means(zip(orders.questions, (both[0] - both[1]).tolist(), strict=True))
    effect = difference_interval(list(by_question.values()), alpha, PREFERENCE_SCALE)
    return OrderAgreement(
        pairs=len(orders.questions),
        questions=draws.questions,
        consistency=figures.of(order_consistency, *both),
        by_chance=round(consistency_by_chance(*both), DIGITS),
        above_chance=figures.of(consistency_above_chance, *both),
        position_effect=figure(effect.mean, effect.low, effect.high),
    )


@dataclass(frozen=True)
class Figures:
    """Measures with their intervals, all over the same resamples."""

    draws: Draws
    alpha: float

    def of(self, measure: Measure, *values: NDArray[Any], by_chance: float = 0.0) -> Figure | None:
        """A figure as it is recorded; None where it is undefined."""
        found = estimate(measure, values, self.draws, self.alpha, by_chance)
        return None if found is None else figure(found.value, found.low, found.high)


def figure(value: float, low: float | None, high: float | None) -> Figure:
    """A figure as it is recorded; never -0.0."""
    limits = (None if limit is None else round(limit, DIGITS) + 0.0 for limit in (low, high))
    return Figure(value=round(value, DIGITS) + 0.0, low=next(limits), high=next(limits))


def ratings_of(rated: Sequence[Rated]) -> Array:
    """Ratings as an array: a row for each rater, a column for each answer, NaN where a rater gave none."""
    raters = sorted({rater for one in rated for rater in one.ratings})
    return np.array([[one.ratings.get(rater, np.nan) for one in rated] for rater in raters], dtype=np.float64)


def mean_with_each(ratings: Array, judge: Array, weights: Weights = "quadratic") -> float | None:
    """The judge's kappa with each person alone, on average over those with whom it has one."""
    found = [one for row in ratings if (one := kappa(row, judge, weights)) is not None]
    return float(np.mean(found)) if found else None


def share_with_each(ratings: Array, judge: Array) -> float | None:
    """The share of people's ratings that are the judge's own step; None without any."""
    known = ~np.isnan(ratings)
    return float(np.mean((ratings == judge)[known])) if known.any() else None
