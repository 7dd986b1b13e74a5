"""Groups of tasks: weights and intervals by hand, against the harness's own, and as often right as they say."""

import math

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.statistics.strata import STRATIFIED_METHOD, equal_task_weights, stratified_interval

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
    found = stratified_interval(np.concatenate([first, second]), tasks, equal_task_weights(tasks), 0.1, YES_NO)
    variance = 0.5**2 * (15 / 56) / 8 + 0.5**2 * 0.25 / 4  # each task's own variance, by half of the mean
    width = scipy.stats.t.ppf(0.95, 7 + 3) * math.sqrt(variance)
    assert (found.mean, found.low, found.high) == pytest.approx((0.4375, 0.4375 - width, 0.4375 + width))
    assert (found.method, found.caution) == (STRATIFIED_METHOD, None)


def test_one_task_alone_has_students_interval() -> None:
    scores = np.array([0.2, 0.4, 0.9, 0.5, 0.6])
    found = stratified_interval(scores, ["a"] * 5, np.ones(5), 0.05, YES_NO)
    expected = scipy.stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_what_differs_between_the_tasks_alone_makes_no_interval_wider() -> None:
    spread = np.tile([0.1, 0.0, -0.1], 10)
    tasks = ["easy"] * 30 + ["hard"] * 30
    alike = stratified_interval(np.concatenate([0.5 + spread, 0.5 + spread]), tasks, np.ones(60), 0.05, YES_NO)
    apart = stratified_interval(np.concatenate([0.9 + spread, 0.1 + spread]), tasks, np.ones(60), 0.05, YES_NO)
    assert apart.high - apart.low == pytest.approx(alike.high - alike.low)


def test_limits_stay_on_the_scale_and_an_item_alone_in_its_task_is_told_of() -> None:
    scores, tasks = np.array([0.0, 1.0, 1.0]), ["a", "a", "b"]
    found = stratified_interval(scores, tasks, equal_task_weights(tasks), 0.05, YES_NO)
    assert (found.mean, found.low, found.high) == (0.75, 0.0, 1.0)
    assert found.caution is not None and "raise limit" in found.caution


@pytest.mark.parametrize("by_size", [True, False])
def test_the_standard_error_is_the_harness_own(by_size: bool) -> None:
    metrics = pytest.importorskip("lm_eval.api.metrics")
    drawn, sizes = np.random.default_rng(3), (240, 90, 30)
    parts = [drawn.binomial(1, chance, size).astype(float) for chance, size in zip((0.3, 0.6, 0.8), sizes, strict=True)]
    tasks = [name for name, size in zip("abc", sizes, strict=True) for _ in range(size)]
    weights = np.ones(len(tasks)) if by_size else equal_task_weights(tasks)
    found = stratified_interval(np.concatenate(parts), tasks, weights, 0.05, YES_NO)
    error = (found.high - found.low) / 2 / scipy.stats.t.ppf(0.975, sum(sizes) - len(sizes))
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
        found = stratified_interval(scores, tasks, weights, 0.05, YES_NO)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / repeats <= 0.97
