"""A params.yaml of before `execution` says of every setting that has moved where it belongs now."""

from typing import Any

import pytest
import yaml

from tests.conftest import Project
from tuneproof.settings.moved import moved_settings

MOVED = {
    "sagemaker": "execution.sagemaker",
    "generate.run_on": "execution.generate.run_on",
    "generate.endpoint": "execution.generate.endpoint",
    "generate.vllm.max_num_seqs": "execution.generate.vllm.max_num_seqs",
    "generate.transformers.device": "execution.generate.transformers.device",
    "judge.concurrency": "execution.judge.concurrency",
    "judge.key_variable": "execution.judge.key_variable",
    "judge.prices": "execution.judge.prices",
    "judge.panel.1.key_variable": "execution.judge.key_variables",
    "models.sft.key_variable": "execution.generate.models.sft.key_variable",
    "models.sft.vllm.max_num_seqs": "execution.generate.models.sft.vllm.max_num_seqs",
}


def settings_of_before(project: Project) -> dict[str, Any]:
    params = project.params()
    params.pop("execution")
    params["sagemaker"] = {"role": None, "keep": False}
    params["generate"] |= {"run_on": "local", "endpoint": {"concurrency": 64, "timeout_seconds": 300}}
    params["generate"]["vllm"]["max_num_seqs"] = 128
    params["generate"]["transformers"]["device"] = "auto"
    params["judge"] |= {"concurrency": 64, "key_variable": None, "prices": {}}
    params["judge"]["panel"] = [{"model": "a"}, {"model": "b", "key_variable": "B_KEY"}]
    params["models"]["sft"] |= {"key_variable": "OUR_KEY", "vllm": {"max_num_seqs": 3, "dtype": "float16"}}
    return params


@pytest.mark.parametrize(
    ("script", "code"),
    [(["validate.py"], 1), (["publish.py"], 1), (["gate.py", "--against", "HEAD"], 2)],
    ids=["validate", "publish", "gate"],
)
def test_every_setting_that_has_moved_gets_a_line_and_nothing_else_is_said(
    project: Project, script: list[str], code: int
) -> None:
    (project.root / "params.yaml").write_text(yaml.safe_dump(settings_of_before(project)))
    done = project.run(*script)
    assert done.returncode == code
    expected = [f"error: params.yaml: {old} is {new} now; move it" for old, new in MOVED.items()]
    assert sorted(done.stderr.splitlines()) == sorted(expected)


def test_the_shipped_settings_stand_where_they_belong(project: Project) -> None:
    assert list(moved_settings(project.params())) == []


@pytest.mark.parametrize("odd", [None, 3, "text", [], [3], {3: 4}, {"panel": 3}, {"panel": [3]}, {"vllm": 3}])
def test_what_is_no_section_is_left_to_the_check_of_the_settings(odd: object) -> None:
    assert list(moved_settings({"judge": odd, "generate": odd, "models": odd, 3: odd})) == []
    assert list(moved_settings({"models": {"sft": odd, 3: odd}})) == []
