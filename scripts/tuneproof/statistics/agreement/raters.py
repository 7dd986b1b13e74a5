"""Agreement above chance between raters whose ratings are exchangeable, such as people's.

Ratings are an array with a row for each rater and a column for each answer; NaN where a rater gave none.
"""

from itertools import combinations
from typing import Literal

import numpy as np

from tuneproof.statistics.distributions import Array

Level = Literal["nominal", "ordinal", "interval"]
Weights = Literal["nominal", "linear", "quadratic"]

ROUNDING = 1e-12  # what chance gives where all scores are equal, but for what binary fractions leave


def krippendorff_alpha(ratings: Array, level: Level = "ordinal") -> float | None:
    """Krippendorff's alpha of any number of raters with any ratings missing; None where nothing varies, or is shared.

    One minus the observed disagreement within answers by what the same ratings would have matched at random
    (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011). `ordinal` counts how many ratings lie between
    two steps, `interval` their squared distance, `nominal` only whether they are the same.
    """
    counts, values = _value_counts(ratings)
    within = counts.sum(axis=0)
    counts, within = counts[:, within >= 2], within[within >= 2]
    if within.size == 0:
        return None
    shares = counts / (within - 1)
    coincidences = shares @ counts.T - np.diag(shares.sum(axis=1))
    totals = coincidences.sum(axis=1)
    distances = _distances(values, totals, level)
    by_chance = float(totals @ distances @ totals) / (totals.sum() - 1)
    if by_chance < ROUNDING:
        return None
    return _clean(1 - float((coincidences * distances).sum()) / by_chance)


def kappa(one: Array, other: Array, weights: Weights = "quadratic") -> float | None:
    """Cohen's kappa of two raters over the answers that both rated; None where neither varies, or nothing is shared.

    Weights count distances between the scores themselves. On steps that are evenly spaced this is the textbook's kappa;
    scores between the steps (means, expected scores) need no rounding.
    """
    known = ~np.isnan(one) & ~np.isnan(other)
    one, other = one[known], other[known]
    if one.size == 0:
        return None
    if weights == "quadratic":
        by_chance = float(one.var() + other.var() + (one.mean() - other.mean()) ** 2)
        observed = float(np.mean((one - other) ** 2))
    else:
        values, places = np.unique(np.concatenate([one, other]), return_inverse=True)
        shares = [np.bincount(side, minlength=len(values)) / one.size for side in np.split(places, 2)]
        distances = np.abs(values[:, None] - values[None, :])
        if weights == "nominal":
            distances = (distances > 0).astype(np.float64)
        by_chance = float(shares[0] @ distances @ shares[1])
        observed = float(np.mean(np.abs(one - other) if weights == "linear" else one != other))
    return None if by_chance < ROUNDING else _clean(1 - observed / by_chance)


def weighted_kappa(one: Array, other: Array) -> float | None:
    """Cohen's kappa with quadratic weights of two raters' scores for the same answers; None where neither varies."""
    return kappa(one, other, "quadratic")


def mean_kappa(ratings: Array, weights: Weights = "quadratic") -> float | None:
    """The mean kappa over all pairs of raters, each on the answers that both rated; None where no pair has one."""
    found = [one for pair in combinations(ratings, 2) if (one := kappa(*pair, weights)) is not None]
    return float(np.mean(found)) if found else None


def fleiss_kappa(ratings: Array) -> float | None:
    """Fleiss' kappa (nominal) over the answers that every rater rated; None where nothing varies, or is shared."""
    counts, _ = _value_counts(ratings[:, ~np.isnan(ratings).any(axis=0)])
    raters = ratings.shape[0]
    if raters < 2 or counts.size == 0:
        return None
    observed = float(np.mean((counts**2).sum(axis=0) - raters)) / (raters * (raters - 1))
    by_chance = float(np.sum(counts.mean(axis=1) ** 2)) / raters**2
    return None if 1 - by_chance < ROUNDING else _clean((observed - by_chance) / (1 - by_chance))


def share_equal(ratings: Array) -> float | None:
    """The share of pairs of ratings of one answer that are the same; None where no answer has two."""
    counts, _ = _value_counts(ratings)
    within = counts.sum(axis=0)
    pairs = float(np.sum(within * (within - 1)))
    return float(np.sum(counts * (counts - 1))) / pairs if pairs else None


def _value_counts(ratings: Array) -> tuple[Array, Array]:
    """How often each value was given, a row for each value and a column for each answer, and the values in order."""
    values = np.unique(ratings[~np.isnan(ratings)])
    return np.array([(ratings == value).sum(axis=0) for value in values], dtype=np.float64).reshape(
        len(values), ratings.shape[1]
    ), values


def _distances(values: Array, totals: Array, level: Level) -> Array:
    """The squared distance of every two values."""
    if level == "nominal":
        return 1 - np.eye(len(values))
    # Ordinal: the middle of each value's ratings in the order of all of them.
    positions = values if level == "interval" else np.cumsum(totals) - totals / 2
    return np.asarray((positions[:, None] - positions[None, :]) ** 2)


def _clean(value: float) -> float:
    """A figure without what binary fractions leave, and never -0.0."""
    return round(value, 9) + 0.0
