"""The section evaluator says what is wrong with it in words that help."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.own_settings import OWN
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import embedded_params


def read(**evaluator: Any) -> Params:
    return Params.model_validate(OWN | {"evaluator": evaluator})


def test_it_is_off_by_default() -> None:
    assert Params.model_validate(OWN).evaluator.criteria == {}


def test_a_criterion_that_is_only_named_takes_the_defaults() -> None:
    assert read(criteria={"accuracy": None}).evaluator.criteria["accuracy"].columns == (
        "input", "output", "ground_truth",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("evaluator", "found"),
    [
        ({"criteria": {"Accuracy": {}}}, "cannot name a criterion"),
        ({"criteria": {"acuracy": {}}}, "did you mean 'accuracy'"),
        ({"criteria": {"accuracy": {"columns": ["input"]}}}, "name output"),
        ({"criteria": {"accuracy": {"columns": ["output", "answer"]}}}, "columns"),
        ({"criteria": {"accuracy": {"classes": ["good"]}}}, "at least two"),
        ({"test": 0.9}, "less than 0.5"),
        ({"weights": {"people": 0}}, "greater than 0"),
        ({"track": "mlflow"}, "wandb"),
        ({"trainig": {}}, "did you mean 'training'"),
    ],
)
def test_a_mistake_is_named(evaluator: dict[str, Any], found: str) -> None:
    with pytest.raises(ValidationError, match=found):
        read(**evaluator)


def test_a_file_may_have_criteria_that_the_judge_has_not() -> None:
    assert read(criteria={"toxic": {"columns": ["output"]}}, data="labels.csv").evaluator.data == "labels.csv"


def test_in_the_embedded_world_nothing_is_downloaded_and_no_own_file_read() -> None:
    settings = read(criteria={"accuracy": {}, "toxic": {}}, data="labels.csv", base="answerdotai/ModernBERT-base")
    world = embedded_params(settings).evaluator
    assert (list(world.criteria), world.base, world.data) == (["accuracy"], "embedded", None)
