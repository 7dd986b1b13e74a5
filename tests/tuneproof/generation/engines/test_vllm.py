"""What can be told of the vLLM engine without vLLM; the engine itself is tested in tests/pipeline/test_vllm.py."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.tuneproof.generation.engines.workspaces import Workspace, make_workspace, rendered
from tuneproof.generation.engines import vllm as engine


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return make_workspace(tmp_path / "workspace", engine="vllm")


def keys(workspace: Workspace) -> set[str]:
    return {request.key for request in rendered(engine, workspace.job(), workspace.questions)}


@pytest.mark.parametrize(
    "settings",
    [
        {"dtype": "float32"},
        {"quantization": "fp8"},
        {"max_model_len": 8192},
        {"batch_invariant": True},
        {"engine_args": {"kv_cache_dtype": "fp8"}},
    ],
)
def test_a_setting_that_may_change_answers_makes_new_keys(workspace: Workspace, settings: dict[str, Any]) -> None:
    """So a raised max_model_len asks the over-long prompts again."""
    before = keys(workspace)
    workspace.change(vllm=settings)
    assert not keys(workspace) & before


@pytest.mark.parametrize(
    "settings",
    [
        {"max_num_seqs": 1},
        {"gpu_memory_utilization": 0.5},
        {"tensor_parallel_size": 2},
        {"replicas": "auto"},
        {"enforce_eager": True},
    ],
)
def test_a_setting_that_only_makes_it_faster_or_smaller_buys_nothing_anew(
    workspace: Workspace, settings: dict[str, Any]
) -> None:
    before = keys(workspace)
    workspace.change(execution={"vllm": settings})
    assert keys(workspace) == before


def test_each_adapter_has_keys_of_its_own(workspace: Workspace) -> None:
    base = keys(workspace)
    workspace.change(adapter="adapters/sft")
    first = keys(workspace)
    workspace.change(adapter="adapters/dpo")
    assert not base & first
    assert not keys(workspace) & (base | first)


def test_vllm_is_told_what_it_reads_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("VLLM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    engine.set_environment()
    assert os.environ["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"
