import math

import numpy as np
import pytest

from tests.own_settings import own_params
from tuneproof.scoring.people.asking.planning import ASSUMED_CORRELATION, Open, need_of, plan_lines, sentence
from tuneproof.statistics.corrected import FEWEST_LABELS, corrected, labelled_questions_needed
from tuneproof.statistics.distributions import Array

CLAIM = Open("sft", "accuracy", "improves", tail=0.025)
GUARD = Open("sft", "style", "guard", tail=0.05, margin=0.2)


def world(questions: int, mean: float, correlation: float, seed: int) -> tuple[Array, Array]:
    """The judge's and people's gains on every question."""
    common = np.random.default_rng(seed).standard_normal((2, questions))
    judge, other = common
    people = correlation * judge + math.sqrt(1 - correlation**2) * other
    return mean + judge, mean + people


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("mean", [0.15, 0.3])
def test_so_many_labels_decide_in_four_of_five_repeats(mean: float, correlation: float) -> None:
    questions = 2_000
    needed = labelled_questions_needed(mean, 0.025, 1.0, correlation, questions)
    assert needed is not None
    shown, repeats = 0, 400
    for seed in range(repeats):
        judge, people = world(questions, mean, correlation, seed)
        people[needed:] = np.nan
        found = corrected(people, judge)
        assert found is not None
        shown += found.mean > 1.96 * found.error
    assert 0.72 < shown / repeats < 0.88, (needed, shown / repeats)


def test_a_better_judge_needs_fewer_labels_and_a_smaller_gain_more() -> None:
    by_correlation = [labelled_questions_needed(0.2, 0.025, 1.0, one, 5_000) or 0 for one in (0.0, 0.4, 0.8)]
    assert by_correlation == sorted(by_correlation, reverse=True)
    assert (labelled_questions_needed(0.1, 0.025, 1.0, 0.4, 5_000) or 0) > by_correlation[1]


def test_where_all_questions_are_too_few_no_number_is_said() -> None:
    assert labelled_questions_needed(0.05, 0.025, 1.0, 0.9, 100) is None
    judge, people = world(100, 0.02, 0.6, seed=1)
    need = need_of(CLAIM, judge, people)
    assert need is not None
    assert need.needed is None
    assert "more questions would" in sentence(need, own_params())


def test_without_labels_the_assumption_is_the_judges_and_is_said() -> None:
    judge, people = world(400, 0.3, 0.6, seed=2)
    need = need_of(CLAIM, judge, np.full(400, np.nan))
    assert need is not None
    assert (need.assumed, need.correlation, need.labelled) == (True, ASSUMED_CORRELATION, 0)
    assert need.mean == pytest.approx(judge.mean())
    assert "too few labels to tell" in sentence(need, own_params())
    people[60:] = np.nan
    told = need_of(CLAIM, judge, people)
    assert told is not None
    assert not told.assumed
    assert "correlate at" in sentence(told, own_params())


def test_few_are_never_enough() -> None:
    judge, people = world(400, 2.0, 0.6, seed=3)
    need = need_of(CLAIM, judge, people)
    assert need is not None
    assert need.needed == FEWEST_LABELS


def test_a_guard_is_about_its_margin() -> None:
    judge, _ = world(500, 0.1, 0.6, seed=4)
    need, lost = (need_of(GUARD, judge - drop, np.full(500, np.nan)) for drop in (0.0, 0.8))
    assert need is not None
    assert lost is not None
    assert need.needed is not None
    assert lost.needed is None
    assert "drops by more than 0.2" in sentence(need, own_params())


def test_the_plan_ends_with_the_setting_and_the_assumption() -> None:
    params = own_params()
    judge, people = world(400, 0.3, 0.6, seed=2)
    need = need_of(CLAIM, judge, people)
    assert need is not None
    lines = plan_lines([need], params)
    assert f"people.sample: {3 * (need.needed or 0)}" in lines[1]
    assert lines[2].startswith("Assumed: ")
    assert plan_lines([], params) == []
