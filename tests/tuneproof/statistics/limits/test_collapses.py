"""Limits that hold where a few questions collapse: by hand, mirrored, and as often as they say."""

import math

import numpy as np
import pytest
import scipy

from tests.measurements.decision_worlds import collapse_world, lower_limits, verdicts
from tuneproof.statistics.differences import one_difference
from tuneproof.statistics.intervals import PAIRED_METHOD, WIDENED_METHOD, difference_interval, one_sided_limits
from tuneproof.statistics.limits.collapses import (
    collapsed,
    lower_limit,
    mean_limits,
    questions_to_exclude,
    smallest_shown,
    standard_errors,
    unseen_share,
)

GENERATOR = np.random.default_rng(21)


def test_even_differences_get_nearly_students_t() -> None:
    differences = np.repeat([-1.0, 0.0, 0.5, 1.5], 10)[::-1].copy()
    differences = np.concatenate([differences, 0.5 - differences])  # even around a quarter

    low, high = mean_limits(differences, 0.05, 2)

    reference = scipy.stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=0.01 * (high - low))
    assert difference_interval(differences, 0.05).method == PAIRED_METHOD


def test_the_skewness_corrected_limit_is_the_one_computed_by_hand() -> None:
    differences = np.array([0.5] * 15 + [0.0] * 4 + [-2.0])
    n, mean, spread = 20, 0.275, math.sqrt(sum((d - 0.275) ** 2 for d in differences) / 19)
    cubes = sum((d - mean) ** 3 for d in differences) - 0.25 * (mean + 2) ** 3  # a quarter of a collapse by 2
    skewness = cubes / n / spread**3 / math.sqrt(n)
    t = scipy.stats.t(19).ppf(0.975)
    errors = 3 / skewness * (np.cbrt(1 + skewness * (t - skewness / 6)) - 1)
    assert skewness < -0.5 and errors > t

    low, high = mean_limits(differences, 0.05, 2)

    assert standard_errors(skewness, 0.05, n - 1) == pytest.approx(errors, rel=1e-9)
    unseen = 1 - 0.05 ** (1 / n)
    assert low == pytest.approx(mean - errors * spread / math.sqrt(n), rel=1e-9) and low < mean - unseen * (mean + 2)
    assert high == pytest.approx(max(mean + t * spread / math.sqrt(n), mean + unseen * (2 - mean)), rel=1e-9)


def test_hundred_even_gains_hide_the_collapse_of_three_per_cent() -> None:
    gains = np.full(100, 0.05)

    low, high = mean_limits(gains, 0.05, 2)

    assert unseen_share(100, 0.05) == pytest.approx(0.029513, abs=1e-6)
    assert low == pytest.approx(0.05 - 0.029513 * 2.05, abs=1e-5)
    assert low < 0 < high
    assert difference_interval(gains, 0.05).method == WIDENED_METHOD


def test_limits_stay_within_the_scale_and_take_one_question() -> None:
    assert mean_limits(np.array([2.0, 2.0, 1.0]), 0.05, 2)[1] == 2.0
    low, high = mean_limits(np.array([1.0]), 0.05, 2)
    assert (low, high) == pytest.approx((1 - 0.95 * 3, 1 + 0.95 * 1))


def test_mirrored_differences_give_mirrored_limits_to_the_last_bit() -> None:
    for differences in (GENERATOR.normal(0.2, 0.5, 41).clip(-2, 2), np.array([0.1] * 50 + [-2.0]), np.full(9, 0.3)):
        for level in (0.05, 0.0125):
            low, high = mean_limits(differences, level, 2)
            assert mean_limits(-differences, level, 2) == (-high, -low)
            one_low, one_high = one_sided_limits(differences, level)
            assert one_sided_limits(-differences, level) == (-one_high, -one_low)


def test_no_limit_is_narrower_than_students_t() -> None:
    for seed in range(50):
        differences = np.random.default_rng(seed).choice([-2, -1, 0, 1, 2], 40, p=[0.1, 0.1, 0.2, 0.5, 0.1]) * 1.0
        reference = scipy.stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        low, high = mean_limits(differences, 0.05, 2)
        assert low <= reference.low + 1e-12 and high >= reference.high - 1e-12


@pytest.mark.parametrize(("span", "questions"), [(2.0, 32), (4.0, 62)])
def test_questions_needed_has_the_floor_that_a_collapse_never_seen_asks_for(span: float, questions: int) -> None:
    assert questions_to_exclude(0.2, 0.05, span) == questions
    assert smallest_shown(questions, 0.05, span) <= 0.2 < smallest_shown(questions - 1, 0.05, span)
    assert questions_to_exclude(-0.2, 0.05, span) == questions


def test_a_steady_gain_needs_more_questions_than_its_spread_asks_for() -> None:
    model = 2.1 + 0.001 * (np.arange(40.0) % 2)

    difference = one_difference(model - 2.0, 0.05, (1, 3))

    assert difference is not None and difference.verdict == "undecided"
    assert difference.questions_needed == questions_to_exclude(0.1005, 0.05, 2) == 62
    assert difference.smallest_detectable == pytest.approx(smallest_shown(40, 0.05, 2))


def test_a_lone_limit_of_nothing_but_ties_is_the_share_that_may_hide() -> None:
    ties = np.zeros(100)

    low, high = one_sided_limits(ties, 0.05, (0, 1))  # two steps, one sample: exact

    assert (low, high) == pytest.approx((-unseen_share(100, 0.05), unseen_share(100, 0.05)), rel=1e-6)


def test_a_score_collapses_by_a_whole_step_or_by_half_of_one_to_the_lowest() -> None:
    model = np.array([1.0, 2.0, 1.0, 1.001, 1.0, 2.5, 1.0, math.nan, 2.0])
    baseline = np.array([2.0, 3.0, 1.5, 1.6, 1.4, 3.0, 1.0, 3.0, math.nan])

    fell = collapsed(model, baseline, low=1, step=1)

    np.testing.assert_array_equal(fell, [1, 1, 1, 1, 0, 0, 0, math.nan, math.nan])


def test_the_simulations_use_the_products_own_limits() -> None:
    worlds = collapse_world(np.random.default_rng(5), 40, 60, 0.03, 4, 1, 4, 0.0)
    worlds = np.concatenate([worlds, collapse_world(np.random.default_rng(6), 40, 60, 0.03, 4, 0, 4, 0.0)])

    for tail, unseen in ((0.025, 0.05), (0.05, 0.025)):
        expected = [lower_limit(world, tail, unseen, 4) for world in worlds]
        np.testing.assert_allclose(lower_limits(worlds, tail, unseen, 4), expected, rtol=1e-9, atol=1e-12)
    assert [difference_interval(world, 0.05, (1, 5)).low > 0 for world in worlds] == list(verdicts(worlds, 0.05, 4) > 0)


@pytest.mark.parametrize(("questions", "by_t"), [(100, 0.13), (300, 0.08)])
def test_a_model_that_pays_for_small_gains_with_a_rare_collapse_is_seldom_called_better(
    questions: int, by_t: float
) -> None:
    worlds = collapse_world(np.random.default_rng(7), 2_000, questions, 0.02, 4, 1, 4, 0.0)

    false = [float(np.mean(verdicts(worlds, 0.05, 4, t) > 0)) for t in (False, True)]

    assert false[0] <= 0.058
    assert false[1] == pytest.approx(by_t, abs=0.04)
