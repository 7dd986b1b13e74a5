"""The generate stage on conversations: turn by turn, from the transformers engine to recorded answers and SageMaker."""

import json
import os
import random
import signal
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.sagemaker_workspaces import BUCKET, SETTINGS
from tests.servers.aws.services import LocalAWS
from tests.servers.openai.faults import canonical
from tests.servers.openai.server import OpenAIServer
from tests.stages.test_generate import recorded_rows, wait_for_rows
from tests.tuneproof.generation.engines.workspaces import Workspace, make_workspace
from tuneproof.common.windows import workers_for
from tuneproof.records.files import write_rows
from tuneproof.records.rows import Message, Question

TURNS = 2


def two_turns(count: int) -> list[Question]:
    """Questions in two turns, some with a history; what they ask differs in the first turn alone."""
    questions = []
    for number in range(count):
        turns = [f"Question {number}: " + "why does the loss rise? " * (number % 5), "And in one word?"]
        history = [Message(role="user", content="Hello."), Message(role="assistant", content="Hi.")] * (number % 2)
        questions.append(
            Question(
                id=f"q{number}", instruction=turns[0], reference=None, history=history, turns=turns,
                references=[None, None],
            )
        )  # fmt: skip
    return questions


def ask(workspace: Workspace, questions: list[Question]) -> None:
    write_rows(workspace.root / "data/questions.jsonl", questions)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = make_workspace(tmp_path / "workspace", prompt="chat")
    workspace.change(sampling={"max_tokens": 8})
    ask(workspace, two_turns(8))
    return workspace


def forget(workspace: Workspace, keys: list[str]) -> None:
    """Takes answers out of the ledger."""
    with sqlite3.connect(workspace.root / ".cache" / "ledger.sqlite") as connection:
        connection.executemany("DELETE FROM results WHERE key = ?", [(key,) for key in keys])
    connection.close()


def test_every_turn_is_a_row_whose_prompt_holds_the_model_s_own_answers(workspace: Workspace) -> None:
    workspace.change(sampling={"samples": 2})
    said = workspace.run_ok("generate.py", "sft")
    assert "8 questions x 2" in said and "0 answers are in the ledger, 32 to generate" in said
    assert "generated 32 of 32 answers (0 errors)" in said
    answers = workspace.answers()
    places = [(question.id, sample, turn) for question in workspace.questions for sample in (0, 1) for turn in (0, 1)]
    assert [(answer.id, answer.sample, answer.turn) for answer in answers] == places
    for first, second in zip(answers[::2], answers[1::2], strict=True):
        assert second.prompt.startswith(first.prompt.rstrip() if not first.answer else first.prompt)
        assert first.answer in second.prompt and second.prompt.count("And in one word?") == 1
        assert second.key != first.key
    assert len({answer.key for answer in answers}) == len(answers)
    before = workspace.files()
    assert "32 answers are in the ledger, 0 to generate" in workspace.run_ok("generate.py", "sft")
    assert workspace.files() == before


def test_only_second_turns_are_asked_where_only_they_are_missing(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    before = workspace.files()
    forget(workspace, [answer.key for answer in workspace.answers() if answer.turn == 1][:5])
    said = workspace.run_ok("generate.py", "sft")
    assert "11 answers are in the ledger, 5 to generate" in said and "generated 5 of 5 answers" in said
    assert workspace.files() == before


def test_a_fresh_ledger_gives_the_same_file_whatever_the_batch(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    expected = workspace.files()["data/answers/sft.jsonl"]
    (workspace.root / ".cache" / "ledger.sqlite").unlink()
    workspace.change(execution={"transformers": {"batch_size": 3}})
    workspace.run_ok("generate.py", "sft")
    assert workspace.files()["data/answers/sft.jsonl"] == expected


def test_questions_of_one_message_beside_conversations_keep_their_rows_and_keys(workspace: Workspace) -> None:
    one = Question(id="one", instruction="Why?", reference=None)
    ask(workspace, [one])
    workspace.run_ok("generate.py", "sft")
    [line] = (workspace.root / "data/answers/sft.jsonl").read_text().splitlines()
    assert '"turn"' not in line
    ask(workspace, [*two_turns(2), one])
    assert "1 answers are in the ledger, 4 to generate" in workspace.run_ok("generate.py", "sft")
    assert (workspace.root / "data/answers/sft.jsonl").read_text().splitlines()[-1] == line


def test_a_turn_whose_predecessor_failed_is_an_error_row_with_the_reason(workspace: Workspace) -> None:
    questions = two_turns(3)
    long = questions[1].model_copy(update={"turns": ["word " * 600, "And in one word?"]})
    ask(workspace, [questions[0], long, questions[2]])
    said = workspace.run_ok("generate.py", "sft")
    assert "generated 5 of 6 answers (1 errors)" in said and "2 error" in said.splitlines()[-1]
    first, second = [answer for answer in workspace.answers() if answer.id == "q1"]
    assert first.finish_reason == second.finish_reason == "error"
    assert second.error == f"turn 0 has no answer to go on from: {first.error}"
    assert (second.turn, second.answer, second.prompt) == (1, "", "")
    before = workspace.files()
    assert "0 to generate" in workspace.run_ok("generate.py", "sft")
    assert workspace.files() == before


def test_an_earlier_thought_is_not_repeated_to_the_model_with_either_setting(workspace: Workspace) -> None:
    asked = list[list[dict[str, str]]]()

    def thinks(body: dict[str, Any]) -> str:
        asked.append(body["messages"])
        return f"<think>Hm.</think>Answer {len(body['messages'])}."

    with OpenAIServer(scorer=thinks) as server:
        workspace.change(engine="endpoint", id="hosted", base_url=server.base_url, served_as="ours")
        kept = workspace.run_ok("generate.py", "sft")
        assert "16 to generate" in kept
        workspace.set(generate__thinking="strip")
        assert "0 to generate" in workspace.run_ok("generate.py", "sft")
    assert len(asked) == 16
    for messages in asked:
        assert all("think" not in message["content"] for message in messages)
        assert all(message.keys() == {"role", "content"} for message in messages)
    assert [len(messages) for messages in asked].count(3) >= 4
    assert {answer.thinking for answer in workspace.answers()} == {"<think>Hm.</think>"}


def recorded(workspace: Workspace, rows: list[dict[str, Any]]) -> None:
    (workspace.root / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    workspace.change(engine="recorded", path="own.jsonl", id=None, prompt=None)


def test_recorded_answers_have_a_column_turn(workspace: Workspace) -> None:
    rows = [{"id": f"q{number}", "turn": turn, "answer": f"{number}.{turn}"} for number in range(8) for turn in (1, 0)]
    recorded(workspace, rows)
    workspace.run_ok("generate.py", "sft")
    answers = workspace.answers()
    assert [answer.answer for answer in answers] == [f"{number}.{turn}" for number in range(8) for turn in (0, 1)]
    assert [answer.prompt for answer in answers[:2]] == workspace.questions[0].turns


def test_recorded_answers_without_a_turn_are_missed_before_anything_is_taken(workspace: Workspace) -> None:
    recorded(workspace, [{"id": f"q{number}", "answer": "Yes."} for number in range(8)])
    line = workspace.error_line("generate.py", "sft")
    assert "8 of 16 answers are missing" in line and "a column `turn` from 0" in line
    assert recorded_rows(workspace) == 0


@pytest.mark.exhaustive
def test_a_job_on_sagemaker_answers_every_turn_and_goes_on_where_a_turn_is_missing(workspace: Workspace) -> None:
    workspace.run_ok("generate.py", "sft")
    expected = workspace.files()["data/answers/sft.jsonl"]
    forget(workspace, [answer.key for answer in workspace.answers() if answer.turn == 1 or answer.id in ("q1", "q2")])
    workspace.set(execution__generate__run_on="sagemaker", execution__sagemaker=SETTINGS)
    with LocalAWS() as aws:
        aws.create_bucket(BUCKET)
        said = workspace.run_ok("generate.py", "sft", **aws.environment())
    assert "6 answers are in the ledger, 10 to generate" in said and "10 rows on ml.g5" in said
    assert workspace.files()["data/answers/sft.jsonl"] == expected


@pytest.mark.exhaustive
def test_killed_at_ten_points_of_three_hundred_questions_in_two_turns_the_final_file_is_the_same(
    workspace: Workspace,
) -> None:
    """At most one window, here a batch, is made twice, and no first turn where only its second one is missing."""
    ask(workspace, two_turns(300))
    points = sorted(random.Random(4).sample(range(1, 590), 10))
    for point in points:
        before = recorded_rows(workspace)
        process = workspace.process()
        wait_for_rows(workspace, process, max(point, before + 1))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert recorded_rows(workspace) >= before, "nothing that is in the ledger is made again"
    left = 300 * TURNS - recorded_rows(workspace)
    assert f"{left} to generate" in workspace.run_ok("generate.py", "sft")
    interrupted = workspace.files()
    (workspace.root / ".cache" / "ledger.sqlite").unlink()
    workspace.run_ok("generate.py", "sft")
    assert workspace.files() == interrupted


@pytest.mark.exhaustive
def test_killed_at_ten_points_nothing_recorded_is_asked_again_and_at_most_one_window_twice(
    workspace: Workspace,
) -> None:
    """Counted at a server, for the first turns as for the second ones."""
    ask(workspace, two_turns(300))
    window, kills = 16, 10

    def said(body: dict[str, Any]) -> str:
        return f"Answer to {canonical(body)}."

    with OpenAIServer(scorer=said, latency_seconds=0.02) as server:
        workspace.change(engine="endpoint", id="hosted", base_url=server.base_url, served_as="ours")
        workspace.set(execution__generate__endpoint={"concurrency": window})
        for point in sorted(random.Random(5).sample(range(1, 560), kills)):
            known, asked = recorded_texts(workspace), Counter(server.counts.requests)
            process = workspace.process()
            wait_for_rows(workspace, process, max(point, len(known) + 1))
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            assert process.returncode == -signal.SIGKILL
            again = [name for name in server.counts.requests - asked if asked[name]]
            assert not {f"Answer to {name}." for name in again} & known
            assert len(again) <= workers_for(window)  # in flight, or on their way to the disk
        known, asked = recorded_texts(workspace), Counter(server.counts.requests)
        left = 300 * TURNS - len(known)
        assert f"{left} to generate" in workspace.run_ok("generate.py", "sft")
        assert (server.counts.requests - asked).total() == left
        assert server.counts.requests.total() <= 300 * TURNS + kills * workers_for(window)
        interrupted = workspace.files()
        (workspace.root / ".cache" / "ledger.sqlite").unlink()
        workspace.run_ok("generate.py", "sft")
        assert workspace.files() == interrupted


def recorded_texts(workspace: Workspace) -> set[str]:
    """The answers that the ledger holds."""
    path = workspace.root / ".cache" / "ledger.sqlite"
    if not path.is_file():
        return set()
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return {json.loads(body)["answer"] for (body,) in connection.execute("SELECT body FROM results")}
    finally:
        connection.close()
