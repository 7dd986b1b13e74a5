"""Scores in people's units."""

import math

import numpy as np
import pytest
import scipy

from tuneproof.statistics.corrected import (
    FEWEST_LABELS,
    METHOD,
    Corrected,
    corrected,
    corrected_difference,
    corrected_guard,
    simultaneous_corrected,
)
from tuneproof.statistics.differences import simultaneous_differences
from tuneproof.statistics.distributions import Array

SCALE = (1.0, 3.0)


def labelled(
    seed: int, labels: int, questions: int = 400, bias: float = 0.5, noise: float = 0.4
) -> tuple[Array, Array]:
    """People's scores, NaN where they rated nothing, and those of a judge that scores too high."""
    random = np.random.default_rng(seed)
    truth = random.integers(1, 4, questions).astype(np.float64)
    judge = truth + bias + random.normal(0, noise, questions)
    people = np.full(questions, np.nan)
    asked = random.choice(questions, labels, replace=False)
    people[asked] = truth[asked]
    return people, judge


def found_in(people: Array, judge: Array) -> Corrected:
    found = corrected(people, judge)
    assert found is not None
    return found


def test_the_estimate_is_that_of_the_paper() -> None:
    people, judge = labelled(1, 80)
    known = ~np.isnan(people)
    y, f, elsewhere = people[known], judge[known], judge[~known]

    found = found_in(people, judge)

    ratio = len(y) / len(elsewhere)
    weight = np.cov(y, f)[0, 1] / (judge.var(ddof=1) * (1 + ratio))
    assert found.weight == pytest.approx(weight)
    assert found.mean == pytest.approx(weight * elsewhere.mean() + np.mean(y - weight * f))
    rectified = (y - weight * f).var(ddof=1) * (len(y) - 1) / (len(y) - 2)
    assert found.error == pytest.approx(
        math.sqrt(rectified / len(y) + weight**2 * elsewhere.var(ddof=1) / len(elsewhere))
    )
    assert found.worth == math.floor(y.var(ddof=1) / found.error**2) - len(y) > 50


def test_a_biased_judge_is_set_right_where_its_own_mean_is_not_near() -> None:
    people, judge = labelled(2, 100)

    interval = found_in(people, judge).interval(0.05, SCALE)

    assert interval.low < 2 < interval.high
    assert interval.high - interval.low < 0.25
    assert judge.mean() > 2.4
    assert (interval.method, interval.caution) == (METHOD, None)


def test_a_judge_that_says_nothing_of_people_leaves_the_labels_alone() -> None:
    people, _ = labelled(3, 60)
    judge = np.random.default_rng(30).permutation(400) / 100

    found = found_in(people, judge)
    constant = found_in(people, np.full(400, 2.0))

    assert found.weight < 0.2
    assert found.mean == pytest.approx(np.nanmean(people), abs=0.1)
    assert (constant.weight, constant.worth) == (0, 0)
    assert constant.mean == pytest.approx(np.nanmean(people))
    assert constant.error == pytest.approx(np.nanstd(people, ddof=1) / math.sqrt(60))


def test_with_a_label_on_every_question_the_judge_is_not_needed() -> None:
    people, judge = labelled(4, 60, questions=60)

    found = found_in(people, judge)

    assert (found.weight, found.worth) == (0, 0)
    assert found.mean == pytest.approx(people.mean())


def test_a_judge_that_runs_against_people_is_not_believed() -> None:
    people, judge = labelled(5, 60)

    assert found_in(people, -judge).weight == 0


def test_questions_that_the_judge_did_not_score_are_left_out() -> None:
    people, judge = labelled(6, 90)
    judge[:100] = np.nan

    found, rest = found_in(people, judge), found_in(people[100:], judge[100:])

    assert (found.mean, found.error, found.labels) == (rest.mean, rest.error, rest.labels)
    assert np.isnan(found.influences[:100]).all()


def test_two_labels_estimate_nothing() -> None:
    people, judge = labelled(7, 2)

    assert corrected(people, judge) is None
    assert found_in(*labelled(7, 3)).interval(0.05, SCALE).caution == "only 3 labelled questions"


def test_labels_that_are_all_equal_are_not_certain() -> None:
    people, judge = labelled(8, 50)
    people[~np.isnan(people)] = 3.0

    interval = found_in(people, judge).interval(0.05, SCALE)

    assert interval.mean == interval.high == 3
    assert interval.low == pytest.approx(3 - (1 - 0.05 ** (1 / 50)) * 2)


def test_influences_have_the_estimates_mean_and_error() -> None:
    found = found_in(*labelled(9, 80))

    assert found.influences.mean() == pytest.approx(found.mean)
    assert found.influences.std() / math.sqrt(400) == pytest.approx(found.error, rel=0.02)


def test_gains_in_a_family_hold_together_beside_criteria_that_nobody_rates() -> None:
    gains = {("sft", name): found_in(*labelled(seed, 100, bias=0)) for seed, name in enumerate(("accuracy", "style"))}
    plain = np.random.default_rng(3).normal(0.3, 0.5, 400).clip(-1, 1)
    scales = dict.fromkeys([*gains, ("sft", "finished")], SCALE) | {("sft", "finished"): (0.0, 1.0)}

    alone = corrected_difference(gains["sft", "style"], 0.05, SCALE)
    found = simultaneous_corrected({**gains, ("sft", "finished"): plain}, 0.05, scales)

    assert list(found) == list(scales)
    assert {one.level for one in found.values()} == {found["sft", "style"].level}
    assert 0.05 / 3 <= found["sft", "style"].level < 0.05
    assert found["sft", "style"].interval.low < alone.interval.low
    assert found["sft", "style"].questions == 100
    assert found["sft", "finished"].questions == 400


def test_where_nothing_is_corrected_it_is_the_ordinary_family() -> None:
    random = np.random.default_rng(4)
    values = {("sft", name): random.normal(0.1, 0.6, 90).clip(-2, 2) for name in ("accuracy", "style")}
    scales = dict.fromkeys(values, SCALE)

    assert simultaneous_corrected(values, 0.05, scales) == simultaneous_differences(values, 0.05, scales)


def test_what_is_needed_is_counted_in_labelled_questions() -> None:
    people, judge = labelled(10, 60)

    difference = corrected_difference(found_in(people - 1.9, judge), 0.05, SCALE)

    assert difference.verdict == "undecided"
    assert difference.questions_needed is not None
    assert difference.questions_needed > 60
    assert difference.smallest_detectable is not None


def test_a_guard_is_tested_on_what_people_would_say() -> None:
    people, judge = labelled(11, 100)
    equal, dropped = found_in(people - 2, judge), found_in(people - 3, judge)

    assert corrected_guard(equal, 0.5, 0.05, SCALE).outcome == "held"
    assert corrected_guard(equal, 0.5, 0.05, SCALE).questions_needed is None
    assert corrected_guard(dropped, 0.1, 0.05, SCALE).outcome == "dropped"
    assert corrected_guard(equal, 0.05, 0.05, SCALE).outcome == "open"
    assert (corrected_guard(equal, 0.05, 0.05, SCALE).questions_needed or 0) > 100
    few = corrected_guard(found_in(*labelled(11, 40)), 1.9, 0.05, SCALE)
    assert few.outcome == corrected_guard(None, 0.1, 0.05, SCALE).outcome == "too few"
    assert few.questions_needed == FEWEST_LABELS


def test_a_guards_limits_are_one_sided() -> None:
    found = found_in(*labelled(12, 100))

    low, high = found.limits(0.05, 0.05 / 4, (1.5, 2.5))

    reach = scipy.stats.t.ppf(0.95, 98) * found.error
    assert (low, high) == pytest.approx((found.mean - reach, found.mean + reach))
