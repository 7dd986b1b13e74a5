"""A judge's scores beside people's for the same answers: order, level, and where they differ.

People's score of an answer is the mean of their ratings. Scores are arrays with an entry for each answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneproof.statistics.distributions import Array


@dataclass(frozen=True)
class ScoreBias:
    """How much higher the judge scores than people do, over the answers that people gave about this score."""

    score: float
    answers: int
    bias: float


def rank_correlation(first: Array, second: Array) -> float | None:
    """Spearman's rank correlation over what is known in both, ties sharing a rank; None where it is undefined."""
    known = ~np.isnan(first) & ~np.isnan(second)
    ranked = [ranks(values[known]) for values in (first, second)]
    if known.sum() < 3 or any(np.ptp(values) == 0 for values in ranked):
        return None
    return float(np.corrcoef(ranked[0], ranked[1])[0, 1])


def ranks(values: Array) -> Array:
    """Ranks from 1, ties sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse])


def area_under_curve(reached: NDArray[np.bool_], scores: Array) -> float | None:
    """The area under the ROC curve: how often an answer that reached something scores higher than one that did not.

    Equal scores count half. None where all reached it, or none did.
    """
    above, below = int(reached.sum()), int((~reached).sum())
    if not above or not below:
        return None
    return float((ranks(scores)[reached].sum() - above * (above + 1) / 2) / (above * below))


def mean_difference(people: Array, judge: Array) -> float:
    """How much higher the judge scores than people do, on average."""
    return float(np.mean(judge - people))


def share_of_same_step(people: Array, judge: Array, steps: Sequence[float]) -> float:
    """The share of answers for which both scores lie nearest to the same step of the scale."""
    return float(np.mean(nearest_steps(people, steps) == nearest_steps(judge, steps)))


def bias_by_score(people: Array, judge: Array, steps: Sequence[float]) -> list[ScoreBias]:
    """The judge's bias at each step of people's scores; without the steps that nobody gave."""
    given, found = nearest_steps(people, steps), []
    for place, step in enumerate(sorted(steps)):
        there = given == place
        if there.any():
            found.append(ScoreBias(step, int(there.sum()), mean_difference(people[there], judge[there])))
    return found


def confusion(people: Array, judge: Array, steps: Sequence[float]) -> NDArray[np.int64]:
    """How many answers have which scores: a row for each step as people gave it, a column for each as the judge did."""
    table = np.zeros((len(steps), len(steps)), dtype=np.int64)
    np.add.at(table, (nearest_steps(people, steps), nearest_steps(judge, steps)), 1)
    return table


def nearest_steps(scores: Array, steps: Sequence[float]) -> NDArray[np.int64]:
    """The place, in ascending order, of the step that each score lies nearest to; halfway counts for the lower one."""
    ordered = np.array(sorted(steps))
    return np.asarray(np.abs(scores[:, None] - ordered).argmin(axis=1), dtype=np.int64)


def length_effect(people: Array, judge: Array, lengths: Array) -> float | None:
    """Whether the judge likes longer answers more than people do: the rank correlation of its bias with length."""
    return rank_correlation(judge - people, lengths)
