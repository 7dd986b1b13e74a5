import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.tuneproof.generation.engines.workspaces import Workspace, make_workspace
from tuneproof.generation.jobs import answer_key, over_long, row_seed
from tuneproof.records.rows import EngineDescription, Result


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return make_workspace(tmp_path / "workspace")


def test_a_rows_seed_depends_on_run_question_and_sample_alone() -> None:
    assert row_seed(42, "q1", 0) == row_seed(42, "q1", 0) == 439757734
    seeds = {row_seed(run, f"q{number}", sample) for run in (0, 1) for number in range(500) for sample in range(3)}
    assert len(seeds) == 3000
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_the_key_holds_neither_device_nor_speed_nor_the_number_of_samples(workspace: Workspace) -> None:
    before = answer_key(workspace.job())
    workspace.change(sampling={"samples": 3, "seed": 1}, execution={"transformers": {"batch_size": 1, "device": "cpu"}})
    assert answer_key(workspace.job()) == before
    assert set(before) == {"kind", "engine", "model", "adapter", "sampling", "stop"}


def test_a_result_comes_back_from_the_ledgers_json_as_it_was() -> None:
    engine = EngineDescription(engine="vllm", version="1", device="cpu", dtype="float32", batch_invariant=True)
    result = Result(answer="Ünï\u2028", finish_reason="length", prompt_tokens=3, answer_tokens=5, engine=engine)
    assert Result.model_validate(json.loads(json.dumps(result.model_dump()))) == result


def test_an_over_long_prompt_is_told_with_both_lengths() -> None:
    result = over_long(600, 512, EngineDescription(engine="vllm", version="1"))
    assert result.finish_reason == "error"
    assert result.error == "the prompt has 600 tokens and the model takes 512, prompt and answer together"


@pytest.mark.parametrize("engine", ["vllm", "transformers", "endpoint", "recorded"])
def test_importing_an_engine_loads_no_heavy_library(engine: str) -> None:
    code = (
        f"import sys, tuneproof.generation.engines.{engine}; "
        "print([name for name in ('torch', 'transformers', 'vllm', 'datasets', 'openai') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
