import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project
from tests.made_up.following import answering, bought_twice, plain, processes_in, start, with_servers
from tests.made_up.golden import at_random, golden_rows, good
from tests.made_up.judging import write_rows
from tests.pipeline.pipeline import Clone
from tests.servers.openai.faults import Faults
from tests.servers.openai.server import OpenAIServer
from tests.waiting import wait_until

QUESTIONS = 12
TURNS = [
    {"turns": [f"What is {number}?", "And its double?", "And its half?"], "output": [f"It is {number}.", None, "?"]}
    for number in range(QUESTIONS)
]


def thinking(body: dict[str, Any]) -> str:
    return f"<think>What was asked?</think>{answering(body)}" if len(answering(body)) % 2 else "<think>Well"


@pytest.mark.parametrize("case", ["one message", "cut", "thoughts", "turns", "whole conversations"])
def test_what_follows_asks_exactly_what_the_judge_stage_would(project: Project, case: str) -> None:
    conversation = case in ("turns", "whole conversations")
    of_turns = {"questions__turns_column": "turns"} if conversation else {}
    with OpenAIServer(scorer=thinking if case == "thoughts" else answering) as model, OpenAIServer() as judge:
        project.set(generate__thinking="strip", **of_turns)
        per = "conversation" if case == "whole conversations" else "turn"
        cut: Any = {"max_answer_characters": 20} if case == "cut" else {}
        with_servers(project, model.base_url, judge.base_url, TURNS if conversation else plain(QUESTIONS), per=per,
                     attempts=2, **cut)  # fmt: skip
        project.set(execution__judge__follow=False)
        project.run_ok("generate.py", "sft")
        (project.root / "data" / "answers" / "sft.jsonl").rename(project.root / "kept.jsonl")
        said = project.run_ok("judge.py", "sft", "--follow")
        count = {"turns": 3 * QUESTIONS}.get(case, QUESTIONS)
        assert f"follows the answers, {count} of {count} are there" in said
        assert not (project.root / "data" / "judgements").exists(), "it writes into the ledger alone"
        (project.root / "kept.jsonl").rename(project.root / "data" / "answers" / "sft.jsonl")
        before = judge.counts.requests.total()
        assert f"bought {before} replies" in said and 0 < before <= count
        assert f"wrote {count} judgements" in project.run_ok("judge.py", "sft")
        assert judge.counts.requests.total() == before
        followed = project.files()["data/judgements/sft.jsonl"]
        (project.root / ".cache" / "ledger.sqlite").unlink()
        project.run_ok("judge.py", "sft")
        assert project.files()["data/judgements/sft.jsonl"] == followed
        assert judge.counts.requests.total() == 2 * before


def test_answers_are_judged_while_others_are_generated_and_none_twice(project: Project) -> None:
    with OpenAIServer(scorer=answering, latency_seconds=0.4) as model, OpenAIServer(latency_seconds=0.1) as judge:
        with_servers(project, model.base_url, judge.base_url, plain(40), concurrency=2)
        generate = start(project.root, "generate.py", "sft")
        wait_until(lambda: judge.counts.paid.total() > 5 or generate.poll() is not None)
        assert model.counts.paid.total() < 40
        assert generate.wait() == 0
        followed = judge.counts.paid.total()
        assert processes_in(project.root) == {}
        assert "wrote 40 judgements" in project.run_ok("judge.py", "sft")
        assert bought_twice(judge) == []
        assert followed > 5 and judge.counts.paid.total() == 40


def test_what_earlier_models_lack_is_bought_when_nothing_lands(project: Project) -> None:
    with OpenAIServer(scorer=answering) as model, OpenAIServer() as judge:
        with_servers(project, model.base_url, judge.base_url, plain(QUESTIONS), models=("sft", "dpo"))
        project.set(execution__judge__follow=False)
        project.run_ok("generate.py", "sft")
        follower = start(project.root, "judge.py", "dpo", "--follow")
        wait_until(lambda: judge.counts.paid.total() == QUESTIONS, follower)
        project.run_ok("generate.py", "dpo")
        assert follower.wait() == 0
        project.run_ok("judge.py", "sft")
        project.run_ok("judge.py", "dpo")
        assert judge.counts.paid.total() == 2 * QUESTIONS
        assert bought_twice(judge) == []


@pytest.mark.parametrize(("scorer", "admitted"), [(at_random, False), (good, True)])
def test_a_judge_is_asked_about_graded_answers_first_and_only_an_admitted_one_follows(
    project: Project, scorer: Any, admitted: bool
) -> None:
    write_rows(project, "golden.jsonl", golden_rows())
    with OpenAIServer(scorer=answering) as model, OpenAIServer(scorer=scorer()) as judge:
        project.set(admission__questions="golden.jsonl")
        with_servers(project, model.base_url, judge.base_url, plain(QUESTIONS))
        project.set(execution__judge__follow=False)
        project.run_ok("generate.py", "sft")
        said = project.run_ok("judge.py", "sft", "--follow")
        of_admission = judge.counts.requests.total() - (QUESTIONS if admitted else 0)
        assert ("does not follow: it is not admitted (weighted kappa" in said) != admitted
        done = project.run("admit.py")
        assert done.returncode == (0 if admitted else 1)
        assert judge.counts.requests.total() == of_admission + (QUESTIONS if admitted else 0), "admit finds all of it"


def test_where_admission_goes_by_labels_of_the_answers_nothing_follows(project: Project) -> None:
    with OpenAIServer(scorer=answering) as model, OpenAIServer() as judge:
        project.set(admission__questions="labels")
        with_servers(project, model.base_url, judge.base_url, plain(QUESTIONS))
        assert "it does not follow: its admission goes by people's labels" in project.run_ok(
            "judge.py", "sft", "--follow"
        )
        assert judge.counts.requests.total() == 0


def test_a_judge_that_refuses_everybody_ends_what_follows_and_not_the_stage(project: Project) -> None:
    with OpenAIServer(scorer=answering, latency_seconds=0.2) as model:
        with OpenAIServer(faults=Faults(status=401)) as judge:
            with_servers(project, model.base_url, judge.base_url, plain(40), concurrency=1)
            said = project.run_ok("generate.py", "sft")
        assert "wrote 40 answers" in said
        assert "the judge that followed had ended" in said
        assert "generate sft: error: " in said


def test_a_budget_ends_what_follows_in_time(project: Project) -> None:
    price = {"prompt": 1000.0, "reply": 1000.0}
    with OpenAIServer(scorer=answering) as model, OpenAIServer() as judge:
        prices: Any = {"prices": {"gpt-4o-mini": price}, "budget_usd": 10.0}
        with_servers(project, model.base_url, judge.base_url, plain(40), max_tokens=1000, **prices)
        project.set(execution__judge__follow=False)
        project.run_ok("generate.py", "sft")
        assert "execution.judge.budget_usd" in project.error_line("judge.py", "sft", "--follow")
        assert 0 < judge.counts.requests.total() < 40


def test_following_by_batches_is_refused(project: Project) -> None:
    project.set(execution__judge={"follow": True, "transport": "batch"})
    assert "follow is for transport direct" in project.error_line("validate.py")


def test_a_judge_of_this_machine_has_nothing_to_follow(embedded_project: Project) -> None:
    assert "this judge needs no endpoint" in embedded_project.run_ok("judge.py", "sft", "--follow")
    embedded_project.set(execution__judge__follow=True)
    assert "the judge follows" not in embedded_project.run_ok("generate.py", "sft")


def kill_followers(project: Project) -> None:
    for process, command in processes_in(project.root).items():
        if "--follow" in command:
            os.kill(process, signal.SIGKILL)


@pytest.mark.exhaustive
def test_killed_followers_and_killed_stages_buy_nothing_twice_and_leave_nobody(project: Project) -> None:
    draw, lost = random.Random(3), 0
    count, concurrency = 150, 6
    with OpenAIServer(scorer=answering, latency_seconds=0.3) as model, OpenAIServer(latency_seconds=0.3) as judge:
        with_servers(project, model.base_url, judge.base_url, plain(count), concurrency=4)
        project.set(execution__judge__concurrency=concurrency)
        for number in range(6):
            generate = start(project.root, "generate.py", "sft")
            goal = judge.counts.paid.total() + 5 + draw.randrange(8)
            wait_until(lambda goal=goal: judge.counts.paid.total() >= goal, generate)  # type: ignore[misc]
            if number % 2:
                before = judge.counts.paid.total()
                kill_followers(project)  # what was on its way to it is lost, as with any kill -9
                lost += judge.counts.in_flight + judge.counts.paid.total() - before + concurrency
            generate.send_signal((signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[number % 3])
            generate.wait()
            wait_until(lambda: processes_in(project.root) == {})
        project.run_ok("generate.py", "sft")
        assert f"wrote {count} judgements" in project.run_ok("judge.py", "sft")
        assert len(bought_twice(judge)) <= lost
        assert judge.counts.paid.total() <= count + lost


@pytest.mark.exhaustive
def test_a_killed_stage_has_its_follower_take_what_was_paid_for(project: Project) -> None:
    count = 120
    with OpenAIServer(scorer=answering, latency_seconds=0.3) as model, OpenAIServer(latency_seconds=0.5) as judge:
        with_servers(project, model.base_url, judge.base_url, plain(count), concurrency=4)
        for _ in range(4):
            generate = start(project.root, "generate.py", "sft")
            goal = judge.counts.paid.total() + 6
            wait_until(lambda goal=goal: judge.counts.paid.total() >= goal, generate)  # type: ignore[misc]
            os.killpg(generate.pid, signal.SIGKILL)
            generate.wait()
            wait_until(lambda: processes_in(project.root) == {})
        project.run_ok("generate.py", "sft")
        project.run_ok("judge.py", "sft")
        assert bought_twice(judge) == []
        assert judge.counts.paid.total() == count


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("how", "shell"), [(signal.SIGKILL, "/bin/sh"), (signal.SIGINT, "/bin/bash"), (signal.SIGTERM, "/bin/bash")]
)
def test_no_stage_and_no_follower_survives_dvc(tmp_path: Path, how: signal.Signals, shell: str) -> None:
    clone = Clone.of_this_repository(tmp_path / "clone")
    project = Project.__new__(Project)
    project.root = clone.root
    with OpenAIServer(scorer=answering, latency_seconds=0.5) as model, OpenAIServer(latency_seconds=0.2) as judge:
        with_servers(project, model.base_url, judge.base_url, plain(100), concurrency=2)
        dvc = clone.start_dvc(shell, "repro", "generate@sft")
        wait_until(lambda: judge.counts.paid.total() > 3, dvc)
        assert len(processes_in(clone.root)) >= 3
        if how == signal.SIGINT:
            os.killpg(dvc.pid, how)  # as a terminal does
        else:
            dvc.send_signal(how)
        dvc.wait()
        wait_until(lambda: processes_in(clone.root) == {})
        assert model.counts.paid.total() < 100, "they were ended, not done"
        assert bought_twice(judge) == bought_twice(model) == []
