"""Groups of tasks: what each item counts in the group's mean, and an interval for it that respects the tasks."""

import math
from collections.abc import Sequence

import numpy as np

from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.intervals import Interval, Scale

STRATIFIED_METHOD = "t, within the group's tasks"


def equal_task_weights(tasks: Sequence[str]) -> Array:
    """What each item counts where every task counts alike, 1 being what it counts where every item does.

    >>> equal_task_weights(["a", "a", "a", "b"]).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    names, places, sizes = np.unique(np.array(tasks), return_inverse=True, return_counts=True)
    weights: Array = len(tasks) / (len(names) * sizes[places])
    return weights


def stratified_interval(scores: Array, tasks: Sequence[str], weights: Array, alpha: float, scale: Scale) -> Interval:
    """Returns the interval for a group's mean: its tasks are given, and only their items are a sample.

    Args:
        scores: One number per item.
        tasks: Each item's task, at least one of which has two items.
        weights: What each item counts, the same within a task, 1 on average.
        alpha: The share of intervals that may miss.
        scale: The lowest and the highest possible score.

    The standard error is that of a stratified mean (Cochran 1977, Sampling Techniques, 5.6), which lm-eval reports for
    groups of tasks that count alike, and but for a share of about 1 / items for those whose items do.
    """
    variance, freedom, items = 0.0, 0, len(scores)
    labels = np.array(tasks)
    for task in np.unique(labels):
        inside = labels == task
        size, share = int(inside.sum()), float(weights[inside].sum()) / items
        if size > 1:
            variance += share**2 * float(scores[inside].var(ddof=1)) / size
            freedom += size - 1
    mean = float((scores * weights).mean())
    width = student_t_critical(alpha, max(freedom, 1)) * math.sqrt(variance)
    alone = any(size == 1 for size in np.unique(labels, return_counts=True)[1])
    caution = "tasks with one item alone have no spread of their own: raise limit" if alone else None
    return Interval(mean, max(scale[0], mean - width), min(scale[1], mean + width), STRATIFIED_METHOD, caution)
