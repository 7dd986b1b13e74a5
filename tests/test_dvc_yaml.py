import subprocess
import sys

import pytest
import yaml

from evaluation.params import Params
from tests.conftest import ROOT
from tests.dependencies import DVC_FILE, rewritten
from tests.own_settings import own_params, own_settings

STAGES = yaml.safe_load(DVC_FILE.read_text())["stages"]
HEAVY = ("torch", "transformers", "vllm", "datasets", "boto3", "openai", "pandas", "scipy", "ray", "sagemaker")
UNTRACKED = {  # where and how fast, or what validate turns into a file
    "judge.base_url", "judge.served_as", "judge.concurrency", "judge.timeout_seconds", "judge.transport",
    "judge.budget_usd", "judge.prices", "judge.key_variable",
}  # fmt: skip


def stage(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = STAGES[name].get("do", STAGES[name])
    return found


def test_every_stage_depends_on_exactly_the_scripts_that_it_imports() -> None:
    text = DVC_FILE.read_text()
    assert rewritten(text) == text, "run `python -m tests.dependencies`"


def test_stage_script_and_test_share_a_name() -> None:
    for name in STAGES:
        assert f"python scripts/{name}.py" in stage(name)["cmd"]
        assert (ROOT / "tests" / f"test_{name}.py").is_file(), name


def test_every_tracked_setting_exists() -> None:
    settings = own_settings()
    for name in STAGES:
        for path in stage(name).get("params", []):
            section = settings
            for part in path.replace("${key}", "sft").split("."):
                assert part in section, (name, path)
                section = section[part]


def test_every_setting_of_the_judge_is_tracked_or_named_as_harmless() -> None:
    settings = {f"judge.{name}" for name in type(own_params().judge).model_fields}
    assert settings - set(stage("judge")["params"]) == UNTRACKED
    assert not set(stage("compare")["params"]) & UNTRACKED


def test_where_and_how_fast_answers_are_generated_is_tracked_nowhere() -> None:
    tracked = set(stage("generate")["params"])
    assert not {"generate", "generate.vllm", "generate.run_on", "generate.vllm.max_num_seqs"} & tracked
    assert "generate.sampling" in tracked
    assert Params.model_fields["generate"] is not None


@pytest.mark.parametrize("name", [*STAGES, "gate"])
def test_asking_a_script_for_help_loads_no_heavy_library(name: str) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['{name}.py', '--help']\n"
        "try:\n"
        f"    runpy.run_path('scripts/{name}.py', run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print('loaded', [module for module in {HEAVY} if module in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'scripts')\n{code}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "loaded []" in done.stdout, done.stdout


def test_no_module_of_evaluation_imports_a_script_or_loads_a_heavy_library_at_the_top() -> None:
    names = [
        ".".join(path.relative_to(ROOT / "scripts").with_suffix("").parts)
        for path in sorted((ROOT / "scripts" / "evaluation").rglob("*.py"))
    ]
    code = (
        "import importlib, sys; sys.path.insert(0, 'scripts')\n"
        f"for name in {names}: importlib.import_module(name)\n"
        f"print('loaded', [module for module in {HEAVY} if module in sys.modules])\n"
        f"print('scripts', [module for module in {list(STAGES)} if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "loaded []" in done.stdout, done.stdout
    assert "scripts []" in done.stdout, done.stdout
