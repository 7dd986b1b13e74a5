"""Verdicts and what they rest on: pairing, the family, what could have been shown, what is missing."""

import math

import numpy as np
import pytest
import scipy

from tests.measurements.decisions import SCORES, family_rates, paired_worlds
from tuneproof.results.words.figures import shown_decimals
from tuneproof.statistics import differences as statistics
from tuneproof.statistics.differences import (
    Verdict,
    in_order,
    mean_bounds,
    missing_bounds,
    one_difference,
    overall_verdict,
    question_means,
    questions_needed,
    simultaneous_differences,
    simultaneous_level,
    smallest_detectable,
    verdict,
)
from tuneproof.statistics.intervals import EXACT_METHOD, difference_interval

SCALE = (1.0, 3.0)


def scores(seed: int, questions: int = 100, shares: tuple[float, ...] = (0.3, 0.4, 0.3)) -> np.ndarray:
    return np.random.default_rng(seed).choice([1.0, 2.0, 3.0], size=questions, p=shares)


def family(seed: int = 1, questions: int = 100) -> dict[tuple[str, str], np.ndarray]:
    return next(paired_worlds(np.random.default_rng(seed), 1, questions, SCORES["middle"], 1, 0.2))


def test_samples_of_a_question_become_one_number() -> None:
    rows = [("a", 3.0), ("b", 1.0), ("a", 2.0), ("b", None), ("c", None)]

    assert question_means(rows) == {"a": 2.5, "b": 1.0}


def test_difference_is_taken_over_the_questions_scored_in_both() -> None:
    sides = {"a": 3.0, "b": 2.0, "c": 3.0, "d": 3.0}, {"a": 1.0, "b": 1.0, "c": 2.0, "e": 1.0}
    model, baseline = (in_order(side, "abcde") for side in sides)

    difference = one_difference(model - baseline, 0.05, SCALE)

    assert difference is not None
    assert difference.questions == 3
    assert difference.interval.mean == pytest.approx(4 / 3)
    np.testing.assert_array_equal(model - baseline, [2.0, 1.0, 1.0, math.nan, math.nan])


def test_nothing_scored_in_both_is_no_comparison() -> None:
    assert one_difference(in_order({"a": 3.0}, "ab") - in_order({"b": 1.0}, "ab"), 0.05, SCALE) is None


def test_one_comparison_alone_is_scipys_paired_t_test() -> None:
    model, baseline = scores(1, shares=(0.2, 0.3, 0.5)), scores(2)
    reference = scipy.stats.ttest_rel(model, baseline)

    difference = one_difference(model - baseline, 0.05, SCALE)

    assert difference is not None
    limits = reference.confidence_interval(0.95)
    assert difference.interval.high == pytest.approx(limits.high, rel=1e-9)
    assert limits.low - 0.01 < difference.interval.low < limits.low  # a little wider where the longer tail lies
    assert (difference.verdict != "undecided") == (reference.pvalue < 0.05)


def test_swapping_model_and_baseline_mirrors_every_number() -> None:
    model, baseline = scores(3, shares=(0.2, 0.3, 0.5)), scores(4)

    forth, back = (one_difference(values, 0.05, SCALE) for values in (model - baseline, baseline - model))

    assert forth is not None
    assert back is not None
    assert (back.interval.mean, back.interval.low, back.interval.high) == (
        -forth.interval.mean,
        -forth.interval.high,
        -forth.interval.low,
    )
    assert (back.smallest_detectable, back.questions_needed) == (forth.smallest_detectable, forth.questions_needed)
    assert {forth.verdict, back.verdict} in ({"better", "worse"}, {"undecided"})


def test_swapping_mirrors_a_whole_family() -> None:
    differences, scales = family(), dict.fromkeys(family(), SCALE)

    forth = simultaneous_differences(differences, 0.05, scales)
    back = simultaneous_differences({key: -values for key, values in differences.items()}, 0.05, scales)

    for key, difference in forth.items():
        assert back[key].level == difference.level
        assert (back[key].interval.low, back[key].interval.high) == (
            -difference.interval.high,
            -difference.interval.low,
        )


def test_the_same_family_gives_the_same_numbers_again() -> None:
    scales = dict.fromkeys(family(), SCALE)

    assert simultaneous_differences(family(), 0.05, scales) == simultaneous_differences(family(), 0.05, scales)


def test_simultaneous_level_of_unrelated_comparisons_is_sidaks() -> None:
    unrelated = [np.tile(np.kron([1.0, -1.0], np.ones(2**power)), 2 ** (6 - power)) for power in range(4)]

    assert simultaneous_level(unrelated, 0.05) == pytest.approx(1 - 0.95**0.25, rel=0.03)


def test_simultaneous_level_of_the_same_comparison_twice_is_nearly_its_own() -> None:
    values = family()["first", "accuracy"]

    assert simultaneous_level([values, values, -values], 0.05) == pytest.approx(0.05, rel=0.03)
    assert simultaneous_level([values], 0.05) == 0.05


def test_simultaneous_level_is_the_one_at_which_correlated_normals_stay_inside_together() -> None:
    differences = list(family().values())
    correlations = np.corrcoef(differences)

    level = simultaneous_level(differences, 0.05)

    bound = np.full(4, scipy.stats.norm.ppf(1 - level / 2))
    inside = scipy.stats.multivariate_normal(np.zeros(4), correlations).cdf(bound, lower_limit=-bound)
    assert 0.05 / 4 < level < 0.05
    assert inside == pytest.approx(0.95, abs=2e-3)


def test_missing_scores_differ_by_comparison() -> None:
    differences = family()
    differences["first", "style"][:40] = math.nan
    differences["second", "style"][:] = math.nan

    compared = simultaneous_differences(differences, 0.05, dict.fromkeys(differences, SCALE))

    assert {key: difference.questions for key, difference in compared.items()} == {
        ("first", "accuracy"): 100,
        ("first", "style"): 60,
        ("second", "accuracy"): 100,
    }
    assert len({difference.level for difference in compared.values()}) == 1


def test_family_without_any_scores_has_no_comparisons() -> None:
    assert simultaneous_differences({"only": np.full(3, math.nan)}, 0.05, {"only": SCALE}) == {}
    assert simultaneous_differences({}, 0.05, {}) == {}


def test_criteria_of_other_scales_stand_in_one_family() -> None:
    generator = np.random.default_rng(8)
    differences = {
        "grade": generator.integers(-9, 10, 50).astype(float),
        "yes or no": generator.integers(-1, 2, 50) * 1.0,
    }

    compared = simultaneous_differences(differences, 0.05, {"grade": (1, 10), "yes or no": (0, 1)})

    assert compared["yes or no"].interval.method == EXACT_METHOD
    assert compared["grade"].interval.method != EXACT_METHOD
    level = compared["grade"].level
    assert compared["yes or no"].interval == difference_interval(differences["yes or no"], level, (0, 1))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 1, "better"),
        (-1, -0.01, "worse"),
        (-0.1, 0.1, "undecided"),
        (0, 0.5, "undecided"),
        (-0.5, 0, "undecided"),
    ],
)
def test_verdict_follows_the_interval(low: float, high: float, expected: Verdict) -> None:
    assert verdict(low, high) == expected


@pytest.mark.parametrize(
    ("verdicts", "questions", "expected"),
    [
        (["better", "undecided"], 100, "better"),
        (["undecided", "worse"], 100, "worse"),
        (["better", "worse", "undecided"], 100, "mixed"),
        (["undecided", "undecided"], 100, "undecided"),
        ([], 100, "undecided"),
        (["better", "better"], 29, "too few"),
        (["better", "better"], 30, "better"),
    ],
)
def test_overall_verdict_needs_one_criterion_and_none_against(
    verdicts: list[Verdict], questions: int, expected: str
) -> None:
    assert overall_verdict(verdicts, questions, min_questions=30) == expected


def test_identical_models_are_undecided_with_a_width_and_without_invented_power() -> None:
    difference = one_difference(scores(5) - scores(5), 0.05, SCALE)

    assert difference is not None
    assert difference.verdict == "undecided"
    assert difference.interval.low < 0 < difference.interval.high
    assert (difference.smallest_detectable, difference.questions_needed) == (None, None)


@pytest.mark.parametrize("level", [0.05, 0.0125])
@pytest.mark.parametrize("questions", [30, 200])
def test_power_figures_agree_with_statsmodels(questions: int, level: float) -> None:
    from statsmodels.stats.power import TTestPower

    effect = TTestPower().solve_power(nobs=questions, alpha=level, power=0.8)

    assert smallest_detectable(0.7, questions, level) == pytest.approx(0.7 * effect, rel=0.01)
    assert questions_needed(-effect, 1.0, level) == pytest.approx(questions, abs=1)


def test_smallest_detectable_difference_is_found_in_four_of_five_repeats() -> None:
    generator = np.random.default_rng(9)
    true_difference = smallest_detectable(1.0, 100, 0.05)
    drawn = generator.normal(true_difference, 1.0, (4_000, 100))

    assert np.mean(scipy.stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)


def test_missing_scores_that_could_turn_the_verdict_are_told() -> None:
    baseline = 1.0 + np.arange(60.0) % 2
    model = np.where(np.arange(60) < 45, baseline + 1, math.nan)

    bounds = missing_bounds(model, baseline, 0.05)

    assert (bounds.questions, bounds.missing) == (60, 15)
    assert bounds.worst == pytest.approx((45 * 1 - sum(baseline[45:] - 1)) / 60)
    assert bounds.best == pytest.approx((45 * 1 + sum(3 - baseline[45:])) / 60)
    assert (bounds.verdict_if_worst, bounds.verdict_if_best) == ("better", "better")
    assert not bounds.could_change_verdict


def test_many_missing_scores_can_turn_the_verdict() -> None:
    baseline = 2.0 + np.arange(60.0) % 2
    model = np.where(np.arange(60) < 30, baseline, math.nan)
    model[:14:2] = 3.0

    bounds = missing_bounds(model, baseline, 0.05)

    assert (bounds.verdict_if_worst, bounds.could_change_verdict) == ("worse", True)


def test_no_missing_scores_leave_the_bounds_at_the_mean() -> None:
    model, baseline = scores(6), scores(7)
    difference = one_difference(model - baseline, 0.05, SCALE)
    assert difference is not None

    bounds = missing_bounds(model, baseline, 0.05)

    assert bounds.missing == 0
    assert bounds.worst == bounds.best == difference.interval.mean
    assert not bounds.could_change_verdict


def test_mean_bounds_fill_in_both_ends_of_the_scale() -> None:
    assert mean_bounds(2.5, scored=8, questions=10) == pytest.approx((2.2, 2.6))
    assert mean_bounds(2.5, scored=10, questions=10) == pytest.approx((2.5, 2.5))


@pytest.mark.parametrize(
    ("low", "high", "decimals"), [(0.1, 0.3, 2), (0.004, 0.3, 3), (-0.2, -0.0004, 4), (0.0, 0.3, 2), (0.005, 1, 2)]
)
def test_shown_limits_keep_their_side_of_zero(low: float, high: float, decimals: int) -> None:
    shown = shown_decimals(low, high)

    assert shown == decimals
    assert [math.copysign(1, float(f"{limit:.{shown}f}")) for limit in (low, high) if limit] == [
        math.copysign(1, limit) for limit in (low, high) if limit
    ]
    assert verdict(float(f"{low:.{shown}f}"), float(f"{high:.{shown}f}")) == verdict(low, high)


def test_a_family_without_differences_seldom_gives_a_verdict_and_one_with_differences_often_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statistics, "_DRAWS", 5_000)
    statistics._normal_draws.cache_clear()
    alike = family_rates(300, 100, SCORES["middle"], 1, 0.0)
    apart = family_rates(100, 100, SCORES["middle"], 1, 0.35)
    statistics._normal_draws.cache_clear()

    assert alike["simultaneous"][0] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    assert alike["uncorrected"][0] > 0.1
    assert apart["simultaneous"][1] >= apart["Bonferroni"][1] - 0.02 > 0.5  # of t, which is never the wider one
