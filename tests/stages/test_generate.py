"""The generate stage as a person runs it, with the transformers engine and the small embedded model."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.tuneproof.generation.engines.workspaces import Workspace, instructions, make_workspace
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "workspace")


def recorded_rows(workspace: Project) -> int:
    """How many answers the ledger holds, read beside a running stage."""
    path = workspace.root / ".cache" / "ledger.sqlite"
    if not path.is_file():
        return 0
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        try:
            return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.OperationalError:  # the table is not there yet
        return 0


def test_every_question_gets_a_row_in_order_with_all_fields_of_the_contract(workspace: Workspace) -> None:
    workspace.change(sampling={"samples": 2})
    said = workspace.run_ok("generate.py", "sft")
    answers = workspace.answers()
    assert [(answer.id, answer.sample) for answer in answers] == [
        (question.id, sample) for question in workspace.questions for sample in (0, 1)
    ]
    for answer in answers:
        assert answer.prompt.startswith("Below is an instruction")
        assert answer.finish_reason in ("stop", "length")
        assert answer.error is None
        assert answer.prompt_tokens and answer.answer_tokens
        assert len(answer.key) == 64
    lines = said.splitlines()
    assert lines[0].endswith("on transformers; 0 answers are in the ledger, 24 to generate")
    assert lines[-2].startswith("generate sft: generated 24 of 24 answers (0 errors), ")
    assert " prompt and " in lines[-2] and lines[-2].endswith(" tokens/s")
    assert lines[-1].startswith("generate sft: wrote 24 answers to data/answers/sft.jsonl (")


def test_a_leading_thought_is_stripped_or_kept_without_generating_anew(workspace: Workspace) -> None:
    texts = ["<think>Two.</think>Four.", "Four.", "<think>Two and"]
    questions = workspace.ask(instructions(3))
    rows = [{"id": question.id, "answer": text} for question, text in zip(questions, texts, strict=True)]
    (workspace.root / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    workspace.change(engine="recorded", path="own.jsonl", id=None, prompt=None)
    kept = workspace.run_ok("generate.py", "sft")
    assert "0 answers are in the ledger" in kept
    plain = (workspace.root / "data/answers/sft.jsonl").read_text()
    assert "thinking" not in plain
    assert [answer.answer for answer in workspace.answers()] == texts
    workspace.set(generate__thinking="strip")
    assert "0 to generate" in workspace.run_ok("generate.py", "sft")
    thought, straight, only = workspace.answers()
    assert (thought.answer, thought.thinking) == ("Four.", "<think>Two.</think>")
    assert (straight.answer, straight.thinking) == ("Four.", None)
    assert (only.answer, only.finish_reason, only.thinking) == ("", "error", "<think>Two and")
    assert '"thinking"' not in (workspace.root / "data/answers/sft.jsonl").read_text().splitlines()[1]
    workspace.set(generate__thinking="keep")
    workspace.run_ok("generate.py", "sft")
    assert (workspace.root / "data/answers/sft.jsonl").read_text() == plain


def test_the_side_record_says_what_made_the_answers_and_nothing_that_varies(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    first = workspace.files()
    record = workspace.read_json("data/engines/sft.json")
    assert [one["engine"] for one in record] == ["transformers"]
    assert record[0]["version"].startswith("transformers ")
    assert (record[0]["device"], record[0]["dtype"], record[0]["answers"]) == ("cpu", "float64", 12)
    assert record[0]["weights"] == "content"
    assert record[0]["sampling"]["seed"] == 42
    (workspace.root / ".cache" / "ledger.sqlite").unlink()
    workspace.run_ok("generate.py", "sft")
    assert workspace.files() == first


def test_a_second_run_generates_nothing_and_writes_the_same(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    first = workspace.files()
    said = workspace.run_ok("generate.py", "sft")
    assert "12 answers are in the ledger, 0 to generate" in said
    assert "generated" not in said
    assert workspace.files() == first


def test_only_what_is_new_is_generated(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    before = workspace.texts()
    workspace.ask([*instructions(12), "One more?"])
    assert "12 answers are in the ledger, 1 to generate" in workspace.run_ok("generate.py", "sft")
    assert before.items() <= workspace.texts().items()
    workspace.change(sampling={"samples": 2})
    assert "13 answers are in the ledger, 13 to generate" in workspace.run_ok("generate.py", "sft")
    assert before.items() <= workspace.texts().items()


def test_shuffled_questions_get_the_same_answers_without_generating_any(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    before = workspace.texts()
    shuffled = instructions(12)
    random.Random(3).shuffle(shuffled)
    workspace.ask(shuffled)
    assert "12 answers are in the ledger" in workspace.run_ok("generate.py", "sft")
    assert workspace.texts() == before
    assert [answer.id for answer in workspace.answers()] == [text[:16] for text in shuffled]


def test_a_fresh_ledger_gives_the_same_file_whatever_the_batch(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    expected = workspace.files()["data/answers/sft.jsonl"]
    for batch_size in (1, 5):
        (workspace.root / ".cache" / "ledger.sqlite").unlink()
        workspace.change(execution={"transformers": {"batch_size": batch_size}})
        workspace.run_ok("generate.py", "sft")
        assert workspace.files()["data/answers/sft.jsonl"] == expected


def test_an_over_long_prompt_is_a_row_and_no_failure(workspace: Workspace) -> None:
    workspace.ask(["word " * 600, "Why?"])
    assert "(1 error, 1 length)" in workspace.run_ok("generate.py", "sft").splitlines()[-1]
    assert [answer.finish_reason for answer in workspace.answers()] == ["error", "length"]
    assert "1 errors" not in workspace.run_ok("generate.py", "sft"), "it is not asked again"


def test_adopted_answers_without_their_engine_are_told_as_such(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    path = workspace.root / ".cache" / "ledger.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE results SET body = json_remove(body, '$.engine')")
    connection.close()
    workspace.run_ok("generate.py", "sft")
    assert [one["version"] for one in workspace.read_json("data/engines/sft.json")] == ["not recorded"]


def test_an_engine_that_fails_keeps_what_was_saved(workspace: Workspace) -> None:
    """The endpoint engine, with a server that runs out of credit in the middle."""
    from tests.servers.openai.faults import Faults
    from tests.servers.openai.server import OpenAIServer

    with OpenAIServer(faults=Faults(quota_after=5), scorer=lambda body: "An answer.") as server:
        workspace.change(engine="endpoint", id="hosted", prompt="chat", base_url=server.base_url, served_as="ours")
        workspace.change(execution={"endpoint": {"concurrency": 2}})
        line = workspace.error_line("generate.py", "sft")
        assert line.startswith("error: ours: the account has no credit left")
        kept = recorded_rows(workspace)
        assert kept == server.counts.paid.total() >= 5
        assert not (workspace.root / "data/answers/sft.jsonl").exists(), "an out with holes must not be cached"
        server.faults = Faults()
        said = workspace.run_ok("generate.py", "sft")
        assert f"{kept} answers are in the ledger, {12 - kept} to generate" in said
        assert server.counts.paid.total() == 12


def test_a_judge_without_key_is_told_before_anything_is_generated(workspace: Workspace) -> None:
    workspace.set(judge__base_url=None)
    assert "there is no OPENAI_API_KEY" in workspace.error_line("generate.py", "sft")
    assert recorded_rows(workspace) == 0
    workspace.set(judge__base_url="http://localhost:9/v1")
    workspace.run_ok("generate.py", "sft")
    workspace.set(judge__base_url=None)
    workspace.run_ok("generate.py", "sft")  # there is nothing to buy, so nothing is needed


@pytest.mark.parametrize(
    ("model", "words"), [("nobody", "params.yaml has no such model"), ("../sft", "params.yaml has no such model")]
)
def test_a_model_that_is_not_there_is_one_line(workspace: Workspace, model: str, words: str) -> None:
    assert words in workspace.error_line("generate.py", model)


def test_a_broken_row_of_questions_is_one_line_with_its_number(workspace: Workspace) -> None:
    path = workspace.root / "data/questions.jsonl"
    path.write_text(path.read_text() + "{broken\n")
    assert "data/questions.jsonl, line 13" in workspace.error_line("generate.py", "sft")


def test_vllm_that_is_not_installed_is_one_line_that_says_what_to_install(workspace: Workspace) -> None:
    workspace.change(engine="vllm")
    line = workspace.error_line("generate.py", "sft")
    assert line == (
        "error: engine vllm: the package vllm is not installed; "
        "install it with `pip install -r requirements/gpu.txt` or choose another engine"
    )


def wait_for_rows(workspace: Workspace, process: "subprocess.Popen[str]", rows: int) -> None:
    """Waits until a running stage has recorded so many answers."""
    while recorded_rows(workspace) < rows and process.poll() is None:
        time.sleep(0.05)


@pytest.mark.exhaustive
def test_killed_at_ten_points_of_a_thousand_rows_the_final_file_is_the_same(workspace: Workspace) -> None:
    workspace.change(sampling={"max_tokens": 8})
    workspace.ask(instructions(1000))
    points = sorted(random.Random(1).sample(range(1, 990), 10))
    generated = 0
    for point in points:
        before = recorded_rows(workspace)
        process = workspace.process()
        wait_for_rows(workspace, process, max(point, before + 1))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        after = recorded_rows(workspace)
        assert after >= before
        generated += after - before
    assert generated == recorded_rows(workspace) < 1000
    workspace.run_ok("generate.py", "sft")
    interrupted = workspace.files()
    (workspace.root / ".cache" / "ledger.sqlite").unlink()
    workspace.run_ok("generate.py", "sft")
    assert workspace.files() == interrupted


def test_ctrl_c_keeps_what_is_finished_and_says_so_in_a_line(workspace: Workspace) -> None:
    workspace.set(embedded=True)
    workspace.change(engine="embedded")  # which starts in a moment
    workspace.ask(instructions(1000))
    process = workspace.process()
    wait_for_rows(workspace, process, 1)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("interrupted; what was finished is kept")
    assert 0 < recorded_rows(workspace) < 1000
