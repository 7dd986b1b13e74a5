from pathlib import Path

import pytest

from tests.made_up.aggregated_run import details
from tuneproof.results.details.changes import Loss
from tuneproof.results.details.model import Details
from tuneproof.results.words.doubts.levels import (
    floor_sentence,
    level_text,
    lost_level_sentence,
    low_level_sentence,
)


@pytest.fixture
def models(aggregated: Path) -> list[Details]:
    return [details(aggregated, model) for model in ("sft", "baseline")]


def with_level(model: Details, mean: float | None, lowest: int) -> Details:
    changed = {"mean": mean, "distribution": {"1": lowest, "2": 10 - lowest, "3": 0}}
    accuracy = model.criteria["accuracy"].model_copy(update=changed)
    return model.model_copy(update={"criteria": model.criteria | {"accuracy": accuracy}})


def test_a_gain_stands_with_both_means_and_the_share_of_answers_at_the_lowest_score(models: list[Details]) -> None:
    sft, baseline = with_level(models[0], 1.29, 8), with_level(models[1], 1.03, 10)
    assert level_text(sft, baseline, "accuracy") == (
        "mean 1.03 → 1.29 on a scale of 1 to 3; answers nearest to the lowest score 100% → 80%, to the highest 0% → 0%"
    )
    assert level_text(with_level(sft, None, 0), baseline, "accuracy").startswith(
        "mean 1.03 → - on a scale of 1 to 3; answers"
    )


def test_a_model_that_gained_and_is_mostly_at_the_lowest_score_is_said_to_be(models: list[Details]) -> None:
    assert low_level_sentence(with_level(models[0], 1.29, 8)) == (
        "Most of its answers are still nearest to the lowest score in accuracy."
    )
    assert low_level_sentence(with_level(models[0], 1.6, 5)) == ""


def test_where_nearly_all_of_the_baselines_answers_cannot_get_worse_it_is_said(models: list[Details]) -> None:
    assert floor_sentence(with_level(models[1], 1.1, 9)) == (
        "Of baseline's answers 90% in accuracy are nearest to the lowest score already: these can hardly get worse, so "
        "that few losses say little there."
    )
    assert floor_sentence(with_level(models[1], 1.2, 8)) == ""


def test_of_yes_and_no_the_mean_says_it_all(models: list[Details]) -> None:
    rubric = models[0].run.rubric["accuracy"].model_copy(update={"scale": {"0": "No.", "1": "Yes."}})
    run = models[0].run.model_copy(update={"rubric": {"accuracy": rubric}})
    sft, baseline = (one.model_copy(update={"run": run}) for one in models)
    assert "lowest" not in level_text(sft, baseline, "accuracy")


def test_where_both_models_stand_on_the_worst_questions_is_said_beside_where_they_stand(models: list[Details]) -> None:
    sft, baseline = with_level(models[0], 2.0, 1), with_level(models[1], 1.5, 6)
    lost = [
        Loss(question=one, share=-0.5, baseline={"accuracy": before}, model={"accuracy": 1.0}, fell=["accuracy"])
        for one, before in (("a", 2.0), ("b", 3.0))
    ]
    assert lost_level_sentence(sft.model_copy(update={"losses": lost}), baseline) == (
        "On these 2 questions baseline has 2.50 in accuracy (1.50 over all), sft has 1.00 in accuracy (2.00 over all); "
        "baseline stands high here, by luck or by a mistake of the judge."
    )
    usual = with_level(models[1], 2.25, 6)
    assert "stands high" not in lost_level_sentence(sft.model_copy(update={"losses": lost}), usual)
    alone = lost_level_sentence(sft.model_copy(update={"losses": lost[:1]}), baseline)
    assert alone.startswith("On this question baseline has 2.00 in accuracy")
    assert lost_level_sentence(sft.model_copy(update={"losses": []}), baseline) == ""
