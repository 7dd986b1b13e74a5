"""Preferences between two answers: a judge with itself in both orders against chance, and beside people.

A preference lies from 0 (the baseline's answer) over 0.5 (a tie) to 1 (the model's answer).
"""

import numpy as np

from tuneproof.statistics.agreement.raters import ROUNDING
from tuneproof.statistics.distributions import Array


def order_consistency(model_first: Array, baseline_first: Array) -> float:
    """The share of pairs with the same winner, or a tie, in both orders."""
    return float(np.mean(np.sign(model_first - 0.5) == np.sign(baseline_first - 0.5)))


def consistency_by_chance(model_first: Array, baseline_first: Array) -> float:
    """What consistency a judge would have that took first place, second place or a tie as often, and read nothing.

    One half at most unless it calls ties: 0 for one that always prefers the first.
    """
    first = float(np.mean(np.concatenate([model_first > 0.5, baseline_first < 0.5])))
    second = float(np.mean(np.concatenate([model_first < 0.5, baseline_first > 0.5])))
    return 2 * first * second + (1 - first - second) ** 2


def consistency_above_chance(model_first: Array, baseline_first: Array) -> float | None:
    """Consistency over both orders corrected for chance: 1 always the same, 0 as one that reads nothing.

    None where all are ties. A model that wins every pair in both orders is consistent, and no chance: which place
    the winner had is what chance is taken from.
    """
    by_chance = consistency_by_chance(model_first, baseline_first)
    if 1 - by_chance < ROUNDING:
        return None
    return (order_consistency(model_first, baseline_first) - by_chance) / (1 - by_chance)


def position_effect(model_first: Array, baseline_first: Array) -> float:
    """How much being shown first helps: 1 if the first answer always wins, 0 if order is nothing, -1 if last."""
    return float(np.mean(model_first - baseline_first))


def share_of_same_winner(people: Array, judge: Array) -> float:
    """The share of pairs in which both prefer the same answer, or neither any."""
    return float(np.mean(np.sign(people - 0.5) == np.sign(judge - 0.5)))


def favour_of_length(people: Array, judge: Array, length_differences: Array) -> float | None:
    """How much more the judge prefers the longer answer than people do, in shares of a win; None without lengths.

    `length_differences` are the model's answer less the baseline's.
    """
    unequal = ~np.isnan(length_differences) & (length_differences != 0)
    if not unequal.any():
        return None
    return float(np.mean(((judge - people) * np.sign(length_differences))[unequal]))
