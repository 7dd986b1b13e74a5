"""Generation on Ray as a person runs it, where it cannot begin: one line each."""

import importlib.util
import socket
from pathlib import Path

import pytest

from tests.tuneproof.generation.engines.workspaces import Workspace, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = make_workspace(tmp_path / "workspace")
    workspace.set(execution__generate__run_on="ray")
    return workspace


def only_error(workspace: Workspace) -> str:
    done = workspace.run("generate.py", "sft")
    assert done.returncode == 1
    [error] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in done.stderr
    return error


def test_without_ray_one_line_says_how_to_get_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest))
    error = only_error(workspace)
    assert "the package ray is not installed" in error
    assert "pip install -r requirements/ray.txt" in error


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed (requirements/ray.txt)")
def test_where_no_cluster_answers_one_line_says_so_at_once(workspace: Workspace) -> None:
    with socket.socket() as taken:  # bound and not listening, so that nobody else can
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        workspace.set(execution__ray={"address": address})
        error = only_error(workspace)
    assert error.startswith(f"error: execution.ray.address: {address}: no Ray cluster answers there (ConnectionRefused")
    assert "ray start --head" in error


def test_an_engine_without_weights_needs_no_cluster(workspace: Workspace) -> None:
    (workspace.root / "own.jsonl").write_text('{"id": "Question 0: ", "answer": "Yes."}\n')
    workspace.ask(["Question 0: "])
    workspace.change(engine="recorded", path="own.jsonl", id=None, prompt=None)
    assert "needs no machine of its own and runs here" in workspace.run_ok("generate.py", "sft")
