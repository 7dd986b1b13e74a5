"""From scores per question to verdicts: paired differences, simultaneous intervals, what was and could be shown.

The question is the sampling unit everywhere: samples, judge replies and orders of one question are averaged first.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import numpy as np

from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.intervals import EXACT_METHOD, Interval, Scale, difference_interval, is_constant
from tuneproof.statistics.limits.collapses import questions_to_exclude, smallest_shown
from tuneproof.statistics.limits.strata import spread_of

Verdict = Literal["better", "worse", "undecided"]
Overall = Literal["better", "worse", "mixed", "undecided", "too few"]
Key = TypeVar("Key")

POWER = 0.8  # the usual convention for the smallest difference that could have been shown

NO_GROUPS: Mapping[Any, Array] = MappingProxyType({})

_SEED = 20_240_404  # of the draws behind the simultaneous level; fixed, so that the same scores give the same numbers
_DRAWS = 100_000  # puts the critical value within 0.5 %


@dataclass(frozen=True)
class Difference:
    """A model minus the baseline on one criterion, over the questions scored in both.

    `interval` holds at `level`, which is smaller than decision.alpha by what looking at several comparisons costs.
    `smallest_detectable` is the true difference that so many questions would have shown in 80 % of repeats,
    `questions_needed` how many would show the observed difference as often; None where the scores cannot say.
    """

    interval: Interval
    questions: int
    level: float
    verdict: Verdict
    smallest_detectable: float | None
    questions_needed: int | None


@dataclass(frozen=True)
class MissingBounds:
    """The mean difference and its verdict if every missing score were the worst or the best for the model."""

    questions: int
    missing: int
    worst: float
    best: float
    verdict_if_worst: Verdict
    verdict_if_best: Verdict
    could_change_verdict: bool


def question_means(scores: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    """Averages (question id, score) pairs into one number per question; None is unscored and left out."""
    gathered: dict[str, list[float]] = {}
    for question, score in scores:
        if score is not None:
            gathered.setdefault(question, []).append(score)
    return {question: math.fsum(values) / len(values) for question, values in gathered.items()}


def in_order(scores: Mapping[str, float], questions: Iterable[str]) -> Array:
    """Scores by question id as an array in the order of `questions`, NaN where there is none."""
    return np.array([scores.get(question, math.nan) for question in questions], dtype=np.float64)


def simultaneous_differences(
    differences: Mapping[Key, Array],
    alpha: float,
    scales: Mapping[Key, Scale],
    tasks: Mapping[Key, Array] = NO_GROUPS,
) -> dict[Key, Difference]:
    """Compares every model with the baseline on every criterion; all intervals hold together at 1 - alpha.

    Args:
        differences: Per comparison, model minus baseline for the same questions in the same order, NaN where not
            scored in both.
        alpha: The chance of one or more false verdicts in the whole family.
        scales: Per comparison, the lowest and highest possible score.
        tasks: Per comparison of a group of tasks, the number of each item's task beside its difference.

    Returns:
        The comparisons in the same order, without those that have no question scored in both.
    """
    family = {key: values for key, values in differences.items() if not np.all(np.isnan(values))}
    level = simultaneous_level([errors_of(values, tasks.get(key)) for key, values in family.items()], alpha)
    compared = {key: one_difference(values, level, scales[key], tasks.get(key)) for key, values in family.items()}
    return {key: difference for key, difference in compared.items() if difference is not None}


def simultaneous_level(differences: Sequence[Array], alpha: float) -> float:
    """Returns the level for each comparison at which all hold together at `alpha` (single-step max-t).

    The comparisons share questions and the baseline, so their errors are correlated and Bonferroni's alpha / number
    is needlessly strict. With their correlations estimated, the level is read from the largest of correlated normal
    draws (Hothorn, Bretz and Westfall 2008, doi:10.1002/bimj.200810425). It lies between alpha / number and alpha.
    """
    if len(differences) < 2:
        return alpha
    values, vectors = np.linalg.eigh(_correlations(differences))
    largest = np.abs((vectors * np.sqrt(np.maximum(values, 0))) @ _normal_draws(len(differences))).max(axis=0)
    # Rounded up, so that the last bits of another machine's linear algebra change nothing.
    critical = math.ceil(float(np.quantile(largest, 1 - alpha)) * 1000) / 1000
    return min(max(2 * NormalDist().cdf(-critical), alpha / len(differences)), alpha)


def verdict(low: float, high: float) -> Verdict:
    """Reads better, worse or undecided from the limits of a difference; a limit of exactly 0 decides nothing."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "undecided"


def overall_verdict(verdicts: Iterable[Verdict], questions: int, min_questions: int) -> Overall:
    """Combines the criteria: better on at least one and worse on none is better, likewise worse; both is mixed."""
    if questions < min_questions:
        return "too few"
    seen = set(verdicts) - {"undecided"}
    if len(seen) == 2:
        return "mixed"
    return seen.pop() if seen else "undecided"


def smallest_detectable(standard_deviation: float, questions: int, level: float) -> float:
    """Returns the true difference that so many questions, two or more, show in 80 % of repeats (within 1 % from 30)."""
    errors = student_t_critical(level, questions - 1) + NormalDist().inv_cdf(POWER)
    return errors * standard_deviation / math.sqrt(questions)


def questions_needed(difference: float, standard_deviation: float, level: float) -> int:
    """Returns how many questions show this difference in 80 % of repeats (Guenther 1981, American Statistician 35)."""
    critical = NormalDist().inv_cdf(1 - level / 2)
    by_normal = ((critical + NormalDist().inv_cdf(POWER)) * standard_deviation / difference) ** 2
    return math.ceil(by_normal + critical**2 / 2)


def missing_bounds(model: Array, baseline: Array, level: float, scale: Scale = (1, 3)) -> MissingBounds:
    """Fills every missing score with the worst and with the best for the model and compares again (Manski bounds).

    Both have a score for each question, in the same order and NaN where it is missing; at least one question is needed.
    `level` is the level of the interval that was shown (`Difference.level`).
    """
    lowest, highest = scale
    worst, best = (
        np.where(np.isnan(model), for_model, model) - np.where(np.isnan(baseline), for_baseline, baseline)
        for for_model, for_baseline in ((lowest, highest), (highest, lowest))
    )
    at_worst, at_best = difference_interval(worst, level, scale), difference_interval(best, level, scale)
    shown = one_difference(model - baseline, level, scale)
    if_worst, if_best = verdict(at_worst.low, at_worst.high), verdict(at_best.low, at_best.high)
    return MissingBounds(
        questions=len(model),
        missing=len(model) - (shown.questions if shown else 0),
        worst=at_worst.mean,
        best=at_best.mean,
        verdict_if_worst=if_worst,
        verdict_if_best=if_best,
        could_change_verdict=shown is None or {if_worst, if_best} != {shown.verdict},
    )


def mean_bounds(mean: float, scored: int, questions: int, scale: Scale = (1, 3)) -> tuple[float, float]:
    """Returns the mean over all questions if every unscored one had the lowest and the highest score."""
    low, high = ((mean * scored + end * (questions - scored)) / questions for end in scale)
    return low, high


def errors_of(values: Array, tasks: Array | None) -> Array:
    """What of differences makes the error of their mean: all of them, or in a group of tasks what is not its task's."""
    scored = ~np.isnan(values)
    if tasks is None or scored.sum() < 2:
        return values
    errors = values.copy()
    errors[scored] = spread_of(values[scored], tasks[scored]).residuals
    return errors


def one_difference(values: Array, level: float, scale: Scale, tasks: Array | None = None) -> Difference | None:
    """One comparison at its own level; None where no question is scored in both (NaN)."""
    known = ~np.isnan(values)
    scored, tasks = values[known], None if tasks is None else tasks[known]
    if scored.size == 0:
        return None
    interval = difference_interval(scored, level, scale, tasks)
    spread = None if is_constant(scored) else spread_of(scored, tasks).deviation or None
    detectable = None if spread is None else smallest_detectable(spread, len(scored), level)
    needed = None if not spread or not interval.mean else questions_needed(interval.mean, spread, level)
    if interval.method != EXACT_METHOD:  # which knows of no collapse that is more than one of its steps
        span = scale[1] - scale[0]
        detectable = detectable and max(detectable, smallest_shown(len(scored), level, span))
        needed = needed and max(needed, questions_to_exclude(interval.mean, level, span))
    return Difference(
        interval=interval,
        questions=len(scored),
        level=level,
        verdict=verdict(interval.low, interval.high),
        smallest_detectable=detectable,
        questions_needed=needed,
    )


@cache
def _normal_draws(comparisons: int) -> Array:
    """A row for each comparison."""
    return np.ascontiguousarray(np.random.default_rng(_SEED).standard_normal((_DRAWS, comparisons)).T)


def _correlations(differences: Sequence[Array]) -> Array:
    """The correlations of the mean differences; questions missing in either count 0, which keeps the matrix valid."""
    centred = np.stack([np.where(np.isnan(values), 0.0, values - np.nanmean(values)) for values in differences])
    sizes = np.sqrt(np.sum(centred**2, axis=1))
    unit = centred / np.where(sizes > 0, sizes, 1.0)[:, None]
    correlations = unit @ unit.T
    np.fill_diagonal(correlations, 1.0)
    return np.asarray(correlations)
