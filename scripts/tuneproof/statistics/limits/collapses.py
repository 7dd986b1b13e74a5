"""Limits for a mean gain that hold where a model is a little better on most questions and collapses on a few.

A collapse is rare, so a sample holds none or few of them: Student's t then takes the spread for smaller, and the
distribution for more even, than it is. Two bounds mend that. docs/statistics.md says what else was tried.
"""

import math

import numpy as np

from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.limits.strata import Tasks, spread_of

_EVEN = 1e-9  # a skewness below this corrects nothing
# Of a question that collapsed wholly, in the skewness alone: where one or two of several to be expected were seen, the
# gains' own skewness hides theirs. Without it families of two are wrong in 6.5 % of the worst worlds, with it in 5.6.
_EXPECTED_COLLAPSE = 0.25


def mean_limits(differences: Array, level: float, span: float, tasks: Tasks | None = None) -> tuple[float, float]:
    """Returns the two-sided limits of a mean difference at `level`, within -span to span; of a group by its `tasks`.

    Each is the farthest of three: Student's t, its form corrected for skewness (Hall 1992, doi:10.1214/aos/1176348662,
    inverted), and what a share of questions could hide that collapses wholly and was never seen. That share is taken
    at the whole level on both sides: a world that fools one limit by it cannot fool the other.
    """
    low, turned = (lower_limit(one, level / 2, level, span, tasks) for one in (differences, -differences))
    return low, 0.0 - turned


def lower_limit(differences: Array, tail: float, unseen: float, span: float, tasks: Tasks | None = None) -> float:
    """Returns the lower limit of a mean difference.

    Args:
        differences: One per question, from -span to span.
        tail: The chance that Student's t, and its form corrected for skewness, may lie too high.
        unseen: The chance that a share of questions which collapse wholly shows in none of these.
        span: The width of the scale.
        tasks: Each item's task, where they are of a group of tasks: only what varies within these is an error.
    """
    n, mean = len(differences), float(differences.mean())
    hidden = unseen_share(n, unseen)
    limits = [-span, mean - hidden * (mean + span)]
    if n > 1:
        spread, skewness = spread_of(differences, tasks), 0.0
        if spread.deviation > 0:
            skewness = skewness_with_a_collapse(spread.residuals, mean + span, spread.deviation) / math.sqrt(n)
        errors = standard_errors(skewness, 2 * tail, spread.freedom)
        limits[1] = min(limits[1], mean - errors * spread.deviation / math.sqrt(n))
    return max(limits)


def skewness_with_a_collapse(centred: Array, depth: float, deviation: float) -> float:
    """The skewness of differences less their mean, with part of a question that lies `depth` below it."""
    return float(np.mean((centred / deviation) ** 3)) - _EXPECTED_COLLAPSE * (depth / deviation) ** 3 / len(centred)


def standard_errors(skewness: float, level: float, freedom: float) -> float:
    """How many standard errors below the mean the limit lies; `skewness` is divided by sqrt(n). Never below t's own."""
    t = student_t_critical(level, freedom)
    if abs(skewness) < _EVEN:
        return t
    return max(t, 3 / skewness * (float(np.cbrt(1 + skewness * (t - skewness / 6))) - 1))


def unseen_share(n: int, chance: float) -> float:
    """The share of all questions of which none is among n with this chance."""
    return float(-np.expm1(math.log(chance) / n))


def questions_to_exclude(gain: float, level: float, span: float) -> int:
    """How many questions show a gain at all: fewer cannot exclude that a collapse never seen takes all of it back."""
    return math.ceil(math.log(1 / level) / math.log1p(abs(gain) / span))


def smallest_shown(n: int, level: float, span: float) -> float:
    """The smallest gain that n questions can show, as `questions_to_exclude` counts them."""
    return span * math.expm1(math.log(1 / level) / n)


def collapsed(model: Array, baseline: Array, low: float, step: float) -> Array:
    """Which scores fell by a whole step, or by half of one or more to where the lowest is the nearest step.

    1 or 0, NaN where either is missing. Single replies fall by whole steps; means of several, and scores weighed by
    probabilities, seldom reach the lowest score itself, and a hair above it is no fall.

    Args:
        model: Scores of any shape.
        baseline: What each is compared with, in the same shape.
        low: The lowest score.
        step: How far apart two neighbouring scores are.
    """
    slack, fall = 1e-9 * step, baseline - model
    fell = (fall >= step - slack) | ((fall >= step / 2 - slack) & (model <= low + step / 2 + slack))
    return np.where(np.isnan(model) | np.isnan(baseline), np.nan, fell.astype(np.float64))
