"""The embedded engine gives what the transformers engine gives, without PyTorch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy

from tests.conftest import ROOT
from tests.tuneproof.generation.engines.workspaces import (
    SMALL_MODELS,
    Workspace,
    answered,
    instructions,
    make_workspace,
)
from tuneproof.common.errors import UserError
from tuneproof.generation.conversations.messages import Conversation, Earlier
from tuneproof.generation.engines import embedded as engine
from tuneproof.generation.engines import transformers
from tuneproof.generation.weights.sampled_answers import uniforms
from tuneproof.records.rows import Question, Result
from tuneproof.settings.generation import CompleteSampling

LINES = (SMALL_MODELS.parent / "questions.jsonl").read_text(encoding="utf-8").splitlines()
QUESTIONS = [f"{number}: {json.loads(line)['instruction']}" for number, line in enumerate(LINES)]
# The demonstration's, the likeliest token, and loose ones in which every seed shows. The library computes in single
# precision in places, so that a number may fall on the other side of a token's share: seen in one answer of 691.
SAMPLINGS = [
    ({"temperature": 0.8, "top_p": 0.95, "min_p": 0.05, "max_tokens": 128, "samples": 2}, 0),
    ({"temperature": 0.0, "max_tokens": 60}, 0),
    pytest.param({"temperature": 1.3, "top_p": 1.0, "min_p": 0.0, "max_tokens": 40}, 1, marks=pytest.mark.exhaustive),
]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    workspace = make_workspace(tmp_path / "workspace")
    workspace.set(embedded=True)
    return workspace


def results(workspace: Workspace, name: str, texts: list[str]) -> dict[tuple[str, int], dict[str, Any]]:
    """What an engine of that name answers, without what names the engine."""
    workspace.change(engine=name)
    saved = answered(transformers if name == "transformers" else engine, workspace.job(), workspace.ask(texts))
    return {(request.id, request.sample): result.model_dump(exclude={"engine"}) for request, result in saved}


@pytest.mark.parametrize(("sampling", "may_differ"), SAMPLINGS)
@pytest.mark.parametrize(
    ("model", "every"),
    [("sft", 10), *(pytest.param(name, 1, marks=pytest.mark.exhaustive) for name in ("sft", "base", "dpo"))],
)
def test_its_answers_are_those_of_the_transformers_engine(
    workspace: Workspace, model: str, every: int, sampling: dict[str, Any], may_differ: int
) -> None:
    workspace.change(id=str(SMALL_MODELS / model), sampling=sampling)
    expected = results(workspace, "transformers", QUESTIONS[::every])
    assert len({result["answer"] for result in expected.values()}) > len(expected) / 2, "the test would show little"
    found = results(workspace, "embedded", QUESTIONS[::every])
    assert sum(found[row] != expected[row] for row in expected) <= may_differ


def test_a_second_turn_is_asked_with_the_tokens_of_the_chat_template(
    workspace: Workspace,
) -> None:
    """Also where the first question holds the name of a special token, which is text there."""
    rows = [row for row in map(json.loads, LINES) if "turns" in row]
    turns = [row["turns"] for row in rows] + [["What does </s> end?", "And <s>?"]]
    questions = [
        Question(id=str(n), instruction=one[0], reference=None, history=[], turns=one, references=[None, None])
        for n, one in enumerate(turns)
    ]
    found = {}
    for name, module in (("transformers", transformers), ("embedded", engine)):
        workspace.change(engine=name, prompt="chat", sampling={"temperature": 0.8, "top_p": 0.95, "max_tokens": 60})
        render = module.renderer(workspace.job())
        said = Result(answer="It ends </s> an answer.", finish_reason="stop", engine=None)
        first = render([Conversation(question, (0,)) for question in questions])
        second = render(
            [
                Conversation(question, (0,), (Earlier(request.key, said, said.answer, ""),))
                for question, request in zip(questions, first, strict=True)
            ]
        )
        found[name] = [list(request.token_ids) for request in [*first, *second]]
    assert found["embedded"] == found["transformers"]
    end = 1
    assert [ids.count(end) for ids in found["embedded"]] == [0] * len(questions) + [1] * len(questions)


def test_over_long_prompts_and_answers_that_the_context_cuts_are_as_there(workspace: Workspace) -> None:
    workspace.change(sampling={"max_tokens": 200})
    texts = ["word " * 600, *(f"{number} " + "x " * (150 + 13 * number) for number in range(4))]
    expected = results(workspace, "transformers", texts)
    assert {result["finish_reason"] for result in expected.values()} >= {"error", "length"}
    assert results(workspace, "embedded", texts) == expected


def test_an_answer_does_not_depend_on_its_batch(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = results(workspace, "embedded", instructions(40))
    for size in (1, 7):
        monkeypatch.setattr(engine, "BATCH_SIZE", size)
        assert results(workspace, "embedded", instructions(40)) == expected


@pytest.mark.parametrize("seed", [0, 1, 42, 2**31 - 1])
@pytest.mark.parametrize("count", [1, 16, 2048])
def test_the_numbers_are_those_that_torch_draws(seed: int, count: int) -> None:
    import torch

    drawn = torch.rand(count, generator=torch.Generator().manual_seed(seed)).numpy()
    assert np.array_equal(uniforms(seed, count), drawn)


def test_tokens_are_chosen_as_often_as_the_settings_say() -> None:
    logits, rows = np.log([0.5, 0.3, 0.15, 0.04, 0.01]), 20_000
    drawn = np.random.default_rng(5).random(rows)
    chosen = engine.choose(np.tile(logits, (rows, 1)), drawn, CompleteSampling(temperature=1, top_p=0.9, min_p=0.05))
    counts = np.bincount(chosen, minlength=5)
    assert counts[3:].sum() == 0, "0.04 is under min_p times 0.5 or past top_p"
    expected = np.array([0.5, 0.3, 0.15]) / 0.95 * rows
    assert scipy.stats.chisquare(counts[:3], expected).pvalue > 1e-4


def test_it_loads_neither_torch_nor_transformers(workspace: Workspace) -> None:
    workspace.change(engine="embedded")
    code = (
        "import runpy, sys; sys.argv = ['generate.py', 'sft']\n"
        f"runpy.run_path({str(ROOT / 'scripts' / 'generate.py')!r}, run_name='__main__')\n"
        "print([name for name in ('torch', 'transformers', 'scipy', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n{code}"],
        cwd=workspace.root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "[]\n", done.stderr
    assert len(workspace.answers()) == len(workspace.questions)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_broken_file_is_one_line(workspace: Workspace, name: str) -> None:
    folder = workspace.root / "model"
    shutil.copytree(SMALL_MODELS / "sft", folder)
    workspace.change(id=str(folder), engine="embedded")
    (folder / name).write_bytes(b"{}")
    with pytest.raises(UserError, match=r"does not load \(.*\); restore it from Git"):
        answered(engine, workspace.job(), workspace.questions)
