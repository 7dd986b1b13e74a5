import subprocess
import sys

import pytest
import yaml

from tests.conftest import ROOT
from tests.house.rooms import rooms_reached
from tuneproof.generation.sagemaker.upload import ROOMS, scripts
from tuneproof.records.handovers import (
    ANSWERS,
    BENCHMARKS,
    CHECKS,
    COMPARISONS,
    JUDGEMENTS,
    LABELS,
    QUESTIONS,
    RESOLVED_DIRECTORY,
)
from tuneproof.settings.params import Params

DVC_FILE = ROOT / "dvc.yaml"
STAGES = yaml.safe_load(DVC_FILE.read_text())["stages"]
COMMANDS = ("gate", "describe", "annotate", "serve", "score")
HEAVY = (
    "torch",
    "lm_eval",
    "transformers",
    "vllm",
    "datasets",
    "boto3",
    "openai",
    "pandas",
    "scipy",
    "ray",
    "sagemaker",
)


def stage(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = STAGES[name].get("do", STAGES[name])
    return found


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_exactly_the_rooms_that_its_script_reaches(name: str) -> None:
    listed = [path for path in stage(name)["deps"] if path.startswith("scripts/")]
    assert listed == [f"scripts/{name}.py", *sorted(rooms_reached(name))]


def test_a_job_on_sagemaker_is_given_the_rooms_that_it_reaches() -> None:
    assert {f"scripts/tuneproof/{room}" for room in ROOMS} == rooms_reached("generate")
    assert {"scripts/generate.py", "scripts/tuneproof/__init__.py"} <= set(scripts())
    assert "scripts/tuneproof/scoring/__init__.py" not in scripts()


def test_stage_script_and_test_share_a_name() -> None:
    for name in STAGES:
        assert f"python scripts/{name}.py" in stage(name)["cmd"]
        assert (ROOT / "tests" / "stages" / f"test_{name}.py").is_file(), name


def test_what_stages_hand_on_is_what_dvc_keeps() -> None:
    for handover in (ANSWERS, JUDGEMENTS, COMPARISONS, CHECKS, BENCHMARKS):
        name = handover.written_by.removesuffix(".py")
        assert stage(name)["outs"][0] == str(handover.path("${key}"))
    kept = {path for out in stage("validate")["outs"] for path in out}
    assert kept == {str(QUESTIONS.path), str(RESOLVED_DIRECTORY)}


def test_labels_are_in_git_and_no_stage_writes_them() -> None:
    path = str(LABELS.path("anna"))
    assert "data/labels" not in str([stage(name)["outs"] for name in STAGES])
    for program in ("git", "dvc"):
        ignored = subprocess.run([program, "check-ignore", path], cwd=ROOT, capture_output=True, check=False)
        assert ignored.returncode == 1, f"{program} would take no label"


def test_dvc_yaml_stays_a_table_of_contents() -> None:
    assert len(DVC_FILE.read_text().splitlines()) <= 210


def test_stages_track_whole_sections_and_none_tracks_where_and_how_fast_it_runs() -> None:
    tracked = {name: stage(name).get("params", []) for name in STAGES}
    assert {path for paths in tracked.values() for path in paths} <= {*Params.model_fields, "models.${key}"}
    assert not [name for name, paths in tracked.items() if "execution" in paths]
    assert tracked["generate"] == ["models.${key}", "generate"]
    assert tracked["benchmark"] == ["models.${key}", "benchmark", "generate"]
    assert tracked["judge"] == ["judge"]
    assert tracked["compare"] == ["baseline", "compare", "judge"]


ASKED_FOR_HELP = f"""
import contextlib, io, runpy, sys
sys.path.insert(0, 'scripts')
for name in {[*STAGES, *COMMANDS]}:
    sys.argv = [f'{{name}}.py', '--help']
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path(f'scripts/{{name}}.py', run_name='__main__')
    loaded = [module for module in {HEAVY} if sys.modules.get(module)]
    if loaded:
        sys.exit(f'{{name}}.py loads {{loaded}}')
"""


def test_asking_a_script_for_help_loads_no_heavy_library() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED_FOR_HELP], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_module_imports_a_script_or_loads_a_heavy_library_at_the_top() -> None:
    names = [
        ".".join(path.relative_to(ROOT / "scripts").with_suffix("").parts)
        for path in sorted((ROOT / "scripts" / "tuneproof").rglob("*.py"))
    ]
    code = (
        "import importlib, sys; sys.path.insert(0, 'scripts')\n"
        f"for name in {names}: importlib.import_module(name)\n"
        f"print('loaded', [module for module in {HEAVY} if sys.modules.get(module)])\n"
        f"print('scripts', [module for module in {list(STAGES)} if sys.modules.get(module)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "loaded []" in done.stdout, done.stdout
    assert "scripts []" in done.stdout, done.stdout
