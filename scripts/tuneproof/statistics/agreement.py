"""How far two raters agree."""

import numpy as np

from tuneproof.statistics.distributions import Array

ROUNDING = 1e-12  # the variance of equal scores, where binary fractions leave any


def weighted_kappa(one: Array, other: Array) -> float | None:
    """Cohen's kappa with quadratic weights of two judges' scores for the same answers; None where neither varies.

    One minus the mean squared difference by what it would be were the same scores matched at random, so that scores
    between the steps (means, expected scores) need no rounding. On scores that are steps it is the textbook's.
    """
    by_chance = one.var() + other.var() + (one.mean() - other.mean()) ** 2
    if by_chance < ROUNDING:
        return None
    return round(float(1 - np.mean((one - other) ** 2) / by_chance), 9) + 0.0  # never -0.0


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
