"""A judge's scores beside people's."""

import numpy as np
import pytest
import scipy

from tuneproof.statistics.agreement.scores import (
    ScoreBias,
    area_under_curve,
    bias_by_score,
    confusion,
    length_effect,
    mean_difference,
    nearest_steps,
    rank_correlation,
    share_of_same_step,
)

STEPS = (1.0, 2.0, 3.0)


@pytest.mark.parametrize("seed", range(20))
def test_area_and_rank_correlation_are_those_of_the_libraries(seed: int) -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(seed)
    people = random.integers(1, 4, 50).astype(np.float64)
    judge = np.round(people + random.normal(0, 1, 50), 1)

    assert area_under_curve(people >= 2, judge) == pytest.approx(roc_auc_score(people >= 2, judge))
    assert rank_correlation(people, judge) == pytest.approx(scipy.stats.spearmanr(people, judge).statistic)


def test_an_area_needs_answers_on_both_sides() -> None:
    assert area_under_curve(np.array([True, True]), np.array([1.0, 2.0])) is None


def test_the_confusion_is_scikit_learns_with_scores_at_their_nearest_step() -> None:
    from sklearn.metrics import confusion_matrix

    random = np.random.default_rng(1)
    people, judge = random.integers(1, 4, 80).astype(np.float64), random.uniform(1, 3, 80)

    theirs = confusion_matrix(people, 1 + nearest_steps(judge, STEPS), labels=STEPS)

    assert np.array_equal(confusion(people, judge, STEPS), theirs)
    assert confusion(people, judge, STEPS).sum() == 80


def test_halfway_between_two_steps_counts_for_the_lower_one() -> None:
    assert list(nearest_steps(np.array([1.5, 2.5, 2.51]), (3, 1, 2))) == [0, 1, 2]


def test_bias_is_told_by_the_score_that_people_gave() -> None:
    people, judge = np.array([1.0, 1.0, 3.0]), np.array([2.0, 1.5, 2.0])

    assert bias_by_score(people, judge, STEPS) == [ScoreBias(1.0, 2, 0.75), ScoreBias(3.0, 1, -1.0)]
    assert mean_difference(people, judge) == pytest.approx(0.5 / 3)
    assert share_of_same_step(people, judge, STEPS) == pytest.approx(1 / 3)


def test_a_judge_that_likes_length_is_told_from_one_that_scores_as_people_do() -> None:
    random = np.random.default_rng(2)
    people, lengths = random.integers(1, 4, 300).astype(np.float64), random.uniform(10, 900, 300)
    honest = people + random.normal(0, 0.3, 300)

    assert abs(length_effect(people, honest, lengths) or 0) < 0.15
    assert (length_effect(people, honest + lengths / 900, lengths) or 0) > 0.5
