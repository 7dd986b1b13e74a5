"""Confidence intervals for one number per question: means of bounded scores, and differences between two models.

The methods were chosen by simulation; docs/statistics.md says which were tried and how well each covers.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.limits.collapses import lower_limit, mean_limits, unseen_share
from tuneproof.statistics.limits.exact_pairs import exact_paired_interval
from tuneproof.statistics.limits.strata import Tasks, has_items_alone, spread_of

Scale = tuple[float, float]  # the lowest and the highest possible score

FEW_QUESTIONS = 30  # below this, coverage was seen to leave 93-97 %
FEW_INFORMATIVE = 10  # the same for questions that lie away from the end of the scale, or differ between the models

SCORE_METHOD = "Wilson score interval with effective sample size"
CONSTANT_METHOD = "Wilson bound for a score never seen"
PAIRED_METHOD = "paired t"
WIDENED_METHOD = "paired t, widened for rare collapses"
EXACT_METHOD = "exact unconditional (McNemar)"
GROUP_METHOD = "t, within the group's tasks"
PAIRED_GROUP_METHOD = "paired t, within the group's tasks"
WIDENED_GROUP_METHOD = "paired t, within the group's tasks, widened for rare collapses"

UNSEEN_ALONE = 0.25  # of the level of a limit that stands alone, for collapses that were never seen
_MAY_MISS = "the interval may miss more often than it says"
_NOTABLE = 0.05  # a limit that is farther from the mean by this share of Student's t is called widened
_ROUNDING = 1e-9  # differences below this, in units of the scale, come from floating point


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence limits, the method behind them, and what a reader should know before trusting them."""

    mean: float
    low: float
    high: float
    method: str
    caution: str | None


def mean_interval(scores: ArrayLike, alpha: float, scale: Scale = (1, 3)) -> Interval:
    """Returns the interval for the mean of bounded scores, one per question, at confidence 1 - alpha.

    Wilson's score interval, in which the number of questions is replaced by the number of yes/no questions that
    would have the standard error observed here (the effective sample size of survey statistics: Franco, Little, Louis
    and Slud 2019, PMC6690503), and z by Student's t. It never leaves the scale, is asymmetric near its ends,
    and for yes/no scores it is Wilson's own interval but for n - 1. It is never narrower than what questions could
    hide that score at the other end and were never seen: fractions that all lie close to an end have hardly a spread,
    and say no more of the questions that were not asked than whole scores do. Scores that are all equal get a bound
    instead, which at an end of the scale is Wilson's interval at 0 or N.

    Args:
        scores: One number per question (its samples and replies averaged), at least one.
        alpha: The share of intervals that may miss.
        scale: The lowest and the highest possible score.

    Raises:
        ValueError: No scores, or one outside the scale.
    """
    values = _checked(scores, scale)
    n, middle, half = len(values), (scale[0] + scale[1]) / 2, (scale[1] - scale[0]) / 2
    centred = (values - middle) / half  # from -1 to 1, so that mirrored scores give mirrored limits to the last bit
    caution = _mean_caution(values, scale)
    if is_constant(centred):
        low, high = _unseen_limits(float(centred[0]), n, alpha)
        return Interval(float(values.mean()), middle + half * low, middle + half * high, CONSTANT_METHOD, caution)
    mean, variance = float(centred.mean()), float(centred.var(ddof=1)) / n
    share = student_t_critical(alpha, n - 1) ** 2 * variance / (1 - mean * mean)  # t^2 / effective sample size
    width = math.sqrt(student_t_critical(alpha, n - 1) ** 2 * variance + share * share)
    unseen = unseen_share(n, alpha)
    low = min((mean - width) / (1 + share), mean - unseen * (mean + 1))
    high = max((mean + width) / (1 + share), mean + unseen * (1 - mean))
    return Interval(float(values.mean()), middle + half * low, middle + half * high, SCORE_METHOD, caution)


def group_interval(scores: Array, tasks: Tasks, weights: Array, alpha: float, scale: Scale) -> Interval:
    """Returns the interval for the mean of a group of tasks at confidence 1 - alpha, by what varies within these.

    Args:
        scores: One number per item, two or more.
        tasks: Each item's task.
        weights: What each item counts, the same within a task, 1 on average.
        alpha: The share of intervals that may miss.
        scale: The lowest and the highest possible score.
    """
    counted = scores * weights
    mean, spread = float(counted.mean()), spread_of(counted, tasks)
    width = student_t_critical(alpha, spread.freedom) * spread.deviation / math.sqrt(len(counted))
    return Interval(mean, max(scale[0], mean - width), min(scale[1], mean + width), GROUP_METHOD, _alone_caution(tasks))


def difference_interval(
    differences: ArrayLike, alpha: float, scale: Scale = (1, 3), tasks: Tasks | None = None
) -> Interval:
    """Returns the interval for the mean of paired differences, one per question, at confidence 1 - alpha.

    Student's paired t, widened where rare collapses ask for it (`collapses.mean_limits`), cut at what the scale allows.
    Where every difference is 0 or the whole scale (two-step criteria with one sample) the exact interval of
    `exact_paired_interval`. With the items' `tasks`, where they are a group's, t by what varies within the tasks alone;
    each difference is then as it counts, and `scale` as wide as one can be.

    Raises:
        ValueError: No differences, or one larger than the scale.
    """
    span = scale[1] - scale[0]
    values = _checked(differences, (-span, span))
    n, mean, caution = len(values), float(values.mean()), _difference_caution(values, span)
    if tasks is None and is_two_step(values, span):
        low, high = exact_paired_interval(*_better_and_worse(values, span), n, alpha)
        return Interval(mean, span * low, span * high, EXACT_METHOD, caution)
    if is_constant(values / span):
        values = np.full(n, mean)  # what floating point left is no spread
    low, high = mean_limits(values, alpha, span, tasks)
    width = 0.0
    if n > 1:
        spread = spread_of(values, tasks)
        width = student_t_critical(alpha, spread.freedom) * spread.deviation / math.sqrt(n)
    widened = max(mean - low, high - mean) > (1 + _NOTABLE) * width
    if tasks is None:
        return Interval(mean, low, high, WIDENED_METHOD if widened else PAIRED_METHOD, caution)
    method = WIDENED_GROUP_METHOD if widened else PAIRED_GROUP_METHOD
    return Interval(mean, low, high, method, caution or _alone_caution(tasks))


def one_sided_limits(
    differences: ArrayLike, alpha: float, scale: Scale = (1, 3), tasks: Tasks | None = None
) -> tuple[float, float]:
    """Returns the lower and the upper limit of a mean paired difference, each alone at confidence 1 - alpha.

    By the methods of `difference_interval`. A limit that stands alone takes the share that was never seen at a quarter
    of its level: where several collapses are to be expected, Student's t needs nearly all of it.
    """
    span = scale[1] - scale[0]
    values = _checked(differences, (-span, span))
    if tasks is None and is_two_step(values, span):
        low, high = exact_paired_interval(*_better_and_worse(values, span), len(values), 2 * alpha)
        return span * low, span * high
    low, high = (lower_limit(one, alpha, UNSEEN_ALONE * alpha, span, tasks) for one in (values, -values))
    return low, 0.0 - high


def wilson_interval(successes: int, n: int, alpha: float) -> tuple[float, float]:
    """Returns Wilson's interval for a share, the one to use for counts such as coverage (Wilson 1927)."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is not a share")
    z2_over_n = _normal_critical(alpha) ** 2 / n
    centred = 2 * successes / n - 1
    width = math.sqrt(z2_over_n * (1 - centred**2) + z2_over_n**2)
    low, high = (centred - width) / (1 + z2_over_n), (centred + width) / (1 + z2_over_n)
    return (0.0 if successes == 0 else (1 + low) / 2), (1.0 if successes == n else (1 + high) / 2)


def is_constant(values: Array) -> bool:
    """Whether all values are equal up to floating point, so that they say nothing about their spread."""
    return bool(np.ptp(values) <= _ROUNDING)


def is_two_step(differences: Array, span: float) -> bool:
    """Whether every difference is 0 or the whole scale up or down."""
    steps = np.abs(differences) / span
    return bool(np.all((steps <= _ROUNDING) | (steps >= 1 - _ROUNDING)))


def _better_and_worse(differences: Array, span: float) -> tuple[int, int]:
    """How many differences are the whole scale up, and down."""
    return int(np.sum(differences > span / 2)), int(np.sum(differences < -span / 2))


def _checked(values: ArrayLike, scale: Scale) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError("an interval needs one number per question, and at least one question")
    slack = _ROUNDING * (scale[1] - scale[0])
    if not np.all((array >= scale[0] - slack) & (array <= scale[1] + slack)):  # NaN fails this too
        raise ValueError(f"values outside the scale {scale[0]} to {scale[1]}")
    return array


def _normal_critical(alpha: float) -> float:
    return -NormalDist().inv_cdf(alpha / 2)


def _unseen_limits(value: float, n: int, alpha: float) -> tuple[float, float]:
    """For n equal values between -1 and 1: as far as the share of others that Wilson allows at 0 of n could move it."""
    share = wilson_interval(0, n, alpha)[1]
    return value - share * (value + 1), value + share * (1 - value)


def _mean_caution(values: Array, scale: Scale) -> str | None:
    n, span = len(values), scale[1] - scale[0]
    below = int(np.sum(values < scale[1] - _ROUNDING * span))
    above = int(np.sum(values > scale[0] + _ROUNDING * span))
    away, end = min((below, "below the highest"), (above, "above the lowest"))
    if away < FEW_INFORMATIVE:
        found = f"only {away} of {n} questions score {end} score" if away else f"no question of {n} scores {end} score"
        return f"{found}: {_MAY_MISS}"
    return _few_caution(n)


def _difference_caution(values: Array, span: float) -> str | None:
    n, differing = len(values), int(np.sum(np.abs(values) > _ROUNDING * span))
    if differing < FEW_INFORMATIVE:
        return f"{f'only {differing}' if differing else 'none'} of {n} questions differ: {_MAY_MISS}"
    return _few_caution(n)


def _few_caution(n: int) -> str | None:
    return f"only {n} questions: {_MAY_MISS}" if n < FEW_QUESTIONS else None


def _alone_caution(tasks: Tasks) -> str | None:
    if not has_items_alone(tasks):
        return None
    return "tasks with one item alone are taken as one, so the interval is rather too wide: raise limit"
