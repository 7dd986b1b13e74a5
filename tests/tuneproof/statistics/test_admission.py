import math

import numpy as np
import pytest

from tuneproof.statistics import admission
from tuneproof.statistics.distributions import student_t_critical

QUESTIONS = [place // 3 for place in range(60)]
GRADES = np.array([1.0, 2.0, 3.0] * 20)


def scores(seed: int, wrong: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(60) < wrong, rng.integers(1, 4, 60), GRADES).astype(float)


def test_the_jackknife_of_a_mean_is_students_t_over_questions() -> None:
    values = np.random.default_rng(1).normal(0, 0.2, 60)
    found = admission.by_jackknife(lambda kept: float(values[kept].mean()), np.arange(60), QUESTIONS, 0.05)
    means = values.reshape(20, 3).mean(axis=1)
    width = student_t_critical(0.05, 19) * means.std(ddof=1) / math.sqrt(20)
    assert found is not None
    assert found.low == pytest.approx(means.mean() - width)
    assert found.high == pytest.approx(means.mean() + width)


def test_a_judge_that_reads_reaches_the_bar_and_one_that_does_not_is_no_better_than_chance() -> None:
    good, random = (admission.agreement(scores(1, wrong), GRADES, QUESTIONS) for wrong in (0.3, 1.0))
    assert admission.reaches(good, 0.4)
    assert not admission.better_than_chance(random)
    assert not admission.reaches(random, 0.0)


def test_perfect_agreement_has_an_interval_and_a_constant_judge_has_no_figure() -> None:
    found = admission.agreement(GRADES, GRADES, QUESTIONS)
    assert found is not None
    assert (found.value, found.high) == (1, 1)
    assert 0.8 < (found.low or 0) < 1
    assert not admission.better_than_chance(admission.agreement(np.full(60, 3.0), GRADES, QUESTIONS))
    assert admission.agreement(np.full(60, np.nan), GRADES, QUESTIONS) is None


def test_what_is_not_scored_or_not_graded_is_left_out() -> None:
    holes, grades = scores(1, 0.3), GRADES.copy()
    holes[:6], grades[-6:] = np.nan, np.nan
    found = admission.agreement(holes, grades, QUESTIONS)
    assert found == admission.agreement(holes[6:-6], grades[6:-6], QUESTIONS[6:-6])


def test_one_that_always_prefers_the_first_is_at_chance_over_both_orders() -> None:
    first, second = np.ones(60), np.zeros(60)
    assert admission.consistency(first, second, QUESTIONS).value == 0
    assert not admission.better_than_chance(admission.above_chance(first, second, QUESTIONS))
    reads = np.array([1.0, 0.0] * 30)
    assert admission.better_than_chance(admission.above_chance(reads, reads, QUESTIONS))
    assert admission.above_chance(np.full(60, 0.5), np.full(60, 0.5), QUESTIONS) is None


def test_a_judge_as_good_as_a_second_grader_is_not_shown_to_be_below_and_a_random_one_is() -> None:
    second = scores(2, 0.3)
    alike = admission.beside_people(scores(3, 0.3), second, GRADES, QUESTIONS)
    random = admission.beside_people(scores(4, 1.0), second, GRADES, QUESTIONS)
    assert not admission.shown_below(alike)
    assert admission.shown_below(random)
    assert admission.shown_below(None)


def test_an_attack_counts_only_beyond_what_asking_again_does() -> None:
    rose, again = np.array([1.0] * 12 + [0.0] * 18), np.array([0.0] * 12 + [1.0] * 12 + [0.0] * 6)
    assert admission.better_than_chance(admission.raised(rose, np.zeros(30)))
    assert admission.raised(rose, again).value == 0
    assert not admission.better_than_chance(admission.raised(rose, again))


def test_drift_is_told_rarely_of_a_judge_that_has_not_moved_and_mostly_of_one_that_has() -> None:
    def asked(rng: np.random.Generator, less: float) -> np.ndarray:
        noise = rng.choice([-1, 0, 0, 0, 1], (2, 60))
        return np.asarray(np.clip(GRADES + noise - less, 1, 3))

    told = dict.fromkeys((0, 1), 0)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        before = asked(rng, 0)
        for less in told:
            told[less] += admission.drifted(before, asked(rng, less), QUESTIONS)
    assert told[0] <= 9
    assert told[1] >= 250


def test_a_judge_that_answers_the_same_each_time_has_not_drifted_and_one_answer_more_is_no_drift() -> None:
    before = np.array([GRADES, GRADES])
    assert not admission.drifted(before, before, QUESTIONS)
    once = before.copy()
    once[:, 0] = 2
    assert not admission.drifted(before, once, QUESTIONS)
