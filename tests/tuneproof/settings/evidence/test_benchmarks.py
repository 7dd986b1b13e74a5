from typing import Any

import pytest
from pydantic import ValidationError

from tests.own_settings import OWN
from tuneproof.settings.evidence.benchmarks import Benchmarks
from tuneproof.settings.params import Params


def with_tasks(**tasks: Any) -> Params:
    return Params.model_validate(OWN | {"benchmark": {"tasks": tasks}})


def test_nothing_is_asked_by_default() -> None:
    assert Benchmarks().tasks == {}
    assert Params.model_validate(OWN).scales["benchmark"] == {}


def test_each_task_is_a_criterion_with_the_range_of_its_metric() -> None:
    params = with_tasks(gsm8k={"limit": 200}, mmlu=None, mine={"path": "tasks/mine.yaml", "range": [0, 100]})
    assert params.scales["benchmark"] == {"gsm8k": (0, 1), "mmlu": (0, 1), "mine": (0, 100)}
    assert "gsm8k" in params.criteria


def test_a_plan_can_guard_a_task() -> None:
    settings = OWN | {"benchmark": {"tasks": {"gsm8k": {}}}, "decision": {"must_not_drop": {"gsm8k": 0.03}}}
    assert Params.model_validate(settings).decision.must_not_drop == {"gsm8k": 0.03}


@pytest.mark.parametrize("path", ["mine.yaml", "../tasks/mine.yaml", "tasks/../../mine.yaml", "tasks/mine.txt"])
def test_a_task_of_your_own_lies_in_the_folder_that_the_stage_depends_on(path: str) -> None:
    with pytest.raises(ValidationError, match="name a file of the folder tasks"):
        with_tasks(mine={"path": path})


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"range": [1, 1]}, "the first must be less than the second"),
        ({"path": "tasks/mine.yaml", "task": "gsm8k"}, "`path` and `task` both name the task"),
        ({"limit": 0}, "greater than 0"),
        ({"fewshot": 5}, "there is no setting 'fewshot'; did you mean 'num_fewshot'"),
    ],
)
def test_a_wrong_setting_is_named(task: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        with_tasks(mine=task)


def test_a_criterion_has_one_source() -> None:
    with pytest.raises(ValidationError, match=r"benchmark.tasks.accuracy: judge.criteria has this name already"):
        with_tasks(accuracy={})
    settings = OWN | {"check": {"short": {"kind": "words", "at_most": 3}}, "benchmark": {"tasks": {"short": {}}}}
    with pytest.raises(ValidationError, match=r"benchmark.tasks.short: check has this name already"):
        Params.model_validate(settings)
