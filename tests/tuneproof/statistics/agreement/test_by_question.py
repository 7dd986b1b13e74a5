"""Intervals over whole questions."""

import numpy as np
import pytest

from tuneproof.statistics.agreement.by_question import estimate, question_draws
from tuneproof.statistics.agreement.raters import kappa, krippendorff_alpha, weighted_kappa
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.limits.collapses import unseen_share


def test_a_draw_takes_questions_whole() -> None:
    questions = ["a", "b", "a", "c", "b", "a"]

    draws = question_draws(questions)

    assert draws.questions == 3
    assert len(draws.places) == 500
    for places in draws.places[:50]:
        drawn = np.bincount(places, minlength=6)
        assert drawn[0] == drawn[2] == drawn[5]
        assert drawn[1] == drawn[4]
        assert drawn[0] + drawn[1] + drawn[3] == 3


def test_the_same_ratings_give_the_same_interval_and_answers_to_one_question_widen_it() -> None:
    random = np.random.default_rng(0)
    people = random.integers(1, 4, 40).astype(np.float64)
    judge = people + random.normal(0, 1, 40)
    four_times: list[Array] = [np.repeat(people, 4), np.repeat(judge, 4)]

    alone = estimate(weighted_kappa, [people, judge], question_draws(range(40)))
    clustered = estimate(weighted_kappa, four_times, question_draws(np.repeat(np.arange(40), 4).tolist()))
    naive = estimate(weighted_kappa, four_times, question_draws(range(160)))

    assert alone == estimate(weighted_kappa, [people, judge], question_draws(range(40)))
    assert alone == clustered
    assert alone and naive and alone.low and alone.high and naive.low and naive.high
    assert alone.low < alone.value < alone.high
    assert naive.high - naive.low < 0.7 * (alone.high - alone.low)


def test_the_interval_covers_what_many_answers_would_show() -> None:
    def world(random: np.random.Generator, answers: int) -> list[Array]:
        people = random.integers(1, 4, answers).astype(np.float64)
        return [people, np.clip(people + random.integers(-1, 2, answers), 1, 3)]

    truth = weighted_kappa(*world(np.random.default_rng(1), 200_000)) or 0.0
    covered = 0
    for seed in range(100):
        found = estimate(weighted_kappa, world(np.random.default_rng(100 + seed), 80), question_draws(range(80)))
        assert found and found.low is not None and found.high is not None
        covered += found.low <= truth <= found.high

    assert covered >= 85


@pytest.mark.parametrize("questions", [10, 40, 200])
def test_perfect_agreement_is_not_certain(questions: int) -> None:
    ratings = np.tile(np.arange(questions) % 3 + 1.0, (2, 1))

    found = estimate(krippendorff_alpha, [ratings], question_draws(range(questions)))

    assert found is not None
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(1 - unseen_share(questions, 0.05))


def test_a_figure_that_is_not_there_has_no_interval() -> None:
    same, once = np.full(5, 2.0), np.array([1.0, 1.0, 1.0, 1.0, 3.0])

    assert estimate(weighted_kappa, [same, same], question_draws(range(5))) is None
    found = estimate(lambda one, other: kappa(one, other, "nominal"), [once, once], question_draws(range(5)))
    assert found is not None
    assert (found.value, found.low, found.high) == (1, None, None)
    assert estimate(weighted_kappa, [same[:0], same[:0]], question_draws([])) is None
