"""Intervals for figures of agreement: a bootstrap of whole questions, since answers to one are not independent."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.statistics.limits.collapses import unseen_share

Places = NDArray[np.int64]
Measure = Callable[..., float | None]

MOST_DRAWS, FEWEST_DRAWS = 500, 200
_DRAWN_ANSWERS = 1_000_000  # over all draws: with many answers fewer draws tell as much, and need less memory
SEED = 20_261_126  # fixed, so that the same ratings give the same numbers
_NO_SPREAD = 1e-9
_LEAST_DEFINED = 0.9  # of the draws; a figure that most resamples cannot give has no interval


@dataclass(frozen=True)
class Estimate:
    """A figure with its confidence limits, which are None where the ratings cannot give any."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Draws:
    """Resamples of whole questions, as places of their answers."""

    questions: int
    places: list[Places]


def question_draws(questions: Sequence[Hashable]) -> Draws:
    """Draws resamples, 500 and fewer of very many answers; `questions` names the question of each answer."""
    draws = min(max(_DRAWN_ANSWERS // max(len(questions), 1), FEWEST_DRAWS), MOST_DRAWS)
    numbers: dict[Hashable, int] = {}
    of_answer = np.array([numbers.setdefault(question, len(numbers)) for question in questions], dtype=np.int64)
    order = np.argsort(of_answer, kind="stable")
    ends = np.cumsum(np.bincount(of_answer, minlength=len(numbers)))
    groups = np.split(order, ends[:-1]) if len(numbers) else []
    chosen = np.random.default_rng(SEED).integers(0, max(len(groups), 1), (draws, len(groups)))
    return Draws(len(groups), [np.concatenate([groups[one] for one in row]) for row in chosen if groups])


def estimate(
    measure: Measure, values: Sequence[NDArray[Any]], draws: Draws, alpha: float = 0.05, by_chance: float = 0.0
) -> Estimate | None:
    """A figure with its percentile interval over resamples of the questions; None where it is undefined.

    Where no resample differs, as in perfect agreement, the interval reaches as far towards what chance gives as a
    share of questions allows that agree by chance and were never seen (`unseen_share`).

    Args:
        measure: Takes the values and gives the figure.
        values: Arrays whose last axis are the answers.
        draws: Resamples of the questions of these answers.
        alpha: The share of intervals that may miss.
        by_chance: What the figure is without any agreement.
    """
    value = measure(*values)
    if value is None:
        return None
    found = [one for places in draws.places if (one := measure(*(v[..., places] for v in values))) is not None]
    if not draws.places or len(found) < _LEAST_DEFINED * len(draws.places):
        return Estimate(value, None, None)
    low, high = (float(limit) for limit in np.quantile(found, [alpha / 2, 1 - alpha / 2]))
    if high - low < _NO_SPREAD:
        end = value - unseen_share(draws.questions, alpha) * (value - by_chance)
        low, high = min(low, end), max(high, end)
    return Estimate(value, low, high)
