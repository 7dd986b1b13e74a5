"""Groups of tasks: what each item counts in the group's mean, and how far that mean may lie from the truth.

The tasks are given, and only their items are a sample. So they are strata (Cochran 1977, Sampling Techniques, chapter
5), and what differs between them is no error of the mean.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneproof.statistics.distributions import Array

Tasks = Sequence[str] | Array  # each item's, by name or number

_ROUNDING = 1e-12  # a share of the largest value: less comes from floating point


@dataclass(frozen=True)
class Spread:
    """How values lie about their mean, or about the means of their tasks.

    `residuals` is what each lies off. `deviation` is their standard deviation, or what takes its place: divided by the
    root of how many they are it is the standard error of the mean, with `freedom` degrees of freedom.
    """

    residuals: Array
    deviation: float
    freedom: float


def equal_task_weights(tasks: Sequence[str]) -> Array:
    """What each item counts where every task counts alike, 1 being what it counts where every item does.

    >>> equal_task_weights(["a", "a", "a", "b"]).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    names, places, sizes = np.unique(np.array(tasks), return_inverse=True, return_counts=True)
    weights: Array = len(tasks) / (len(names) * sizes[places])
    return weights


def spread_of(values: Array, tasks: Tasks | None = None) -> Spread:
    """The spread of two values or more, each as it counts; None where they are of no group.

    The standard error is that of a stratified mean (Cochran, 5.6), which lm-eval reports for groups of tasks that count
    alike, and but for a share of about 1 / items for those whose items do. Its degrees of freedom are Satterthwaite's
    (Cochran, 5.16): tasks of few items that count for much have few.
    """
    n = len(values)
    if tasks is None:
        residuals = values - float(values.mean())
        return Spread(residuals, math.sqrt(float(residuals @ residuals) / (n - 1)), n - 1)
    strata = strata_of(tasks)
    sizes = np.bincount(strata)
    residuals = values - (np.bincount(strata, values) / sizes)[strata]
    residuals[np.abs(residuals) <= _ROUNDING * np.abs(values).max()] = 0.0
    shares = np.bincount(strata, residuals**2) * sizes / (sizes - 1)  # of the squared error, times n^2
    total = float(shares.sum())
    freedom = total**2 / float(np.sum(shares**2 / (sizes - 1))) if total else n - len(sizes)
    return Spread(residuals, math.sqrt(total / n), freedom)


def strata_of(tasks: Tasks) -> NDArray[np.int64]:
    """The number of each item's stratum: its task. Items that are alone in theirs, which show no spread, are one.

    A single one of these joins the smallest other task. So the error is rather too large (collapsed strata: Cochran,
    5A.12).

    >>> strata_of(["a", "b", "b", "c", "d", "d"]).tolist()
    [0, 1, 1, 0, 2, 2]
    """
    _, places, sizes = np.unique(np.array(tasks), return_inverse=True, return_counts=True)
    joined = sizes == 1
    if joined.sum() == 1 and len(sizes) > 1:
        joined[np.where(joined, len(places) + 1, sizes).argmin()] = True
    merged = np.where(joined[places], int(joined.argmax()), places)
    return np.unique(merged, return_inverse=True)[1].astype(np.int64)


def has_items_alone(tasks: Tasks) -> bool:
    """Whether a task has one item only."""
    return 1 in np.unique(np.array(tasks), return_counts=True)[1]
