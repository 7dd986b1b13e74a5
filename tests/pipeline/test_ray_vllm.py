"""Two engines of vLLM on the CPU, as replicas on Ray and as those of one process: their answers are one engine's."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.vllm_environment import EXECUTION, SETTINGS, WORKER_IN_THE_ENGINE, vllm_python
from tests.stages.test_generate import recorded_rows
from tests.tuneproof.generation.engines.workspaces import Workspace, make_workspace
from tests.waiting import wait_until
from tuneproof.common.processes import variable_of

pytestmark = pytest.mark.exhaustive

QUESTIONS = 100
ANSWERS = Path("data/answers/sft.jsonl")
OURS = "TUNEPROOF_TEST"  # in the environment of all that a test starts


def needs_ray() -> None:
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ray') is None)"
    if subprocess.run([vllm_python(), "-c", find], check=False).returncode:
        pytest.skip("ray is not installed in vLLM's environment (requirements/ray.txt)")


def workspace_at(root: Path, more: Mapping[str, Any] | None = None, **settings: Any) -> Workspace:
    execution = {"vllm": EXECUTION["vllm"] | {"max_num_seqs": 8} | dict(more or {})}
    workspace = make_workspace(root, questions=QUESTIONS, execution=execution, engine="vllm", vllm=SETTINGS)
    workspace.set(**settings)
    return workspace


@pytest.fixture(scope="module")
def local_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What one engine on this machine answers."""
    return answered_by(workspace_at(tmp_path_factory.mktemp("local") / "workspace"))


def answered_by(workspace: Workspace) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in WORKER_IN_THE_ENGINE.items():
            patch.setenv(name, value)
        process = workspace.process(python=vllm_python())
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return (workspace.root / ANSWERS).read_bytes()


def started_here(mark: str) -> dict[int, str]:
    """The living processes that a test has started, by what it put into their environment."""
    found = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return {one: command(one) for one in found if variable_of(one, OURS) == mark}


def command(process: int) -> str:
    try:
        return (Path("/proc") / str(process) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "gone"


def engines_here(mark: str) -> int:
    """How many engines of a test are running; one of two replicas may be the earlier one to answer."""
    return sum("EngineCore" in one for one in started_here(mark).values())


@pytest.mark.parametrize("beside", ["replicas on Ray", "engines of one process"])
def test_answers_are_one_engines_and_nothing_survives_a_killed_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local_bytes: bytes, beside: str
) -> None:
    if beside == "replicas on Ray":
        needs_ray()
        on_ray: dict[str, Any] = {
            "execution__generate__run_on": "ray",
            "execution__ray": {"address": "local", "replicas": 2},
        }
        workspace = workspace_at(tmp_path / "workspace", **on_ray)
    else:
        workspace = workspace_at(tmp_path / "workspace", {"replicas": 2})
    mark = str(tmp_path)
    monkeypatch.setenv(OURS, mark)
    process = workspace.process(python=vllm_python())
    wait_until(lambda: recorded_rows(workspace) > QUESTIONS // 10 and engines_here(mark) == 2, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not started_here(mark))
    assert recorded_rows(workspace) < QUESTIONS
    assert answered_by(workspace) == local_bytes
    wait_until(lambda: not started_here(mark))
