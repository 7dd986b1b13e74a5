"""Weights with NaN, as an overflow in float16 or a broken merge leaves them: told as what they are, in every engine."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS, Workspace, answered, make_workspace, rendered
from tuneproof.common.errors import UserError
from tuneproof.generation.engines import embedded, transformers
from tuneproof.generation.jobs import Request
from tuneproof.generation.weights.broken_weights import repeated_token, require_no_runs
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Result


def with_nan(folder: Path) -> Path:
    """A copy of the small model in which one number is none."""
    shutil.copytree(SMALL_MODELS / "sft", folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"].copy()
    weights["model.norm.weight"][0] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("engine", [embedded, transformers], ids=["embedded", "transformers"])
def test_logits_that_are_no_numbers_are_one_line_that_says_what_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Any, temperature: float
) -> None:
    workspace = make_workspace(tmp_path / "workspace", id=str(with_nan(tmp_path / "nan")))
    workspace.change(sampling={"temperature": temperature})
    monkeypatch.chdir(workspace.root)
    with pytest.raises(
        UserError, match=r"model sft: its logits are not finite numbers \(NaN or infinity\); (try|restore)"
    ):
        answered(engine, workspace.job(), workspace.questions)


def test_only_a_long_answer_of_one_token_up_to_its_limit_is_a_run() -> None:
    assert repeated_token([7] * 16, "length") == 7
    assert repeated_token([7] * 15, "length") is None
    assert repeated_token([7] * 16, "stop") is None
    assert repeated_token([7] * 16 + [8], "length") is None


@pytest.mark.parametrize(("runs", "answers"), [(0, 100), (50, 100), (2, 2), (1, 1)])
def test_a_few_answers_that_go_round_in_circles_stop_nothing(workspace: Workspace, runs: int, answers: int) -> None:
    require_no_runs(workspace.job(), runs, answers)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "workspace")


def test_answers_of_one_repeated_token_are_never_written_also_when_all_are_recorded(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.root)
    requests: list[Request] = rendered(transformers, workspace.job(), workspace.questions)
    run = Result(answer="", finish_reason="length", prompt_tokens=3, answer_tokens=24, repeated_token=0)
    with Ledger() as ledger:
        ledger.put_many((request.key, "answer", run.model_dump()) for request in requests)
    line = workspace.error_line("generate.py", "sft")
    assert line == (
        "error: model sft: 12 of 12 answers are one and the same token up to the limit, as where its logits are no "
        "numbers (NaN); try generate.transformers.dtype: float32, and check the checkpoint for NaN"
    )
    assert not (workspace.root / "data" / "answers" / "sft.jsonl").exists()
