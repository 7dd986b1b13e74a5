from pathlib import Path

import pytest

from tests.made_up.aggregated_run import details
from tuneproof.results.details.criteria import Collapses
from tuneproof.results.details.model import Details
from tuneproof.results.details.run import PlanDetails, RunDetails
from tuneproof.results.words.decisions import beside_the_rule, collapse_sentence, rule_sentence
from tuneproof.settings.evidence.decision import COLLAPSES


@pytest.fixture
def sft(aggregated: Path) -> Details:
    return details(aggregated, "sft")


def with_plan(
    run: RunDetails, improves: list[str], in_order: bool = False, guards: dict[str, float] | None = None
) -> RunDetails:
    plan = PlanDetails(key="k", improves=improves, in_order=in_order, must_not_drop=guards or {})
    return run.model_copy(update={"plan": plan, "sharing": 4})


def test_the_rule_by_which_a_model_ships_stands_as_a_whole(sft: Details) -> None:
    assert rule_sentence(with_plan(sft.run, ["accuracy", "style"])) == (
        "Ship: better in accuracy or style (95% over 4 comparisons) and shown to be worse in neither."
    )
    assert rule_sentence(with_plan(sft.run, ["accuracy"], guards={"style": 0.1, COLLAPSES: 0.02})) == (
        "Ship: better in accuracy (95% over 4 comparisons); no drop of more than 0.1 in style; "
        "collapses on at most 0.02 of the questions."
    )
    assert rule_sentence(with_plan(sft.run, ["accuracy", "style"], in_order=True)).startswith(
        "Ship: better in accuracy, then style, tested in this order (95% over 4 models)"
    )
    assert rule_sentence(sft.run.model_copy(update={"plan": None})) == ""


def test_a_win_rate_that_decides_nothing_is_said_to(sft: Details) -> None:
    assert sft.win_rate
    assert beside_the_rule([sft]) == "The win rate decides nothing."
    assert beside_the_rule([sft.model_copy(update={"win_rate": None})]) == ""


@pytest.mark.parametrize(
    ("worsened", "samples", "ending"),
    [
        (5, 1, "; 4 of the 5 questions that got worse fell that far."),
        (4, 1, "; all the 4 questions that got worse fell that far."),
        (5, 2, "or by half a step down to the lowest score)."),
        (0, 1, "or by half a step down to the lowest score)."),
    ],
)
def test_collapses_stand_beside_the_questions_that_got_worse(
    sft: Details, worsened: int, samples: int, ending: str
) -> None:
    collapses = Collapses(share=0.1, low=0.04, high=0.24, questions=40, of_baseline=None)
    changed = sft.model_copy(update={"collapses": collapses, "worsened": worsened, "samples": samples})
    assert "on 10.0% [4.0%, 24.0%] of 40 questions" in collapse_sentence(changed)
    assert collapse_sentence(changed).endswith(ending)
