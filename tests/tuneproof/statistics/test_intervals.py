"""Intervals against scipy and statsmodels, at the ends of the scale, and mirrored."""

import numpy as np
import pytest
import scipy

from tests.measurements import interval_candidates
from tuneproof.statistics.intervals import (
    CONSTANT_METHOD,
    EXACT_METHOD,
    PAIRED_METHOD,
    SCORE_METHOD,
    WIDENED_METHOD,
    difference_interval,
    mean_interval,
    wilson_interval,
)
from tuneproof.statistics.limits.exact_pairs import exact_paired_interval

GENERATOR = np.random.default_rng(11)
SCORES = GENERATOR.choice([1.0, 2.0, 3.0], size=120, p=[0.2, 0.3, 0.5])
DIFFERENCES = GENERATOR.choice([-2.0, -1.0, 0.0, 1.0, 2.0], size=80, p=[0.05, 0.15, 0.4, 0.3, 0.1])


def test_yes_or_no_scores_get_wilsons_interval_with_student_t() -> None:
    successes, n = 37, 60
    effective, t = n - 1, scipy.stats.t(n - 1).ppf(0.975)
    share, weight = successes / n, t**2 / effective
    half = np.sqrt(share * (1 - share) * weight + weight**2 / 4)

    interval = mean_interval([1.0] * successes + [0.0] * (n - successes), 0.05, (0, 1))

    assert (interval.low, interval.high) == pytest.approx(
        ((share + weight / 2 - half) / (1 + weight), (share + weight / 2 + half) / (1 + weight)), rel=1e-9
    )
    assert (interval.method, interval.caution) == (SCORE_METHOD, None)


def test_many_scores_in_the_middle_get_nearly_the_t_interval() -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    scores = np.tile([1.0, 2.0, 2.0, 3.0], 5_000)

    interval = mean_interval(scores, 0.05)

    assert (interval.low, interval.high) == pytest.approx(DescrStatsW(scores).tconfint_mean(0.05), abs=1e-5)


@pytest.mark.parametrize("score", [1.0, 3.0])
def test_scores_all_at_an_end_get_wilsons_bound_and_not_a_width_of_zero(score: float) -> None:
    from statsmodels.stats.proportion import proportion_confint

    interval = mean_interval([score] * 100, 0.05)

    low, high = proportion_confint(100 * (score - 1) / 2, 100, 0.05, method="wilson")
    assert (interval.low, interval.high) == pytest.approx((1 + 2 * low, 1 + 2 * high), abs=1e-12)
    assert interval.method == CONSTANT_METHOD
    assert interval.caution is not None
    assert interval.caution.startswith("no question of 100 scores ")


def test_scores_all_in_the_middle_may_still_have_unseen_ones_on_either_side() -> None:
    interval = mean_interval([2.0] * 50, 0.05)

    assert interval.low == pytest.approx(2 - wilson_interval(0, 50, 0.05)[1])
    assert interval.low + interval.high == pytest.approx(4)


def test_fractions_close_to_an_end_say_no_more_of_questions_never_asked_than_whole_scores() -> None:
    nearly = [0.999, 0.998, 0.996, 0.999, 0.997, 0.999, 0.995, 0.999, 0.998, 0.999]
    interval, whole = mean_interval(nearly, 0.05, (0, 1)), mean_interval([1.0] * 10, 0.05, (0, 1))

    unseen = 1 - 0.05 ** (1 / 10)  # of the questions may score 0, and ten hold none of them with a chance of 5 %
    assert interval.low == pytest.approx(interval.mean * (1 - unseen))
    assert whole.low < interval.low < 0.75
    mirrored = mean_interval([1 - score for score in nearly], 0.05, (0, 1))
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - interval.high, 1 - interval.low))


def test_what_was_never_seen_widens_no_interval_of_yes_and_no() -> None:
    for ones in range(1, 40):
        interval = mean_interval([1.0] * ones + [0.0] * (40 - ones), 0.05, (0, 1))
        low, high = wilson_interval(ones, 40, 0.05)
        assert interval.low == pytest.approx(low, abs=0.01) and interval.high == pytest.approx(high, abs=0.01)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_scores_gets_a_wide_interval_within_the_scale_and_a_caution(n: int) -> None:
    interval = mean_interval([3.0, 1.0, 2.0][:n], 0.05)

    assert 1 <= interval.low < interval.high <= 3
    assert interval.high - interval.low > 1
    assert interval.caution is not None


def test_interval_never_leaves_the_scale() -> None:
    for ones in range(1, 30):
        interval = mean_interval([1.0] * ones + [3.0] * (30 - ones), 0.001)
        assert 1 <= interval.low < interval.mean < interval.high <= 3


def test_mirrored_scores_give_the_mirrored_interval_to_the_last_bit() -> None:
    interval, mirrored = mean_interval(SCORES, 0.05), mean_interval(4 - SCORES, 0.05)

    assert (mirrored.low, mirrored.high) == (4 - interval.high, 4 - interval.low)


def test_cautions_name_what_is_scarce() -> None:
    assert mean_interval([1.0, 2.0] * 20, 0.05).caution is None
    assert mean_interval([1.0, 2.0, 3.0] * 9, 0.05).caution == (
        "only 27 questions: the interval may miss more often than it says"
    )
    near_ceiling = mean_interval([3.0] * 96 + [2.0] * 4, 0.05).caution
    assert near_ceiling is not None
    assert near_ceiling.startswith("only 4 of 100 questions score below the highest score")
    alike = difference_interval([0.0] * 95 + [1.0] * 5, 0.05).caution
    assert alike is not None
    assert alike.startswith("only 5 of 100 questions differ")


@pytest.mark.parametrize("scores", [[], [4.0], [2.0, float("nan")], [[1.0, 2.0]]])
def test_what_is_not_a_score_on_the_scale_is_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match=r"interval|scale"):
        mean_interval(scores, 0.05)


def test_paired_interval_of_even_differences_is_nearly_the_t_interval_of_scipy_and_statsmodels() -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    even = np.concatenate([DIFFERENCES, -DIFFERENCES])
    interval = difference_interval(even, 0.05)

    assert (interval.low, interval.high) == pytest.approx(tuple(DescrStatsW(even).tconfint_mean(0.05)), rel=0.002)
    reference = scipy.stats.ttest_1samp(even, 0).confidence_interval(0.95)
    assert (interval.low, interval.high) == pytest.approx((reference.low, reference.high), rel=0.002)
    assert interval.method == PAIRED_METHOD


def test_difference_is_cut_at_what_the_scale_allows() -> None:
    interval = difference_interval([2.0, 2.0, 2.0, 1.0], 0.05)

    assert interval.high == 2.0


def test_equal_differences_get_a_width() -> None:
    interval = difference_interval([1.0] * 40, 0.05)

    assert 0 < interval.low < 1 < interval.high < 2
    assert interval.method == WIDENED_METHOD
    assert interval.low == pytest.approx(1 - (1 - 0.05 ** (1 / 40)) * 3)  # a share of 7 % may all fall by 2 unseen


def test_swapping_the_models_mirrors_the_difference_to_the_last_bit() -> None:
    two_step = GENERATOR.choice([-2.0, 0.0, 2.0], size=61)
    for differences in (DIFFERENCES, two_step, np.ones(40), GENERATOR.normal(size=50) / 10):
        interval, mirrored = difference_interval(differences, 0.03), difference_interval(-differences, 0.03)
        assert (mirrored.mean, mirrored.low, mirrored.high) == (-interval.mean, -interval.high, -interval.low)


def test_two_step_differences_take_the_exact_method() -> None:
    interval = difference_interval([1.0] * 9 + [-1.0] * 2 + [0.0] * 33, 0.05, (0, 1))

    assert (interval.low, interval.high) == exact_paired_interval(9, 2, 44, 0.05)
    assert interval.method == EXACT_METHOD


@pytest.mark.parametrize("successes", [0, 1, 20, 39, 40])
def test_wilson_agrees_with_statsmodels(successes: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    reference = proportion_confint(successes, 40, 0.05, method="wilson")

    assert wilson_interval(successes, 40, 0.05) == pytest.approx(reference, rel=1e-6, abs=1e-12)


def test_wilson_refuses_what_is_no_share() -> None:
    for successes, n in ((0, 0), (3, 2), (-1, 5)):
        with pytest.raises(ValueError, match="not a share"):
            wilson_interval(successes, n, 0.05)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_bootstraps_tried_agree_with_scipy_on_the_same_resamples(method: str) -> None:
    reference = scipy.stats.bootstrap(
        (SCORES,), np.mean, n_resamples=2_000, method=method, rng=np.random.default_rng(3), vectorized=True
    )
    indices = np.random.default_rng(3).integers(0, len(SCORES), (2_000, len(SCORES)))  # as scipy draws them
    resampled = SCORES[indices]
    values, counts = np.array([1.0, 2.0, 3.0]), np.array([np.sum(value == SCORES) for value in (1, 2, 3)], dtype=float)
    resamples = np.stack([np.sum(resampled == value, axis=1) for value in values], axis=1).astype(float)

    limits = (
        interval_candidates.percentile(values, resamples, 0.05)
        if method == "percentile"
        else interval_candidates.bca(values, counts, resamples, 0.05)
    )

    np.testing.assert_allclose(np.sort(resampled.mean(axis=1)), np.sort(reference.bootstrap_distribution), rtol=1e-12)
    assert limits == pytest.approx(tuple(reference.confidence_interval), rel=1e-6)


def test_studentized_bootstrap_agrees_with_its_definition_on_the_same_resamples() -> None:
    indices = np.random.default_rng(4).integers(0, len(SCORES), (999, len(SCORES)))
    drawn = SCORES[indices]
    statistics = (drawn.mean(axis=1) - SCORES.mean()) / scipy.stats.sem(drawn, axis=1)
    low, high = np.quantile(statistics, [0.025, 0.975])
    values, counts = np.array([1.0, 2.0, 3.0]), np.array([np.sum(value == SCORES) for value in (1, 2, 3)], dtype=float)
    resamples = np.stack([np.sum(drawn == value, axis=1) for value in values], axis=1).astype(float)

    limits = interval_candidates.studentized(values, counts, resamples, 0.05)

    error = scipy.stats.sem(SCORES)
    assert limits == pytest.approx((SCORES.mean() - high * error, SCORES.mean() - low * error), rel=1e-9)
