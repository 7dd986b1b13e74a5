"""A panel's scores: told apart by judge, and how far they agree."""

import math

import numpy as np
import pytest

from tuneproof.records.rows import Judgement, Reply
from tuneproof.results.analysis.reading.panel import PanelScores, chains, panel_details
from tuneproof.statistics.agreement.raters import weighted_kappa

JUDGES = [{"model": "small", "endpoint": "openai"}, {"model": "large", "endpoint": "openai"}]


def reply(judge: str, attempt: int, score: float | None) -> Reply:
    return Reply(
        judge=judge, model=None, attempt=attempt, status="unreadable" if score is None else "ok",
        scores=None if score is None else {"quality": score}, probabilities=None, analyses=None, reply=None,
        error=None, prompt_tokens=None, reply_tokens=None, key="k",
    )  # fmt: skip


def row(*replies: Reply) -> Judgement:
    return Judgement(
        id="q", sample=0, status="refused", scores=None, analyses=None, answer_cut=False, replies=list(replies)
    )


def textbook_kappa(one: list[int], other: list[int], steps: int) -> float:
    """Cohen's kappa with quadratic weights from its table of counts."""
    table = np.zeros((steps, steps))
    for place in zip(one, other, strict=True):
        table[place] += 1
    weights = np.subtract.outer(np.arange(steps), np.arange(steps)) ** 2
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(1 - (weights * table).sum() / (weights * chance).sum())


def test_kappa_is_the_textbooks_on_steps() -> None:
    one, other = [0, 1, 2, 3, 3, 1, 0, 2, 2], [0, 2, 2, 3, 1, 1, 0, 3, 2]
    found = weighted_kappa(np.array(one, float), np.array(other, float))
    assert found == pytest.approx(textbook_kappa(one, other, 4))


def test_kappa_is_none_where_nothing_varies_and_negative_where_judges_disagree() -> None:
    constant = np.array([2.0, 2.0])
    assert weighted_kappa(constant, constant) is None
    assert weighted_kappa(np.full(3, 0.1), np.full(3, 0.1)) is None
    assert weighted_kappa(constant, constant + 1) == 0
    assert weighted_kappa(np.array([1.0, 3.0]), np.array([3.0, 1.0])) == -1


def test_means_spread_and_agreement_are_over_the_answers_that_were_scored() -> None:
    nothing = math.nan
    found = panel_details(["small", "large"], np.array([[1, 2, 3, 3, nothing], [1, 3, 3, nothing, 2]]))
    assert {name: (one.mean, one.scored) for name, one in found.judges.items()} == {
        "small": (2.25, 4), "large": (2.25, 4),
    }  # fmt: skip
    assert found.shared == 3
    assert found.spread == pytest.approx(1 / 3)
    assert found.exact_agreement == pytest.approx(2 / 3)
    assert found.weighted_kappa == pytest.approx(textbook_kappa([0, 1, 2], [0, 2, 2], 3))


def test_agreement_of_three_is_the_mean_over_pairs_and_the_spread_is_over_all() -> None:
    found = panel_details(["a", "b", "c"], np.array([[1, 3], [1, 3], [3, 3]]))
    assert found.spread == 1
    assert found.exact_agreement == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert found.weighted_kappa == pytest.approx((1 + 0 + 0) / 3)


def test_judges_that_share_no_answer_have_no_agreement() -> None:
    found = panel_details(["a", "b"], np.array([[1, math.nan], [math.nan, math.nan]]))
    assert (found.judges["b"].mean, found.judges["b"].scored, found.shared) == (None, 0, 0)
    assert (found.spread, found.exact_agreement, found.weighted_kappa) == (None, None, None)


def test_further_attempts_belong_to_the_score_that_they_were_asked_for() -> None:
    replies = [reply("small", 1, None), reply("small", 2, 3), reply("small", 1, 2), reply("large", 1, 1)]
    assert [len(chain) for chain in chains(replies)] == [2, 1, 1]
    assert list(chains([])) == []


def test_a_judges_score_is_the_mean_of_its_usable_samples() -> None:
    panel = PanelScores(JUDGES, 2, ["quality"])
    first = [reply("small", 1, None), reply("small", 2, 3), reply("small", 1, 2)]
    panel.add(row(*first, reply("large", 1, 2), reply("large", 1, None)))
    panel.add(row())
    found = panel.details()["quality"]
    assert (found.judges["small"].mean, found.judges["large"].mean, found.shared) == (2.5, 2, 1)
    assert found.spread == 0.5


def test_one_model_at_two_endpoints_is_told_apart() -> None:
    panel = PanelScores([{"model": "m", "endpoint": "here"}, {"model": "m", "endpoint": "there"}], 1, ["quality"])
    panel.add(row(reply("m", 1, 1), reply("m", 1, 3)))
    judges = panel.details()["quality"].judges
    assert {name: one.mean for name, one in judges.items()} == {"m at here": 1, "m at there": 3}
