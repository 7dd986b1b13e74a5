"""Groups of tasks: weights and intervals by hand, against the harness's own, and as often right as they say."""

import math

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.statistics.differences import errors_of, one_difference, simultaneous_differences, simultaneous_level
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import (
    GROUP_METHOD,
    PAIRED_GROUP_METHOD,
    WIDENED_GROUP_METHOD,
    difference_interval,
    group_interval,
    one_sided_limits,
)
from tuneproof.statistics.limits.strata import equal_task_weights, spread_of, strata_of
from tuneproof.statistics.shipping import guard

YES_NO = (0.0, 1.0)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=60))
def test_every_task_counts_alike_and_an_item_counts_1_on_average(tasks: list[str]) -> None:
    weights = equal_task_weights(tasks)
    labels = np.array(tasks)
    totals = {task: float(weights[labels == task].sum()) for task in set(tasks)}
    assert float(weights.mean()) == pytest.approx(1)
    assert list(totals.values()) == pytest.approx([len(tasks) / len(totals)] * len(totals))


def test_weighted_scores_average_to_the_mean_of_the_tasks_means() -> None:
    scores, tasks = np.array([1.0, 0, 0, 0, 1, 1]), ["a", "a", "a", "a", "b", "b"]
    weights = equal_task_weights(tasks)
    assert float((scores * weights).mean()) == pytest.approx((0.25 + 1) / 2)
    assert weights.tolist() == pytest.approx([0.75] * 4 + [1.5] * 2)


def test_the_interval_of_unequal_tasks_is_the_one_computed_by_hand() -> None:
    first, second = np.array([1.0, 0, 0, 1, 1, 0, 1, 1]), np.array([0.0, 1, 0, 0])
    tasks = ["first"] * 8 + ["second"] * 4
    found = group_interval(np.concatenate([first, second]), tasks, equal_task_weights(tasks), 0.1, YES_NO)
    parts = 0.5**2 * (15 / 56) / 8, 0.5**2 * 0.25 / 4  # each task's own variance, by half of the mean
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 7 + parts[1] ** 2 / 3)
    width = scipy.stats.t.ppf(0.95, freedom) * math.sqrt(sum(parts))
    assert (found.mean, found.low, found.high) == pytest.approx((0.4375, 0.4375 - width, 0.4375 + width))
    assert (found.method, found.caution) == (GROUP_METHOD, None)


def test_one_task_alone_has_students_interval() -> None:
    scores = np.array([0.2, 0.4, 0.9, 0.5, 0.6])
    found = group_interval(scores, ["a"] * 5, np.ones(5), 0.05, YES_NO)
    expected = scipy.stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_what_differs_between_the_tasks_alone_makes_no_interval_wider() -> None:
    spread = np.tile([0.1, 0.0, -0.1], 10)
    tasks = ["easy"] * 30 + ["hard"] * 30
    alike = group_interval(np.concatenate([0.5 + spread, 0.5 + spread]), tasks, np.ones(60), 0.05, YES_NO)
    apart = group_interval(np.concatenate([0.9 + spread, 0.1 + spread]), tasks, np.ones(60), 0.05, YES_NO)
    assert apart.high - apart.low == pytest.approx(alike.high - alike.low)


def test_limits_stay_on_the_scale_and_an_item_alone_in_its_task_is_told_of() -> None:
    scores, tasks = np.array([0.0, 1.0, 1.0]), ["a", "a", "b"]
    found = group_interval(scores, tasks, equal_task_weights(tasks), 0.05, YES_NO)
    assert (found.mean, found.low, found.high) == (0.75, 0.0, 1.0)
    assert found.caution is not None and "raise limit" in found.caution


def test_items_that_are_alone_in_their_tasks_are_one_task() -> None:
    scores = np.array([1.0, 0, 0, 1, 1, 0])
    alone = difference_interval(scores, 0.05, YES_NO, list("abcdef"))
    together = difference_interval(scores, 0.05, YES_NO, list("aaaaaa"))
    assert (alone.low, alone.high) == (together.low, together.high)
    assert alone.caution is not None and alone.low < alone.high
    assert strata_of(["a", "b", "b", "c", "c", "c"]).tolist() == [0, 0, 0, 1, 1, 1]  # a single one joins the smallest
    assert strata_of(["a"]).tolist() == [0]


def test_one_task_alone_spreads_as_no_group_does() -> None:
    values = np.random.default_rng(4).normal(size=30)
    plain, grouped = spread_of(values), spread_of(values, np.zeros(30))
    assert grouped.residuals == pytest.approx(plain.residuals)
    assert (grouped.deviation, grouped.freedom) == pytest.approx((plain.deviation, 29))


@pytest.mark.parametrize("by_size", [True, False])
def test_the_standard_error_is_the_harness_own(by_size: bool) -> None:
    metrics = pytest.importorskip("lm_eval.api.metrics")
    drawn, sizes = np.random.default_rng(3), (240, 90, 30)
    parts = [drawn.binomial(1, chance, size).astype(float) for chance, size in zip((0.3, 0.6, 0.8), sizes, strict=True)]
    tasks = [name for name, size in zip("abc", sizes, strict=True) for _ in range(size)]
    weights = np.ones(len(tasks)) if by_size else equal_task_weights(tasks)
    found = group_interval(np.concatenate(parts), tasks, weights, 0.05, YES_NO)
    freedom = spread_of(np.concatenate(parts) * weights, tasks).freedom
    error = (found.high - found.low) / 2 / scipy.stats.t.ppf(0.975, freedom)
    errors = [metrics.mean_stderr(list(part)) for part in parts]
    if by_size:  # the harness pools, with items less 1 in place of items
        assert error == pytest.approx(metrics.pooled_sample_stderr(errors, list(sizes)), rel=1 / min(sizes))
    else:
        assert error == pytest.approx(metrics.unweighted_mean_stderr(errors), rel=1e-12)


@pytest.mark.parametrize("alike", [True, False])
def test_it_holds_the_true_mean_of_the_same_tasks_as_often_as_it_says(alike: bool) -> None:
    drawn, sizes, chances = np.random.default_rng(11), (80, 40, 20), (0.35, 0.6, 0.75)
    tasks = [name for name, size in zip("abc", sizes, strict=True) for _ in range(size)]
    weights = equal_task_weights(tasks) if alike else np.ones(len(tasks))
    truth = float(np.mean(chances) if alike else np.dot(chances, sizes) / sum(sizes))
    held, repeats = 0, 1_000
    for _ in range(repeats):
        scores = (drawn.random(len(tasks)) < np.repeat(chances, sizes)).astype(float)
        found = group_interval(scores, tasks, weights, 0.05, YES_NO)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / repeats <= 0.97


SIZES = (60, 40, 30, 30, 20, 12, 8, 8)
GAINS = (0.65, -0.6, 0.6, -0.65, 0.7, -0.7, 0.3, -0.6)  # what was lost in one was won in another
TASKS = [name for name, size in zip("abcdefgh", SIZES, strict=True) for _ in range(size)]


def paired_worlds(repeats: int, differing: float, seed: int) -> Array:
    """A row for each world: yes/no items of tasks that gain and lose; -1, 0 or 1 each."""
    gains, drawn = np.repeat(GAINS, SIZES), np.random.default_rng(seed).random((repeats, len(TASKS)))
    better, worse = (differing + gains) / 2, (differing - gains) / 2
    return np.where(drawn < better, 1.0, np.where(drawn < better + worse, -1.0, 0.0))


@pytest.mark.parametrize("alike", [True, False])
def test_a_gain_of_a_group_is_held_as_often_as_the_interval_says(alike: bool) -> None:
    weights = equal_task_weights(TASKS) if alike else np.ones(len(TASKS))
    truth = float(np.mean(GAINS) if alike else np.dot(GAINS, SIZES) / sum(SIZES))
    scale, repeats = (0.0, float(weights.max())), 1_000
    held = {"within the tasks": 0, "as one sample": 0}
    for values in paired_worlds(repeats, 0.8, seed=5) * weights:
        for name, tasks in (("within the tasks", TASKS), ("as one sample", None)):
            found = difference_interval(values, 0.05, scale, tasks)
            held[name] += found.low <= truth <= found.high
    assert 0.93 <= held["within the tasks"] / repeats <= 0.975
    assert held["as one sample"] / repeats >= 0.98  # what differs between the tasks makes it too wide


def test_a_guard_of_a_group_that_dropped_by_its_margin_holds_no_more_often_than_alpha() -> None:
    weights = equal_task_weights(TASKS)
    scale, repeats, labels = (0.0, float(weights.max())), 1_000, np.unique(TASKS, return_inverse=True)[1].astype(float)
    held = 0
    for values in paired_worlds(repeats, 0.8, seed=6) * weights:
        held += guard(values, -float(np.mean(GAINS)), 0.05, scale, 30, labels).outcome == "held"
    assert 0.03 <= held / repeats <= 0.065


def test_the_level_of_two_models_goes_by_what_varies_within_the_tasks() -> None:
    labels = np.unique(TASKS, return_inverse=True)[1].astype(float)
    first, second = (paired_worlds(1, 0.8, seed)[0] for seed in (7, 8))  # the same tasks, other items
    alone = 1 - 0.95**0.5
    assert simultaneous_level([first, second], 0.05) > 1.05 * alone
    errors = [errors_of(one, labels) for one in (first, second)]
    assert simultaneous_level(errors, 0.05) == pytest.approx(alone, rel=0.03)
    compared = simultaneous_differences(
        {"first": first, "second": second}, 0.05, dict.fromkeys(("first", "second"), YES_NO),
        {"first": labels, "second": labels},
    )  # fmt: skip
    assert compared["first"].interval.method == PAIRED_GROUP_METHOD
    assert compared["first"].level == simultaneous_level(errors, 0.05)


def test_items_that_are_not_scored_leave_their_tasks_behind() -> None:
    labels = np.unique(TASKS, return_inverse=True)[1].astype(float)
    values = paired_worlds(1, 0.8, seed=9)[0]
    holes = np.where(np.arange(len(values)) % 5 == 0, np.nan, values)
    known = ~np.isnan(holes)
    found = one_difference(holes, 0.05, YES_NO, labels)
    assert found is not None
    assert found.interval == difference_interval(values[known], 0.05, YES_NO, labels[known])


def test_a_group_hides_no_collapse_that_was_never_seen() -> None:
    tasks = np.repeat(np.arange(10.0), 20)
    low, high = one_sided_limits(np.zeros(200), 0.05, YES_NO, tasks)
    assert low == -high == pytest.approx(math.expm1(math.log(0.0125) / 200))
    assert difference_interval(np.full(200, 0.01), 0.05, YES_NO, tasks).method == WIDENED_GROUP_METHOD
