"""The parts of the analysis that no other test reaches: ranks, length groups, distributions, missing scores."""

import numpy as np
import pytest
import scipy

from tuneproof.results.analysis.criteria import (
    MOST_LENGTH_BINS,
    QUESTIONS_PER_LENGTH_BIN,
    distribution,
    length_bins,
    missing_scores,
)
from tuneproof.results.details.run import Criterion, RubricCriterion
from tuneproof.statistics.agreement.scores import rank_correlation, ranks

RUBRIC = RubricCriterion(question="Is it good?", scale={"1": "no", "2": "partly", "3": "yes"})
MEASURED = Criterion(source="judge", low=1, high=3, step=1, role="improves")


def test_ranks_and_their_correlation_are_those_of_scipy() -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        first, second = generator.integers(1, 6, 50).astype(float), generator.normal(size=50)
        assert ranks(first) == pytest.approx(scipy.stats.rankdata(first))
        assert rank_correlation(first, second) == pytest.approx(scipy.stats.spearmanr(first, second).statistic)


def test_a_correlation_needs_variation_and_both_values() -> None:
    nan = float("nan")
    assert rank_correlation(np.array([1.0, 1, 1, 1]), np.array([1.0, 2, 3, 4])) is None
    assert rank_correlation(np.array([1.0, nan, 3, nan]), np.array([nan, 2.0, 3, 4])) is None
    assert rank_correlation(np.array([1.0, 2, 3, nan]), np.array([5.0, 6, 7, 0])) == pytest.approx(1)


def test_length_groups_hold_every_scored_question_once_and_ascend() -> None:
    generator = np.random.default_rng(4)
    characters, scores = generator.integers(10, 2_000, 200).astype(float), generator.integers(1, 4, 200).astype(float)
    scores[:15] = np.nan
    groups = length_bins(characters, scores, 0.05, MEASURED)
    assert len(groups) == MOST_LENGTH_BINS
    assert sum(group.questions for group in groups) == 185
    assert [group.characters for group in groups] == sorted(group.characters for group in groups)
    total = sum(group.mean * group.questions for group in groups)
    assert total == pytest.approx(np.nansum(scores))


def test_few_questions_form_one_group_and_none_form_none() -> None:
    few = np.arange(1.0, QUESTIONS_PER_LENGTH_BIN)
    assert len(length_bins(few, np.full(few.shape, 2.0), 0.05, MEASURED)) == 1
    assert length_bins(few, np.full(few.shape, np.nan), 0.05, MEASURED) == []


def test_a_mean_over_judges_counts_at_the_nearest_step_and_halfway_at_the_lower() -> None:
    scores = np.array([1, 1.4, 1.5, 1.6, 2.5, 3, np.nan])
    assert distribution(scores, RUBRIC) == {"1": 3, "2": 2, "3": 1}
    assert distribution(np.array([np.nan]), RUBRIC) == {"1": 0, "2": 0, "3": 0}


def test_missing_scores_are_filled_by_the_ends_of_the_scale() -> None:
    model, baseline = np.array([3.0, 3, np.nan, 2]), np.array([1.0, np.nan, 1, 2])
    found = missing_scores(model, baseline, 0.05, MEASURED)
    assert found.missing == 2
    assert found.worst == pytest.approx(((3 - 1) + (3 - 3) + (1 - 1) + 0) / 4)
    assert found.best == pytest.approx(((3 - 1) + (3 - 1) + (3 - 1) + 0) / 4)
