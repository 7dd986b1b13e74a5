import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.following import start
from tests.made_up.judging import settings_of_judge
from tests.processes import ended_with_test
from tests.servers.openai.faults import Faults
from tests.servers.openai.server import OpenAIServer
from tests.waiting import PATIENCE_SECONDS, wait_until
from tuneproof.common.windows import workers_for

SECRET = "sk-planted-9876543210"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


def answered(project: Project, server: OpenAIServer, answers: list[str], **judge: Any) -> Project:
    """A validated project with recorded answers whose judge is a local server."""
    rows = [{"instruction": f"What is {number}?", "output": f"It is {number}."} for number in range(len(answers))]
    (project.root / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recorded = [
        {"instruction": row["instruction"], "answer": text or " "} for row, text in zip(rows, answers, strict=True)
    ]
    (project.root / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in recorded))
    settings = {"judge__base_url": server.base_url, "judge__min_coverage": 0.0}
    settings |= settings_of_judge(**judge)
    project.set(
        questions__dataset="questions.jsonl",
        baseline="sft",
        models={"sft": {"engine": "recorded", "path": "answers.jsonl"}},
        **settings,
    )
    project.run_ok("validate.py", OPENAI_API_KEY=SECRET)
    project.run_ok("generate.py", "sft", OPENAI_API_KEY=SECRET)
    return project


def judgements(project: Project) -> list[dict[str, Any]]:
    lines = (project.root / "data" / "judgements" / "sft.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_answer_gets_a_row_in_order_and_a_second_run_sends_nothing(
    project: Project, server: OpenAIServer
) -> None:
    answered(project, server, [f"Answer {number}" for number in range(30)])
    said = project.run_ok("judge.py", "sft", OPENAI_API_KEY=SECRET)
    assert "wrote 30 judgements" in said
    rows = judgements(project)
    answers = (project.root / "data" / "answers" / "sft.jsonl").read_text().splitlines()
    assert [row["id"] for row in rows] == [json.loads(line)["id"] for line in answers]
    assert {row["status"] for row in rows} == {"ok"}
    assert all(set(row["scores"]) == {"accuracy", "style"} for row in rows)
    assert server.counts.requests.total() == 30
    before = project.files()
    project.run_ok("judge.py", "sft")
    assert server.counts.requests.total() == 30
    assert project.files() == before


def test_an_empty_answer_is_not_sent_and_has_no_score(project: Project, server: OpenAIServer) -> None:
    answered(project, server, ["Fine.", "", "   \n"])
    project.run_ok("judge.py", "sft")
    assert [row["status"] for row in judgements(project)] == ["ok", "no_answer", "no_answer"]
    assert judgements(project)[1]["scores"] is None
    assert server.counts.requests.total() == 1


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("malformed", "unreadable"), ("prose", "unreadable"), ("off_scale", "unreadable"), ("empty", "unreadable"),
        ("twice", "unreadable"), ("refusal", "refused"), ("truncated", "truncated"),
    ],
)  # fmt: skip
def test_a_reply_that_stays_bad_gets_its_status_and_no_score(project: Project, fault: str, status: str) -> None:
    with OpenAIServer(faults=Faults(stuck={fault: 1.0})) as server:
        answered(project, server, ["Fine.", "Good."], attempts=2)
        project.run_ok("judge.py", "sft")
        rows = judgements(project)
        assert [row["status"] for row in rows] == [status, status]
        assert [row["scores"] for row in rows] == [None, None]
        assert [reply["attempt"] for reply in rows[0]["replies"]] == [1, 2]
        assert server.counts.requests.total() == 4
        project.run_ok("judge.py", "sft")
        assert server.counts.requests.total() == 4


def test_too_few_scores_fail_the_stage_after_everything_was_saved(project: Project) -> None:
    with OpenAIServer(faults=Faults(stuck={"malformed": 1.0})) as server:
        answered(project, server, ["Fine."] * 3, attempts=1, min_coverage=0.5)
        line = project.error_line("judge.py", "sft")
        assert "only 0.0% of 3 answers got a score" in line
        assert len(judgements(project)) == 3


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(status=401), "key"),
        (Faults(status=403), "forbids"),
        (Faults(status=404), "does not know"),
        (Faults(status=400), "rejects"),
        (Faults(quota_after=20), "credit"),
    ],
    ids=["401", "403", "404", "400", "quota"],
)
def test_a_judge_that_cannot_be_used_stops_at_once_with_one_line(
    project: Project, faults: Faults, expected: str
) -> None:
    with OpenAIServer(faults=faults) as server:
        answered(project, server, [f"Answer {number}" for number in range(200)])
        line = project.error_line("judge.py", "sft", OPENAI_API_KEY=SECRET)
        assert expected in line
        assert SECRET not in line
        assert server.counts.requests.total() <= 20 + 64
        assert not list((project.root / "data" / "judgements").glob("*"))


def test_openai_without_a_key_stops_before_anything_is_sent(project: Project, server: OpenAIServer) -> None:
    answered(project, server, ["Fine."])
    project.set(judge__base_url=None)
    assert "OPENAI_API_KEY" in project.error_line("judge.py", "sft")


def test_a_changed_rubric_buys_anew_and_going_back_buys_nothing(project: Project, server: OpenAIServer) -> None:
    answered(project, server, ["Fine."] * 5)
    project.run_ok("judge.py", "sft")
    criteria = project.params()["judge"]["criteria"]
    project.set(judge__criteria__style__question="Is it short?")
    project.run_ok("judge.py", "sft")
    assert server.counts.requests.total() == 10
    project.set(judge__criteria=criteria)
    project.run_ok("judge.py", "sft")
    assert server.counts.requests.total() == 10


def test_more_samples_buy_only_what_is_missing_and_repeat_buys_all_anew(project: Project, server: OpenAIServer) -> None:
    answered(project, server, ["Fine."] * 5)
    project.run_ok("judge.py", "sft")
    project.set(judge__samples=3)
    project.run_ok("judge.py", "sft")
    assert server.counts.requests.total() == 15
    assert len(judgements(project)[0]["replies"]) == 3
    project.set(judge__repeat=1)
    project.run_ok("judge.py", "sft")
    assert server.counts.requests.total() == 30


def test_concurrency_and_timeouts_change_no_result_and_buy_nothing(project: Project, server: OpenAIServer) -> None:
    answered(project, server, ["Fine."] * 20, concurrency=3)
    project.run_ok("judge.py", "sft")
    before = project.files()["data/judgements/sft.jsonl"]
    assert server.counts.peak_in_flight <= 3
    project.set(execution__judge__concurrency=50, execution__judge__timeout_seconds=7.0)
    project.run_ok("judge.py", "sft")
    assert project.files()["data/judgements/sft.jsonl"] == before
    assert server.counts.requests.total() == 20


def test_a_killed_stage_goes_on_without_buying_a_finished_reply_again(project: Project) -> None:
    concurrency, kills = 4, 3
    with OpenAIServer(latency_seconds=0.05) as server:
        answered(project, server, [f"Answer {number}" for number in range(60)], concurrency=concurrency)
        for kill in range(kills):
            process = start(project.root, "judge.py", "sft")
            while server.counts.paid.total() < 12 * (kill + 1) and process.poll() is None:
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        project.run_ok("judge.py", "sft")
        assert {row["status"] for row in judgements(project)} == {"ok"}
        under_way = workers_for(concurrency)  # in flight, or answered and not yet on disk
        assert server.counts.requests.total() <= 60 + under_way * kills


def test_an_interrupt_ends_cleanly_and_keeps_what_arrived(project: Project) -> None:
    with OpenAIServer(latency_seconds=0.1) as server:
        answered(project, server, [f"Answer {number}" for number in range(40)], concurrency=4)
        process = ended_with_test(
            subprocess.Popen(
                [sys.executable, str(ROOT / "scripts" / "judge.py"), "sft"],
                cwd=project.root,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        wait_until(lambda: server.counts.paid.total() >= 8, process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 130
        assert "Traceback" not in said
        assert "interrupted" in said
        project.run_ok("judge.py", "sft")
        assert server.counts.requests.total() <= 44


def test_answers_that_went_unanswered_fail_the_stage_and_the_rest_is_kept(project: Project) -> None:
    with OpenAIServer() as server:
        answered(project, server, ["Fine."] * 3)
    line = project.error_line("judge.py", "sft")
    assert "3 of 3 got no reply" in line
    assert line.count("run again") == 1
    assert not list((project.root / "data" / "judgements").glob("*"))


def test_an_answer_without_its_question_is_named(project: Project, server: OpenAIServer) -> None:
    answered(project, server, ["Fine."])
    path = project.root / "data" / "answers" / "sft.jsonl"
    path.write_text(path.read_text().replace(json.loads(path.read_text())["id"], "ffffffffffff"))
    assert "its question is not in data/questions.jsonl" in project.error_line("judge.py", "sft")


def test_a_broken_row_of_answers_is_named_by_its_line(project: Project, server: OpenAIServer) -> None:
    answered(project, server, ["Fine."])
    with (project.root / "data" / "answers" / "sft.jsonl").open("a") as file:
        file.write('{"id": "x"\n')
    assert "data/answers/sft.jsonl, line 2: this is no answer" in project.error_line("judge.py", "sft")


def test_the_key_reaches_the_endpoint_and_nothing_else(project: Project, server: OpenAIServer) -> None:
    answered(project, server, ["Fine."] * 3)
    said = project.run_ok("judge.py", "sft", OPENAI_API_KEY=SECRET)
    assert server.counts.keys[f"Bearer {SECRET}"] == 3
    everything = b"".join(path.read_bytes() for path in project.root.rglob("*") if path.is_file())
    assert SECRET.encode() not in everything
    assert SECRET not in said


def test_the_embedded_judge_scores_without_a_network(embedded_project: Project) -> None:
    embedded_project.run_ok("generate.py", "sft")
    embedded_project.run_ok("judge.py", "sft")
    rows = judgements(embedded_project)
    assert len(rows) == 48  # 40 questions, 8 of them in two turns
    for row in rows:
        if row["status"] == "ok":
            assert all(1 <= score <= 3 for score in row["scores"].values())
            assert all(abs(sum(steps.values()) - 1) < 1e-3 for steps in row["replies"][0]["probabilities"].values())


def test_a_model_that_is_not_there_is_named(embedded_project: Project) -> None:
    assert "params.yaml has no such model" in embedded_project.error_line("judge.py", "nobody")


def test_two_stages_at_once_share_what_they_buy(project: Project) -> None:
    with OpenAIServer(latency_seconds=0.05) as server:
        answered(project, server, [f"Answer {number}" for number in range(60)], concurrency=5)
        command = [sys.executable, str(ROOT / "scripts" / "judge.py"), "sft"]
        stages = [
            ended_with_test(
                subprocess.Popen(command, cwd=project.root, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
            )
            for _ in range(3)
        ]
        said = [stage.communicate(timeout=PATIENCE_SECONDS)[1] for stage in stages]
        assert [stage.returncode for stage in stages] == [0, 0, 0], said
        assert server.counts.requests.total() == 60
        assert {row["status"] for row in judgements(project)} == {"ok"}


def test_equal_answers_to_equal_questions_are_bought_once(project: Project, server: OpenAIServer) -> None:
    answered(project, server, ["Fine."])
    questions, answers = (project.root / "data" / name for name in ("questions.jsonl", "answers/sft.jsonl"))
    for path in (questions, answers):
        row = json.loads(path.read_text())
        path.write_text("".join(json.dumps(row | {"id": f"q{number}"}) + "\n" for number in range(10)))
    project.run_ok("judge.py", "sft")
    assert len(judgements(project)) == 10
    assert server.counts.requests.total() == 1
