"""The exact interval for how much more often a model is better than worse, where an answer can only be right or wrong.

McNemar's conditional test keeps its level for every number of pairs that differ, and so stays well below it over all:
it has up to 13 points less power than a t test. The exact test over all pairs rejects from a threshold for McNemar's z
whose level is taken over all tables (Suissa and Shuster 1991, Biometrics 47, 361). That only the likely shares of
differing pairs are searched, and paid for with a little of the level, frees it of the unlikely ones (Berger and Boos
1994, doi:10.1080/01621459.1994.10476836); Berger and Sidik (2003, Statistical Methods in Medical Research 12, 91) found
no more powerful exact test.
"""

import math
from functools import cache

import numpy as np

from tuneproof.statistics.distributions import Array, beta_cdf, beta_density, beta_quantile

_PENALTY = 0.02  # of the level: the chance that the share of differing pairs is none of those searched
_SHARES = 200  # searched
_MOST_DIFFERING = 2_000  # beyond, the conditional test has nearly all of its level
_THRESHOLD_HALVINGS = 40
_DEVIATIONS = 8.0  # hold all of a binomial distribution but 1e-15
_ROUNDING = 1e-9
_BESIDE_ZERO = 0.005  # of sqrt(differing) pairs: a true difference so small costs less of the level than the penalty

_GRID_POINTS = 4_000
_HALVINGS = 40  # from a width of 1 to 1e-12


def exact_paired_interval(better: int, worse: int, n: int, alpha: float) -> tuple[float, float]:
    """Returns the interval for P(better) - P(worse) over n pairs, which excludes 0 just when the exact test does.

    Fay and Lumbard 2021 (doi:10.1002/sim.8829): Clopper-Pearson confidence distributions of the share of pairs that
    differ and of the share of those that are better, melded; two-sided and central. Where the exact test excludes 0 and
    the melded limit does not, the limit is a little beside 0.
    """
    return _low(better, worse, n, alpha / 2), 0.0 - _low(worse, better, n, alpha / 2)


@cache
def exact_threshold(differing: int, n: int, tail: float) -> float:
    """Returns the z = (better - worse) / sqrt(differing) from which the one-sided exact test rejects at level `tail`.

    The smallest z with P(McNemar's z or more) + penalty <= tail whatever the share of differing pairs within its
    Clopper-Pearson interval, at 1 - penalty, around the one observed.
    """
    penalty = _PENALTY * tail
    lowest = beta_quantile(penalty / 2, differing, n - differing + 1)
    highest = beta_quantile(1 - penalty / 2, differing + 1, n - differing)
    shares = np.clip(np.linspace(lowest, highest, _SHARES), 1e-12, 1 - 1e-12)
    numbers = _likely_numbers(n, lowest, highest)
    chances, tails = _chances(numbers, n, shares), _upper_tails(numbers)
    refused, accepted = 0.0, math.sqrt(n) + 1.0
    for _ in range(_THRESHOLD_HALVINGS):
        z = (refused + accepted) / 2
        holds = float((chances @ _tail_at(tails, numbers, _fewest(z, numbers))).max()) + penalty <= tail
        refused, accepted = (refused, z) if holds else (z, accepted)
    return accepted


def exact_test_rejects(better: int, worse: int, n: int, tail: float) -> bool:
    """Returns whether the one-sided exact test finds better more likely than worse at level `tail`."""
    differing = better + worse
    if better <= worse:
        return False
    if differing > _MOST_DIFFERING:
        return bool(beta_cdf(0.5, better, worse + 1) < tail)  # McNemar's conditional test
    return bool(better >= _fewest(exact_threshold(differing, n, tail), np.array([differing]))[0])


def _fewest(z: float, differing: Array) -> Array:
    """The fewest better pairs, among so many that differ, with this z or more."""
    return np.asarray(np.ceil((differing + z * np.sqrt(differing)) / 2 - _ROUNDING))


def _tail_at(tails: Array, coins: Array, heads: Array) -> Array:
    """P(so many heads or more), for each number of coins, out of `_upper_tails`."""
    places = np.maximum(heads - np.ceil(coins / 2), 0).astype(int)
    beyond = places >= tails.shape[1]
    return np.where(beyond, 0.0, tails[np.arange(len(coins)), np.where(beyond, 0, places)])


def _likely_numbers(n: int, lowest: float, highest: float) -> Array:
    """Every number of differing pairs, from 1, that is likely while their share lies between these two."""
    low, high = (_DEVIATIONS * math.sqrt(n * share * (1 - share)) + _DEVIATIONS**2 for share in (lowest, highest))
    return np.arange(max(1, math.floor(n * lowest - low)), min(n, math.ceil(n * highest + high)) + 1.0)


def _chances(numbers: Array, n: int, shares: Array) -> Array:
    """P(so many of n pairs differ), a row for each share of pairs that differ."""
    ways = np.array([math.lgamma(n + 1) - math.lgamma(m + 1) - math.lgamma(n - m + 1) for m in numbers])
    return np.asarray(np.exp(ways + np.outer(np.log(shares), numbers) + np.outer(np.log1p(-shares), n - numbers)))


def _upper_tails(numbers: Array) -> Array:
    """P(so many heads or more) of fair coins: a row for each number of coins, from half of them upwards."""
    coins = numbers.astype(int)[:, None]
    widest = math.ceil(_DEVIATIONS * math.sqrt(numbers[-1]) / 2) + 2
    heads = (coins + 1) // 2 + np.arange(widest)
    possible = heads <= coins
    taken = np.where(possible, heads, 0)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, numbers[-1] + 1)))])  # their logarithms
    ways = factorials[coins] - factorials[taken] - factorials[coins - taken]
    chances = np.where(possible, np.exp(ways - coins * math.log(2)), 0.0)
    return np.asarray(chances[:, ::-1].cumsum(axis=1)[:, ::-1])


@cache  # simulations meet the same few tables again and again
def _low(better: int, worse: int, n: int, tail: float) -> float:
    """The lower limit: above 0 just when the one-sided exact test rejects at level `tail`."""
    low = _melded_low(better, worse, n, tail)
    if exact_test_rejects(better, worse, n, tail):
        return max(low, _BESIDE_ZERO * math.sqrt(better + worse) / n)
    return min(low, 0.0)


def _melded_low(better: int, worse: int, n: int, tail: float) -> float:
    """The lower limit: the `tail` quantile of (share that differ) x (2 x share of those that are better - 1)."""
    differing = better + worse
    if better == 0:
        return -beta_quantile(1 - tail, differing + 1, n - differing)
    positive = float(beta_cdf(0.5, better, worse + 1)) < tail  # McNemar's conditional test: it alone decides the sign
    if differing == n and not positive:
        return 2 * beta_quantile(tail, better, worse + 1) - 1
    differing_shares, weights = _grid(*((differing, n - differing + 1) if positive else (differing + 1, n - differing)))
    start, stop = _support(better, worse + 1)
    better_shares = np.linspace(start, stop, _GRID_POINTS)
    cumulative = beta_cdf(better_shares, better, worse + 1)  # computed once: the search below only looks it up
    low, high = (0.0, 1.0) if positive else (-1.0, 0.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        bounds = (1 + middle / differing_shares) / 2
        below = float(weights @ np.interp(bounds, better_shares, cumulative, left=0.0, right=1.0))
        low, high = (low, middle) if below > tail else (middle, high)
    return low if positive else high


def _grid(a: float, b: float) -> tuple[Array, Array]:
    """Midpoints over the support of Beta(a, b), and their probabilities."""
    edges = np.linspace(*_support(a, b), _GRID_POINTS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    density = beta_density(middles, a, b)
    return middles, density / density.sum()


def _support(a: float, b: float) -> tuple[float, float]:
    """Ends beyond which Beta(a, b) has less than 1e-12 of its mass: eight deviations, and a gamma tail's length."""
    mean = a / (a + b)
    reach = 8 * math.sqrt(mean * (1 - mean) / (a + b + 1)) + 30 / (a + b)
    return max(mean - reach, 0.0), min(mean + reach, 1.0)
