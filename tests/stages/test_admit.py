import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Project
from tests.made_up.golden import at_random, first, golden_rows, good, obeying, stricter, with_golden
from tests.processes import ended_with_test
from tests.running import SCRIPTS
from tests.servers.openai import server as server_module
from tests.servers.openai.faults import Faults
from tests.servers.openai.replies import completion
from tests.servers.openai.server import OpenAIServer
from tuneproof.records.documents.admission import AdmissionResult

ASKED = 60 + 30 + 30 + 30 + 60 + 2 * 60  # as they are, attacked, lengthened, shortened, again, pairs in both orders


def result(project: Project) -> AdmissionResult:
    return AdmissionResult.model_validate_json((project.root / "data" / "admission.json").read_bytes())


def admission_files(project: Project) -> dict[str, bytes]:
    return {name: text for name, text in project.files().items() if name.startswith("data/admission")}


def test_where_it_is_off_the_same_few_files_are_written_and_nothing_is_asked(project: Project) -> None:
    with OpenAIServer() as server:
        with_golden(project, server.base_url, questions=None)
        assert "nothing is asked" in project.run_ok("admit.py")
        before = admission_files(project)
        project.set(admission__weighted_kappa=0.9, judge__model="another", judge__repeat=3)
        project.run_ok("validate.py")
        project.run_ok("admit.py")
        assert admission_files(project) == before
        assert len(before) == 4
        assert not result(project).asked
        assert server.counts.requests.total() == 0


def test_a_judge_that_reads_is_admitted_and_a_second_run_sends_nothing(project: Project) -> None:
    with OpenAIServer(scorer=good()) as server:
        with_golden(project, server.base_url)
        said = project.run_ok("admit.py")
        assert said.count("quote: ") == 1, "all that admission asks is in one quote"
        stages = quoted(project)["stages"]
        assert set(stages) > {"judge golden answers", "judge golden answers again", "compare golden answers"}
        assert "gpt-4o-mini is admitted" in said
        found = result(project)
        assert found.admitted
        assert (found.answers, found.refused, found.at_chance, found.unusable) == (60, [], [], 0)
        assert found.answered_as == ["gpt-4o-mini-local"]
        assert found.criteria["accuracy"].agreement.value > 0.6  # type: ignore[union-attr]
        assert found.orders is not None
        assert found.orders.better_than_chance
        assert server.counts.requests.total() == ASKED
        before = project.files()
        project.run_ok("admit.py")
        assert server.counts.requests.total() == ASKED
        assert project.files() == before


@pytest.mark.parametrize(
    ("scorer", "missed"),
    [
        (at_random, "weighted kappa of accuracy with golden answers is "),
        pytest.param(first, "the preference is the same in both orders in 0.00 [0.00, ", marks=pytest.mark.exhaustive),
        pytest.param(obeying, "attacks raise the scores of 0.", marks=pytest.mark.exhaustive),
    ],
)
def test_a_judge_below_a_bar_stops_the_run_with_figure_interval_and_bar(
    project: Project, scorer: Callable[[], Any], missed: str
) -> None:
    with OpenAIServer(scorer=scorer()) as server:
        with_golden(project, server.base_url)
        line = project.error_line("admit.py")
        assert "judge gpt-4o-mini: it is not admitted" in line
        assert missed in line
        assert "admission." in line
        assert "on_failure: warn" in line
        assert line.split("; ")[0] in line.splitlines()[0]
        assert result(project).refused
        bought = server.counts.requests.total()
        project.error_line("admit.py")
        assert server.counts.requests.total() == bought == ASKED


def test_told_only_to_warn_the_run_goes_on(project: Project) -> None:
    with OpenAIServer(scorer=at_random()) as server:
        with_golden(project, server.base_url, on_failure="warn")
        said = project.run_ok("admit.py")
        assert "warning: admit: gpt-4o-mini is not admitted, and the run goes on" in said
        assert "accuracy beside golden answers" in result(project).at_chance


def test_what_is_not_a_bar_is_not_asked(project: Project) -> None:
    with OpenAIServer(scorer=good()) as server:
        with_golden(project, server.base_url, consistency=None, repeat=None, injections=None, lengths=False)
        project.run_ok("admit.py")
        assert server.counts.requests.total() == 60
        assert result(project).orders is None


def test_whole_questions_are_drawn_up_to_the_limit(project: Project) -> None:
    with OpenAIServer(scorer=good()) as server:
        with_golden(project, server.base_url, limit=10, on_failure="warn")
        project.run_ok("admit.py")
        assert result(project).answers == 9


def quoted(project: Project) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project.root / ".cache/quote.json").read_text())
    return document


def test_judging_and_admission_share_one_quote_and_one_budget(project: Project) -> None:
    prices = {"gpt-4o-mini": {"prompt": 10.0, "reply": 40.0}}
    with OpenAIServer(scorer=good()) as server:
        with_golden(project, server.base_url, prices=prices, budget_usd=0.5, max_tokens=100, concurrency=1)
        line = project.error_line("admit.py")
        assert "execution.judge.budget_usd" in line
        bought = server.counts.requests.total()
        assert 0 < bought < ASKED
        project.set(execution__judge__budget_usd=50.0)
        project.run_ok("admit.py")
        assert server.counts.requests.total() == ASKED
        project.run_ok("validate.py")  # as the next run begins
        assert "quote: " in project.run_ok("judge.py", "sft")
        assert sum(stage["in_ledger"] for stage in quoted(project)["stages"].values()) == ASKED
        project.set(execution__judge__budget_usd=0.5)
        assert "execution.judge.budget_usd" in project.error_line("judge.py", "baseline")


@pytest.mark.exhaustive
def test_a_killed_admission_goes_on_and_buys_nothing_twice(project: Project) -> None:
    with OpenAIServer(scorer=good(), latency_seconds=0.02) as server:
        with_golden(project, server.base_url, concurrency=4)
        process = ended_with_test(subprocess.Popen(
            [sys.executable, str(SCRIPTS / "admit.py")], cwd=project.root, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ))  # fmt: skip
        while server.counts.paid.total() < 40 and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (project.root / "data" / "admission.json").exists()
        project.run_ok("admit.py")
        assert ASKED <= server.counts.requests.total() <= ASKED + 2 * 4


def test_what_another_clone_has_bought_is_not_bought_again(project: Project) -> None:
    with OpenAIServer(scorer=good()) as server:
        with_golden(project, server.base_url)
        project.run_ok("admit.py")
        (project.root / ".cache" / "ledger.sqlite").unlink()
        project.run_ok("validate.py")
        project.run_ok("admit.py")
        assert server.counts.requests.total() == ASKED


def test_a_judge_that_answers_as_another_model_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer(scorer=good()) as server:
        with_golden(project, server.base_url)
        project.run_ok("admit.py")
        monkeypatch.setattr(server_module, "completion", lambda *given: completion(*given) | {"model": "gpt-5o"})
        project.set(admission__round=1)
        said = project.run_ok("admit.py")
        assert "it answered as gpt-4o-mini-local before, and as gpt-5o now" in said
        assert server.counts.requests.total() == 2 * ASKED
        project.run_ok("admit.py")
        assert server.counts.requests.total() == 2 * ASKED


def test_scores_that_move_by_more_than_asking_again_does_are_told(project: Project) -> None:
    with OpenAIServer(scorer=good(wrong=0.2)) as server:
        with_golden(project, server.base_url, on_failure="warn")
        project.run_ok("admit.py")
        server.scorer = good(wrong=0.2, seed=5)
        project.set(admission__round=1)
        assert "differ from those of round" not in project.run_ok("admit.py")
        server.scorer = stricter()
        project.set(admission__round=2)
        said = project.run_ok("admit.py")
        assert "its scores of accuracy differ from those of round 0 (-0." in said
        assert "scores of style differ" not in said


def test_a_judge_that_gives_nothing_usable_is_refused(project: Project) -> None:
    with OpenAIServer(scorer=good(), faults=Faults(stuck={"malformed": 1.0})) as server:
        with_golden(project, server.base_url, attempts=1)
        project.set(judge__min_coverage=0.95)
        assert "got no usable reply" in project.error_line("admit.py")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"accuracy": 7}, "accuracy is 7, and its scale is 1 to 3"),
        ({"answer": " "}, "it has no answer"),
        ({"accuracy": None, "style": None}, "no criterion of the judge is graded"),
    ],
)
def test_a_broken_golden_set_stops_validate(project: Project, change: dict[str, Any], found: str) -> None:
    rows = golden_rows(4)
    rows[5] |= change
    (project.root / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.set(
        admission__questions="golden.jsonl",
        questions__dataset="golden.jsonl",
        questions__reference_column="reference",
        models={"a": {"engine": "recorded", "path": "golden.jsonl"}},
        baseline="a",
    )
    line = project.error_line("validate.py")
    assert "golden.jsonl, row 6" in line
    assert found in line


def test_a_bar_that_the_answers_cannot_give_stops_validate(project: Project) -> None:
    alone = golden_rows(6, answers=1)
    with pytest.raises(AssertionError, match="none makes a pair"):
        with_golden(project, "http://127.0.0.1:9/v1", alone)
    with pytest.raises(AssertionError, match="no answer has the grades of a second grader"):
        with_golden(project, "http://127.0.0.1:9/v1", weighted_kappa="people")


def test_a_judge_is_held_against_what_two_graders_reach(project: Project) -> None:
    rows = golden_rows()
    for place, row in enumerate(rows):
        row |= {f"second_{name}": row[name] if place % 5 else 1 + row[name] % 3 for name in ("accuracy", "style")}
    with OpenAIServer(scorer=good()) as server:
        with_golden(project, server.base_url, rows, weighted_kappa="people")
        project.run_ok("admit.py")
        found = result(project).criteria["accuracy"]
        assert found.people is not None
        assert 0.4 < found.people.value < 0.9
        assert found.beside_people is not None


def test_the_embedded_judge_shows_what_admission_is(embedded_project: Project) -> None:
    said = embedded_project.run_ok("admit.py")
    assert "embedded on 60 graded answers to 15 questions" in said
    found = result(embedded_project)
    assert found.asked
    assert found.at_chance == []
    assert found.orders is not None
    assert found.orders.consistency.value == 1
