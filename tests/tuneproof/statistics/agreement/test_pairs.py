"""A judge of pairs with itself in both orders, and beside people."""

import numpy as np
import pytest

from tuneproof.statistics.agreement.pairs import (
    consistency_above_chance,
    consistency_by_chance,
    favour_of_length,
    order_consistency,
    position_effect,
    share_of_same_winner,
)


def test_a_judge_that_always_prefers_the_first_is_no_better_than_chance() -> None:
    first, second = np.ones(60), np.zeros(60)

    assert order_consistency(first, second) == consistency_by_chance(first, second) == 0
    assert consistency_above_chance(first, second) == 0
    assert position_effect(first, second) == 1


def test_a_judge_that_answers_at_random_is_consistent_as_often_as_chance() -> None:
    first, second = np.random.default_rng(3).integers(0, 2, (2, 20_000)).astype(np.float64)

    assert order_consistency(first, second) == pytest.approx(0.5, abs=0.02)
    assert consistency_above_chance(first, second) == pytest.approx(0, abs=0.03)


def test_a_judge_for_whom_one_model_always_wins_is_wholly_consistent_and_no_chance() -> None:
    assert consistency_above_chance(np.ones(60), np.ones(60)) == 1


def test_a_judge_that_only_calls_ties_says_nothing() -> None:
    assert order_consistency(np.full(9, 0.5), np.full(9, 0.5)) == 1
    assert consistency_above_chance(np.full(9, 0.5), np.full(9, 0.5)) is None


def test_ties_at_random_are_chance_as_well() -> None:
    first, second = np.random.default_rng(5).integers(0, 3, (2, 30_000)) / 2

    assert consistency_by_chance(first, second) == pytest.approx(1 / 3, abs=0.01)
    assert consistency_above_chance(first, second) == pytest.approx(0, abs=0.03)


def test_people_and_judge_agree_on_a_pair_when_they_prefer_the_same_or_neither() -> None:
    people, judge = np.array([1.0, 0.0, 0.5, 0.5]), np.array([0.6, 0.7, 0.5, 0.9])

    assert share_of_same_winner(people, judge) == 0.5


def test_favour_of_length_is_what_the_judge_adds_to_what_people_prefer() -> None:
    people, judge = np.array([0.5, 0.5, 1.0, 0.0]), np.array([1.0, 0.0, 1.0, 0.0])

    assert favour_of_length(people, judge, np.array([50.0, -50.0, 0.0, np.nan])) == 0.5
    assert favour_of_length(people, judge, np.zeros(4)) is None
