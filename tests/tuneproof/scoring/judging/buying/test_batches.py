import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.judging import rows_of, with_answers
from tests.processes import ended_with_test
from tests.servers.openai.batches import BatchServer
from tests.servers.openai.faults import Faults
from tests.servers.openai.server import OpenAIServer
from tests.waiting import wait_until

PRICES = {"gpt-4o-mini": {"prompt": 10.0, "reply": 40.0}}
ANSWERS = {"sft": [f"Answer {number}" for number in range(10)], "baseline": ["No idea."] * 10}


def statuses(project: Project, stage: str = "judgements") -> set[str]:
    return {row["status"] for row in rows_of(project, stage, "sft")}


def test_the_first_stage_submits_every_batch_of_the_run_and_each_waits_for_its_own(project: Project) -> None:
    with BatchServer() as server:
        with_answers(project, server.base_url, ANSWERS, transport="batch")
        said = project.run_ok("judge.py", "sft")
        assert "submitted batch batch-0 with 10 requests" in said
        assert "batch 1 of 1 is in_progress, 0 of 10 done" in said
        assert len(server.batches) == 3
        assert statuses(project) == {"ok"}
        project.run_ok("judge.py", "baseline")
        project.run_ok("compare.py", "sft")
        assert statuses(project, "comparisons") == {"ok"}
        assert len(server.batches) == 3
        assert server.counts.paid.total() == 10 + 10 + 20


def test_moving_between_transports_changes_no_result_and_buys_nothing(project: Project) -> None:
    with BatchServer() as server:
        with_answers(project, server.base_url, ANSWERS, transport="batch")
        project.run_ok("judge.py", "sft")
        written = project.files()["data/judgements/sft.jsonl"]
        bought = server.counts.paid.total()
        project.set(execution__judge__transport="direct")
        project.run_ok("judge.py", "sft")
        assert project.files()["data/judgements/sft.jsonl"] == written
        assert server.counts.paid.total() == bought
    with OpenAIServer() as other:
        project.set(judge__base_url=other.base_url, judge__served_as=server.base_url)
        project.run_ok("judge.py", "sft")
        assert other.counts.requests.total() == 0


@pytest.mark.parametrize("outcome", ["half", "expired"])
def test_what_a_batch_did_not_bring_is_submitted_again_alone(project: Project, outcome: str) -> None:
    with BatchServer([outcome, "completed"]) as server:  # type: ignore[list-item]  # a parameter is a plain str
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        project.run_ok("judge.py", "sft")
        assert statuses(project) == {"ok"}
        assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [10, 5]
        assert max(server.counts.paid.values()) == 1


@pytest.mark.parametrize(("outcome", "kept"), [("cancelled", 5), ("failed", 0)])
def test_a_batch_that_fails_or_is_cancelled_stops_and_another_run_submits_the_rest(
    project: Project, outcome: str, kept: int
) -> None:
    with BatchServer([outcome, "completed"]) as server:  # type: ignore[list-item]  # a parameter is a plain str
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        line = project.error_line("judge.py", "sft")
        assert f"batch batch-0 is {outcome}" in line
        assert ("Too many." in line) == (outcome == "failed")
        assert server.counts.paid.total() == kept
        project.run_ok("judge.py", "sft")
        assert statuses(project) == {"ok"}
        assert server.counts.paid.total() == 10


def test_batches_that_bring_nothing_again_and_again_end_the_run(project: Project) -> None:
    with BatchServer(["failed"], looks=-1) as server:
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        assert "10 replies did not come, the last because" in project.error_line("judge.py", "sft")
        assert len(server.batches) == 3


def test_a_killed_run_collects_the_batch_that_it_submitted(project: Project) -> None:
    with BatchServer(looks=10**6) as server:
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        command = [sys.executable, str(ROOT / "scripts" / "judge.py"), "sft"]
        process = ended_with_test(
            subprocess.Popen(command, cwd=project.root, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
        )
        assert process.stderr
        while "in_progress" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        server._left["batch-0"] = 1
        project.run_ok("judge.py", "sft")
        assert len(server.batches) == 1
        assert server.counts.paid.total() == 10
        assert statuses(project) == {"ok"}


def test_a_batch_that_a_killed_run_could_not_note_is_found_by_its_mark(project: Project) -> None:
    with BatchServer() as server:
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        project.run_ok("judge.py", "sft")
        for file in (project.root / ".cache").glob("ledger.sqlite*"):
            file.unlink()
        project.run_ok("judge.py", "sft")
        assert len(server.batches) == 1
        assert server.counts.paid.total() == 10


def test_a_request_that_is_rejected_as_all_would_be_stops_after_every_other_reply_is_kept(project: Project) -> None:
    with BatchServer(["rejected", "completed"]) as server:
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        assert "it rejects the request: Unknown parameter: 'logprobs'." in project.error_line("judge.py", "sft")
        assert server.counts.paid.total() == 9
        project.run_ok("judge.py", "sft")
        assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [10, 1]
        assert (statuses(project), server.counts.paid.total()) == ({"ok"}, 10)


def test_a_batch_that_ended_with_a_rejection_while_nobody_looked_is_collected_and_the_rest_sent_anew(
    project: Project,
) -> None:
    with BatchServer(["rejected", "completed"]) as server:
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        project.error_line("judge.py", "sft")
        for file in (project.root / ".cache").glob("ledger.sqlite*"):
            file.unlink()
        project.run_ok("judge.py", "sft")
        assert (statuses(project), server.counts.paid.total()) == ({"ok"}, 10)


def test_a_line_end_of_unicode_within_a_reply_does_not_end_its_line(project: Project) -> None:
    def scorer(body: dict[str, Any]) -> str:
        entry = {"analysis": "a\u2028b\x85c", "score": 3}
        return json.dumps({"accuracy": entry, "style": entry}, ensure_ascii=False)

    with BatchServer(scorer=scorer) as server:
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        project.run_ok("judge.py", "sft")
        first = project.files()["data/judgements/sft.jsonl"].splitlines()[0]
        assert json.loads(first)["analyses"]["style"] == "a\u2028b\x85c"


def test_unusable_replies_are_asked_again_in_further_batches(project: Project) -> None:
    with BatchServer(faults=Faults(stuck={"malformed": 1.0})) as server:
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch", attempts=2)
        project.run_ok("judge.py", "sft")
        assert statuses(project) == {"unreadable"}
        assert [reply["attempt"] for reply in rows_of(project, "judgements", "sft")[0]["replies"]] == [1, 2]
        assert len(server.batches) == 2


def test_direct_requests_do_not_buy_what_a_batch_is_bringing(project: Project) -> None:
    with BatchServer(looks=10**6) as server:
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        command = [sys.executable, str(ROOT / "scripts" / "judge.py"), "sft"]
        process = ended_with_test(subprocess.Popen(command, cwd=project.root, stderr=subprocess.PIPE, text=True))
        wait_until(lambda: bool(server.batches), process)
        wait_until(lambda: "batch" in kinds(project), process)
        process.kill()
        process.communicate()
        project.set(execution__judge__transport="direct")
        assert "batch batch-0 is under way" in project.error_line("judge.py", "sft")
        server._left["batch-0"] = 0
        project.run_ok("judge.py", "sft")
        assert server.counts.paid.total() == 10


def kinds(project: Project) -> set[str]:
    import sqlite3

    with sqlite3.connect(project.root / ".cache" / "ledger.sqlite", timeout=30) as connection:
        return {kind for (kind,) in connection.execute("SELECT DISTINCT kind FROM results")}


def test_equal_answers_share_one_request(project: Project) -> None:
    with BatchServer() as server:
        with_answers(project, server.base_url, {"sft": ["Same."] * 4, "baseline": ["Same."] * 4}, transport="batch")
        project.run_ok("judge.py", "sft")
        assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [4, 4]


def test_only_what_the_budget_allows_is_submitted(project: Project) -> None:
    with BatchServer() as server:
        with_answers(
            project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch", prices=PRICES, max_tokens=100,
            budget_usd=0.08,
        )  # fmt: skip
        assert "execution.judge.budget_usd" in project.error_line("judge.py", "sft")
        assert 0 < server.counts.paid.total() < 10
        project.set(execution__judge__budget_usd=5.0)
        project.run_ok("judge.py", "sft")
        assert statuses(project) == {"ok"}
        assert server.counts.paid.total() == 10


def test_an_endpoint_without_batches_is_named(project: Project) -> None:
    with OpenAIServer() as server:
        with_answers(project, server.base_url, {"sft": ANSWERS["sft"]}, transport="batch")
        line = project.error_line("judge.py", "sft", OPENAI_API_KEY="sk-planted")
        assert "its Batch API answered 404" in line
        assert "set execution.judge.transport: direct" in line
        assert "sk-planted" not in line


@pytest.mark.parametrize(
    "line",
    [b'"no outcome"', b"[1]", b"{", b'{"id": "line"}', b'"\xff"'],
)
def test_a_line_that_is_no_outcome_is_told_and_the_others_are_recorded(
    project: Project, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    with BatchServer() as server:
        keep = server._keep
        monkeypatch.setattr(
            server, "_keep", lambda content: keep(line + b"\n" + content if b'"response"' in content else content)
        )
        with_answers(project, server.base_url, {"sft": ["Fine.", "Good."]}, transport="batch")
        said = project.run_ok("judge.py", "sft")
        assert "a line of its output is no outcome of a request" in said
        assert server.counts.paid.total() == 2


@pytest.mark.parametrize(
    "odd", [{"usage": [1]}, {"choices": []}, {"choices": [{"message": {"content": [None]}, "finish_reason": "stop"}]}]
)
def test_an_odd_body_in_a_batch_is_recorded_and_submitted_again_within_the_attempts_only(
    project: Project, monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any]
) -> None:
    with BatchServer() as server:
        reply = server._reply
        monkeypatch.setattr(server, "_reply", lambda body: reply(body) | odd)
        with_answers(project, server.base_url, {"sft": ["Fine."]}, transport="batch", attempts=2)
        project.run_ok("judge.py", "sft")
        status = rows_of(project, "judgements", "sft")[0]["status"]
        assert (status, server.counts.paid.total()) == (("ok", 1) if "usage" in odd else ("unreadable", 2))
