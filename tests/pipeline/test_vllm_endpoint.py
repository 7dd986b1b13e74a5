"""The endpoint engine against a real vLLM server on the CPU."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.vllm_server import vllm_server
from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS, Workspace, instructions, make_workspace

pytestmark = pytest.mark.exhaustive

OVER_LONG = "word " * 600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address and the model's name of a vLLM server that serves the small model."""
    options = ("--max-model-len", "512", "--generation-config", "vllm")
    with vllm_server(SMALL_MODELS / "sft", *options, folder=tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def workspace(tmp_path: Path, server: tuple[str, str]) -> Workspace:
    made = make_workspace(tmp_path / "workspace")
    made.ask([*instructions(60), OVER_LONG])
    made.change(engine="endpoint", id=server[1], prompt="chat", base_url=server[0], served_as="small")
    return made


def test_a_served_model_answers_every_question_and_refuses_the_over_long_one(workspace: Workspace) -> None:
    workspace.change(sampling={"min_p": 0.05}, stop=["###"])
    said = workspace.run_ok("generate.py", "sft")
    *answers, over_long = workspace.answers()
    assert {answer.finish_reason for answer in answers} <= {"stop", "length"}
    assert len({answer.answer for answer in answers}) > 55
    assert all(answer.prompt_tokens and answer.answer_tokens for answer in answers)
    assert (over_long.finish_reason, over_long.answer) == ("error", "")
    assert over_long.error is not None
    assert "512" in over_long.error
    assert "1 errors" in said
    record = workspace.read_json("data/engines/sft.json")
    assert {one["engine"] for one in record} == {"endpoint"}
    assert {one["device"] for one in record} == {"small"}
    assert {tuple(one["not_sent"]) for one in record} == {()}


def test_the_same_seeds_give_the_same_answers_whatever_the_concurrency(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    expected = workspace.texts()
    (workspace.root / ".cache" / "ledger.sqlite").unlink()
    workspace.change(execution={"endpoint": {"concurrency": 3}})
    workspace.run_ok("generate.py", "sft")
    assert workspace.texts() == expected
    assert "0 to generate" in workspace.run_ok("generate.py", "sft")


def test_a_name_that_the_server_does_not_serve_stops_with_its_words(workspace: Workspace) -> None:
    workspace.change(id="another-model")
    line = workspace.error_line("generate.py", "sft")
    assert line.startswith("error: small: it does not know this model or address (404: ")
    assert "another-model" in line
