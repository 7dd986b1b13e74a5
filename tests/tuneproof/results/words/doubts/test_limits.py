from pathlib import Path

import pytest

from tests.made_up.aggregated_run import details
from tuneproof.results.details.model import Details
from tuneproof.results.details.slices import Finished, SliceScore
from tuneproof.results.words.doubts.limits import cut_off_sentence, finished_sentence


@pytest.fixture
def models(aggregated: Path) -> list[Details]:
    return [details(aggregated, model) for model in ("sft", "baseline")]


def cut_off(model: Details, count: int, finished: Finished | None = None) -> Details:
    finish = {"length": count, "stop": 48 - count}
    changed = {"answers": 48, "finish_reasons": finish, "verdict": "better", "finished": finished}
    return model.model_copy(update=changed)


def over(questions: int, paired: int) -> Finished:
    score = SliceScore(
        mean=2.0, low=1.8, high=2.2, scored=paired, gain=0.42, gain_low=0.1, gain_high=0.74, paired=paired
    )
    return Finished(questions=questions, criteria={"accuracy": score, "style": score.model_copy(update={"gain": -0.2})})


def test_a_baseline_that_was_often_cut_off_is_said_beside_the_gain(models: list[Details]) -> None:
    assert cut_off_sentence(cut_off(models[0], 2), cut_off(models[1], 21)) == (
        "21 of 48 answers of baseline were cut off at the limit of tokens (2 of 48 here), so that limit may explain a "
        "part of the gain."
    )
    assert "the limit of 1,024 tokens" in cut_off_sentence(cut_off(models[0], 2), cut_off(models[1], 21), 1024)
    assert cut_off_sentence(cut_off(models[0], 2), cut_off(models[1], 4)) == "", "too few to matter"
    assert cut_off_sentence(cut_off(models[0], 30), cut_off(models[1], 21)) == "", "the model was cut off more often"


def test_the_gain_over_what_the_baseline_finished_stands_beside_that_caution(models: list[Details]) -> None:
    baseline = cut_off(models[1], 21)
    accuracy, style = (f"(over all {models[0].criteria[name].gain:+.2f})" for name in ("accuracy", "style"))
    assert finished_sentence(cut_off(models[0], 2, over(31, 31)), baseline) == (
        f"Over the 31 questions that baseline finished: accuracy +0.42 [+0.10, +0.74] {accuracy}, style -0.20 "
        f"[+0.10, +0.74] {style} (exploratory: each interval alone, and these may be the easier questions)."
    )
    better = models[0].criteria["accuracy"].model_copy(update={"verdict": "better"})
    gained = models[0].model_copy(update={"criteria": models[0].criteria | {"accuracy": better}})
    held = finished_sentence(cut_off(gained, 2, over(31, 31)), baseline)
    assert held.endswith("easier questions); a gain is shown there too, so the limit is not all of it.")
    assert finished_sentence(cut_off(models[0], 30, over(31, 31)), baseline) == "", "no caution, no sentence"
    assert finished_sentence(cut_off(models[0], 2), baseline) == ""


def test_a_gain_over_very_few_finished_questions_has_no_number(models: list[Details]) -> None:
    baseline = cut_off(models[1], 46)
    few = "baseline finished only {}, too few to say what the gain is over them."
    assert finished_sentence(cut_off(models[0], 2, over(4, 4)), baseline) == few.format("4 questions")
    assert finished_sentence(cut_off(models[0], 2, over(1, 1)), baseline) == few.format("1 question")
    none = Finished(questions=0, criteria={})
    assert finished_sentence(cut_off(models[0], 2, none), baseline) == few.format("0 questions")
    assert "4" not in finished_sentence(cut_off(models[0], 2, over(9, 4)), baseline), "scored in four of nine"
