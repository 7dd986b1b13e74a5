"""Simulated worlds a row each, and the product's limits for all rows at once, so that 10,000 worlds take seconds.

A test compares them with the product's own, world by world.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from tuneproof.statistics.differences import simultaneous_level
from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.intervals import UNSEEN_ALONE
from tuneproof.statistics.limits.collapses import _EXPECTED_COLLAPSE

ALPHA = 0.05
MARGIN = 0.1  # of a guard, in points of a scale from 1 to 3
SPAN = 2.0
BLOCK = 1_000  # worlds at once


def lower_limits(differences: Array, tail: float, unseen: float, span: float, by_t: bool = False) -> Array:
    """`collapses.lower_limit` for every row; `by_t` gives Student's t alone."""
    n, mean = differences.shape[1], differences.mean(axis=1)
    centred = differences - mean[:, None]
    squares = centred * centred
    spread = np.sqrt(squares.sum(axis=1) / (n - 1))
    t = student_t_critical(2 * tail, n - 1)
    if by_t:
        return np.asarray(mean - t * spread / math.sqrt(n))
    cubes = np.mean(squares * centred, axis=1) - _EXPECTED_COLLAPSE * (mean + span) ** 3 / n
    skewness = np.divide(cubes, spread**3, out=np.zeros_like(mean), where=spread > 0) / math.sqrt(n)
    even = np.abs(skewness) < 1e-9
    a = np.where(even, 1.0, skewness)
    errors = np.where(even, t, np.maximum(t, 3 / a * (np.cbrt(1 + a * (t - a / 6)) - 1)))
    hidden = -math.expm1(math.log(unseen) / n)
    limits = np.minimum(mean - errors * spread / math.sqrt(n), mean - hidden * (mean + span))
    return np.asarray(np.maximum(limits, -span))


def verdicts(differences: Array, level: float, span: float, by_t: bool = False) -> NDArray[np.int64]:
    """1 for better, -1 for worse, 0 for undecided, by the limits of `collapses.mean_limits`."""
    better, worse = (lower_limits(one, level / 2, level, span, by_t) > 0 for one in (differences, -differences))
    return better.astype(np.int64) - worse.astype(np.int64)


def collapse_world(
    generator: np.random.Generator,
    worlds: int,
    questions: int,
    chance: float,
    depth: float,
    gain: float,
    span: float,
    shift: float,
) -> Array:
    """Differences that fall by `depth` on a few questions and rise by `gain` on some, with a true mean of `shift`.

    A gain of 0 stands for one on every other question, as small as it must be, with a little noise.
    """
    fell = generator.random((worlds, questions)) < chance
    rise = (shift + chance * depth) / (1 - chance)
    if gain == 0:
        noise = generator.normal(0, 0.002 * span, fell.shape)
        return np.where(fell, -depth, np.clip(rise + noise, -span, span))
    rose = generator.random((worlds, questions)) < rise / gain
    return np.where(fell, -depth, np.where(rose, gain, 0.0))


@dataclass(frozen=True)
class Ships:
    """Per world, whether the model ships; whether it improved, with its claim as a family, in order, and by t."""

    ships: NDArray[np.bool_]
    improved: NDArray[np.bool_]
    in_order: NDArray[np.bool_]
    by_t: NDArray[np.bool_]


def ship_world(
    worlds: int,
    questions: int,
    shares: tuple[float, ...],
    samples: int,
    claimed: tuple[float, float],
    dropped: float,
    seed: int,
) -> Ships:
    """A model with a claim on two criteria and a guard on a third.

    Args:
        worlds: How many.
        questions: In each.
        shares: The chances of the scores 1, 2, 3.
        samples: Per question.
        claimed: The improvement on each of the two, in latent deviations.
        dropped: How far the guard's criterion truly drops, in margins.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    fall = latent_shift(shares, -dropped * MARGIN) if dropped else 0.0
    shifts = np.array([*claimed, fall])
    found: list[tuple[Any, ...]] = []
    for start in range(0, worlds, BLOCK):
        size = min(BLOCK, worlds - start)
        differences = paired_block(generator, size, questions, shares, samples, shifts)
        found.append(decided(differences))
    return Ships(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def decided(differences: Array) -> tuple[Any, ...]:
    """The fields of `Ships`; `differences` has axes world, criterion (the guard last), question."""
    held = lower_limits(differences[:, 2], ALPHA, UNSEEN_ALONE * ALPHA, SPAN) > -MARGIN
    levels = levels_of_two(differences[:, 0], differences[:, 1])
    claims, by_t = (family_verdicts(differences[:, :2], levels, t) for t in (False, True))
    first, second = (verdicts(differences[:, place], ALPHA, SPAN) for place in (0, 1))
    in_order = (first > 0) & (second >= 0)
    improved, better = (np.any(one > 0, axis=1) & np.all(one >= 0, axis=1) for one in (claims, by_t))
    return improved & held, improved, in_order, better


def levels_of_two(one: Array, other: Array) -> Array:
    """`simultaneous_level` of two comparisons in each world, from a table: it depends on their correlation alone."""
    centred = [values - values.mean(axis=1, keepdims=True) for values in (one, other)]
    sizes = [np.sqrt((values * values).sum(axis=1)) for values in centred]
    product = (centred[0] * centred[1]).sum(axis=1)
    correlations = np.divide(product, sizes[0] * sizes[1], out=np.zeros_like(product), where=sizes[0] * sizes[1] > 0)
    return np.asarray(np.interp(np.abs(correlations), *level_table()))


@cache
def level_table() -> tuple[Array, Array]:
    """Levels by correlation."""
    first, second = np.array([1.0, -1.0, 1.0, -1.0]), np.array([1.0, 1.0, -1.0, -1.0])
    table = np.linspace(0, 1, 41)
    mixed = [share * first + math.sqrt(1 - share * share) * second for share in table]
    return table, np.array([simultaneous_level([first, one], ALPHA) for one in mixed])


def family_verdicts(differences: Array, levels: Array, by_t: bool) -> NDArray[np.int64]:
    """A row of verdicts for each world, whose level is its own; levels to three digits, so that few are computed."""
    rounded = np.floor(levels * 2_000) / 2_000  # never above the product's
    out = np.zeros(differences.shape[:2], dtype=np.int64)
    for level in np.unique(rounded):
        worlds = rounded == level
        for place in range(differences.shape[1]):
            out[worlds, place] = verdicts(differences[worlds, place], float(level), SPAN, by_t)
    return out


def paired_block(
    generator: np.random.Generator, worlds: int, questions: int, shares: tuple[float, ...], samples: int, shifts: Array
) -> Array:
    """Differences of a model to a baseline on several criteria, correlated as in `decisions.paired_worlds`."""
    criteria = len(shifts)
    question = generator.standard_normal((worlds, questions, 1, criteria, 1), dtype=np.float32)
    answer = generator.standard_normal((worlds, questions, 2, 1, samples), dtype=np.float32)
    own = generator.standard_normal((worlds, questions, 2, criteria, samples), dtype=np.float32)
    latent = math.sqrt(0.5) * question + 0.5 * answer + 0.5 * own
    latent[:, :, 1] += shifts[:, None].astype(np.float32)
    scores = sum((latent > cut).mean(axis=-1, dtype=np.float64) for cut in ndtri(np.cumsum(shares)[:-1]))
    return np.asarray(np.moveaxis(scores[:, :, 1] - scores[:, :, 0], 1, 2))


def latent_shift(shares: tuple[float, ...], difference: float) -> float:
    """The shift in latent deviations that moves the mean score so far, by bisection."""
    cuts = ndtri(np.cumsum(shares)[:-1])
    low, high = -10.0, 10.0
    for _ in range(100):
        middle = (low + high) / 2
        moved = float(np.sum(ndtr(cuts) - ndtr(cuts - middle)))
        low, high = (middle, high) if moved < difference else (low, middle)
    return (low + high) / 2
