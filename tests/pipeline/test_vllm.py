"""The vLLM engine on the CPU with the small model: real engines, started, asked, killed and resumed."""

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.made_up.sagemaker_workspaces import BUCKET, sagemaker_workspace
from tests.pipeline.vllm_environment import (
    EXECUTION,
    SETTINGS,
    WORKER_IN_THE_ENGINE,
    vllm_python,
    write_adapter,
    write_merged,
)
from tests.servers.aws.services import LocalAWS
from tests.stages.test_generate import recorded_rows, wait_for_rows
from tests.stages.test_generate_turns import two_turns
from tests.tuneproof.generation.engines.workspaces import (
    FULL_STOP,
    LOOSE_SAMPLING,
    Workspace,
    answered,
    instructions,
    make_workspace,
    with_tokens,
)
from tests.waiting import PATIENCE_SECONDS
from tuneproof.common.processes import marks_of_processes
from tuneproof.generation.engines import transformers as transformers_engine
from tuneproof.generation.weights.tokens import load_tokenizer
from tuneproof.records.files import write_rows

GREEDY = LOOSE_SAMPLING | {"temperature": 0.0}
OVER_LONG = "word " * 600


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM starts in two processes, not three."""
    for variable, value in WORKER_IN_THE_ENGINE.items():
        monkeypatch.setenv(variable, value)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, dict[str, Any]]]:
    """A workspace, and what its engines answered when they were asked in many ways."""
    root = tmp_path_factory.mktemp("vllm")
    workspace = make_workspace(root / "workspace", execution=EXECUTION, engine="vllm", vllm=SETTINGS)
    workspace.ask([*instructions(120), OVER_LONG])
    common = {
        "id": workspace.params()["models"]["sft"]["id"], "prompt": "alpaca", "engine": "vllm", "vllm": SETTINGS,
        "execution": EXECUTION,
    }  # fmt: skip
    workspace.change("samples", **common, own_sampling={"samples": 3})
    workspace.change("stopped", **common | {"stop": ["e"]})
    workspace.change("greedy", **common, own_sampling=GREEDY)
    workspace.change("one", **common | {"execution": {"vllm": EXECUTION["vllm"] | {"max_num_seqs": 1}}})
    for seed, name in enumerate(("first", "second")):
        write_merged(root / f"{name}-merged", write_adapter(root / name, seed))
        workspace.change(name, **common, adapter=str(root / name), own_sampling=GREEDY)
    write_adapter(root / "broken", 3, module="w_proj")
    workspace.change("broken", **common, adapter=str(root / "broken"))
    done = subprocess.run(
        [vllm_python(), str(ROOT / "tests/pipeline/vllm_in_its_own_environment.py"), str(root / "asked.json")],
        cwd=workspace.root, env=os.environ | WORKER_IN_THE_ENGINE | {"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "", "vLLM's log belongs into its file"
    yield workspace, json.loads((root / "asked.json").read_text())


def test_answers_are_the_same_whatever_the_window_the_order_and_the_samples(
    asked: tuple[Workspace, dict[str, Any]],
) -> None:
    answers = asked[1]["answers"]
    expected = answers["window 96"]
    assert len(expected) == 121
    assert len({text for text, *_ in expected.values()}) > 115
    assert answers["shuffled"] == expected
    assert answers["window 1"] == {name: expected[name] for name in answers["window 1"]}
    assert len(answers["window 1"]) == 12
    assert len(answers["three samples"]) == 36
    first_samples = {name: row for name, row in answers["three samples"].items() if name.endswith("#0")}
    assert first_samples == {name: expected[name] for name in first_samples}
    assert len(first_samples) == 12


def test_an_over_long_prompt_is_an_error_row_and_costs_the_others_nothing(
    asked: tuple[Workspace, dict[str, Any]],
) -> None:
    answer, reason, error, prompt_tokens, answer_tokens = asked[1]["answers"]["window 96"][f"{OVER_LONG[:16]}#0"]
    assert (answer, reason, answer_tokens) == ("", "error", None)
    assert error == f"the prompt has {prompt_tokens} tokens and the model takes 512, prompt and answer together"


def test_an_answer_ends_before_its_stop_string(asked: tuple[Workspace, dict[str, Any]]) -> None:
    answers = asked[1]["answers"]
    for name, (text, reason, *_) in answers["stop string"].items():
        whole = answers["window 96"][name][0]
        assert text == whole.split("e")[0]
        assert "e" not in whole or reason == "stop"


def test_greedy_answers_are_those_of_the_transformers_engine(asked: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, found = asked
    assert_greedy_answers(workspace, "greedy", found["answers"]["greedy"])


def test_each_adapter_answers_as_the_model_it_is_merged_into(asked: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, found = asked
    texts = []
    for name in ("first", "second"):
        folder = workspace.root.parent / f"{name}-merged"
        workspace.change(f"{name}-merged", id=str(folder), prompt="alpaca", engine="transformers", own_sampling=GREEDY)
        assert_greedy_answers(workspace, f"{name}-merged", found["adapters"][name])
        texts.append({row[0] for row in found["adapters"][name].values() if row[0]})
    texts.append({row[0] for row in found["answers"]["greedy"].values()})
    assert not set.intersection(*texts)


def assert_greedy_answers(workspace: Workspace, model: str, found: dict[str, Any]) -> None:
    """Nearly all of an engine's greedy answers are the other's: two candidates as good as equal may change places."""
    workspace.change(model, engine="transformers", vllm=None, execution={"vllm": None})
    saved = answered(transformers_engine, workspace.job(model), workspace.questions[: len(found)])
    same = [found[f"{request.id}#0"][0] == result.answer for request, result in saved]
    assert len(same) == 60
    assert sum(same) >= 57


def test_an_adapter_that_vllm_cannot_load_is_one_line(asked: tuple[Workspace, dict[str, Any]]) -> None:
    line = asked[1]["adapters"]["broken"]
    assert line.startswith("model broken: its adapter does not load (")
    assert "check that it was trained on" in line
    assert "\n" not in line


@pytest.mark.exhaustive
def test_a_killed_engine_and_a_killed_stage_lose_nothing_and_leave_nothing(
    asked: tuple[Workspace, dict[str, Any]], tmp_path: Path
) -> None:
    execution = {"vllm": EXECUTION["vllm"] | {"max_num_seqs": 4}}
    workspace = make_workspace(tmp_path / "workspace", execution=execution, engine="vllm", vllm=SETTINGS)
    workspace.ask([*instructions(120), OVER_LONG])
    running = workspace.process(python=vllm_python())
    wait_for_rows(workspace, running, 30)
    marked = engine_processes(workspace)
    assert marked
    os.kill(min(marked), signal.SIGKILL)
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 1, said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: model sft: vLLM's engine failed (")
    assert said.splitlines()[-1].endswith("then run again: finished answers are kept")
    kept = recorded_rows(workspace)
    assert kept >= 30
    assert not engine_processes(workspace)

    running = workspace.process(python=vllm_python())
    wait_for_rows(workspace, running, kept + 30)
    descriptors = [os.pidfd_open(process) for process in engine_processes(workspace)]
    running.kill()
    said, _ = running.communicate()
    assert f"{kept} answers are in the ledger, {121 - kept} to generate" in said
    wait_for_ends(descriptors)
    kept = recorded_rows(workspace)

    finishing = workspace.process(python=vllm_python())
    said, _ = finishing.communicate(timeout=PATIENCE_SECONDS)
    assert finishing.returncode == 0, said
    assert f"{kept} answers are in the ledger, {121 - kept} to generate" in said
    assert f"generated {121 - kept} of {121 - kept} answers" in said
    assert not engine_processes(workspace)
    rows = {
        f"{answer.id}#{answer.sample}": [
            answer.answer, answer.finish_reason, answer.error, answer.prompt_tokens, answer.answer_tokens
        ]
        for answer in workspace.answers()
    }  # fmt: skip
    expected = asked[1]["answers"]["window 96"]
    assert rows == {name: expected[name] for name in rows}
    assert len(rows) == 121


@pytest.mark.exhaustive
@pytest.mark.usefixtures("two_processes")
def test_two_turns_killed_and_gone_on_with_are_those_of_one_run_and_hold_the_first_answers(tmp_path: Path) -> None:
    """With the cache of prefixes on, from which a second turn's prompt begins."""
    execution = {"vllm": EXECUTION["vllm"] | {"max_num_seqs": 4}}
    workspace = make_workspace(tmp_path / "workspace", execution=execution, engine="vllm", vllm=SETTINGS, prompt="chat")
    write_rows(workspace.root / "data/questions.jsonl", two_turns(60))
    for point in (20, 60):
        running = workspace.process(python=vllm_python())
        wait_for_rows(workspace, running, point)
        descriptors = [os.pidfd_open(process) for process in engine_processes(workspace)]
        running.kill()
        running.communicate()
        wait_for_ends(descriptors)
    kept = recorded_rows(workspace)
    finishing = workspace.process(python=vllm_python())
    said, _ = finishing.communicate(timeout=PATIENCE_SECONDS)
    assert finishing.returncode == 0, said
    assert f"{kept} answers are in the ledger, {120 - kept} to generate" in said
    rows = workspace.answers()
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert (first.turn, second.turn) == (0, 1)
        assert first.answer and f"{first.prompt}{first.answer}</s>" in second.prompt
    log = "".join(path.read_text() for path in workspace.root.rglob("*.log"))
    assert "enable_prefix_caching=True" in log

    (workspace.root / ".cache" / "ledger.sqlite").unlink()
    whole = workspace.process(python=vllm_python())
    said, _ = whole.communicate(timeout=PATIENCE_SECONDS)
    assert whole.returncode == 0 and "0 answers are in the ledger, 120 to generate" in said, said
    assert workspace.answers() == rows


def engine_processes(workspace: Workspace) -> list[int]:
    """The processes of this workspace's engines."""
    return [process for process, mark in marks_of_processes().items() if mark.endswith(f":{workspace.root.resolve()}")]


def wait_for_ends(descriptors: list[int]) -> None:
    """Waits until processes that are not children of this one have ended."""
    for descriptor in descriptors:
        assert select.select([descriptor], [], [], PATIENCE_SECONDS)[0], "an engine outlived its stage"
        os.close(descriptor)


@pytest.mark.exhaustive
def test_a_setting_that_vllm_does_not_know_is_one_line(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace", engine="vllm", vllm={"engine_args": {"max_model_length": 5}})
    running = workspace.process(python=vllm_python())
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 1
    assert said.splitlines()[-1].startswith("error: model sft: vLLM does not start (TypeError: ")
    assert "max_model_length" in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.exhaustive
@pytest.mark.usefixtures("two_processes")
def test_special_tokens_end_answers_and_one_without_a_row_ends_the_engine_in_one_line(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace", questions=30, execution=EXECUTION, engine="vllm", vllm=SETTINGS)
    folder = with_tokens(tmp_path / "own", (".", FULL_STOP), ("<|new|>", 1024))
    workspace.change(id=str(folder), stop=["."], vllm=SETTINGS | {"batch_invariant": True})
    running = workspace.process(python=vllm_python())
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, said
    assert "warning: batch_invariant has no effect here" in said, "with it switched on the engine for the CPU ends"
    answers = workspace.answers()
    stopped = [answer for answer in answers if answer.finish_reason == "stop"]
    assert len(stopped) > 3
    assert not any("." in answer.answer for answer in answers)
    tokenizer = load_tokenizer(folder)
    for answer in stopped:
        tokens = len(tokenizer.encode(answer.answer, add_special_tokens=False))
        assert abs(tokens + 1 - (answer.answer_tokens or 0)) <= 2, "the token that ended it is one of its tokens"

    workspace.ask(["What does <|new|> do?"])
    running = workspace.process(python=vllm_python())
    said, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 1
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: model sft: vLLM's engine failed (")  # validate warned of the token
    assert not engine_processes(workspace)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("two_processes")
def test_a_request_that_vllm_refuses_is_one_line(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace", execution=EXECUTION, engine="vllm", vllm=SETTINGS)
    done = subprocess.run(
        [vllm_python(), str(ROOT / "tests/pipeline/refused_by_vllm.py")], cwd=workspace.root,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: model sft: vLLM refuses a request (VLLMValidationError: max_tokens must be at least")


@pytest.mark.exhaustive
def test_a_job_on_sagemaker_gives_the_same_answers(asked: tuple[Workspace, dict[str, Any]], tmp_path: Path) -> None:
    """The client has no vLLM; the container has nothing but vLLM's own environment."""
    workspace = sagemaker_workspace(tmp_path / "workspace")
    workspace.ask(instructions(40))
    workspace.change(engine="vllm", vllm=SETTINGS, execution=EXECUTION)
    with LocalAWS(vllm_python()) as aws:
        aws.service.image_environment.update(WORKER_IN_THE_ENGINE)
        aws.create_bucket(BUCKET)
        said = workspace.run_ok("generate.py", "sft", **aws.environment())
    assert "sft on SageMaker: the job runs Python 3." in said
    expected = asked[1]["answers"]["window 96"]
    for row in workspace.answers():
        found = [row.answer, row.finish_reason, row.error, row.prompt_tokens, row.answer_tokens]
        assert found == expected[f"{row.id}#{row.sample}"]
    assert len(workspace.answers()) == 40
    (record,) = workspace.read_json("data/engines/sft.json")
    assert record["version"].startswith("vllm 0.")
