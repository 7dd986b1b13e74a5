"""lighteval as the harness: what it is told, what is believed of what it writes, and what is never run again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.benchmark_tasks import write_choice
from tests.made_up.lighteval import NORMALISED, install, write_lighteval_task
from tests.processes import ended_with_test
from tests.stages.test_benchmark import rows_of, summary, with_models
from tests.waiting import wait_until
from tuneproof.records.handovers import BENCHMARKS

REAL = os.environ.get("TUNEPROOF_LIGHTEVAL_PYTHON")


def lighteval_project(project: Project, name: str = "choice", items: int = 6, **settings: Any) -> Project:
    """A project whose one task is a file of lighteval, with lighteval's environment played."""
    write_choice(project.root, items, name)
    write_lighteval_task(project.root, name)
    with_models(project, **{name: {"path": f"tasks/{name}.py"}})
    benchmark = project.params()["benchmark"] | {"harness": "lighteval"} | settings
    project.set(benchmark=benchmark)
    install(project.root, REAL if name == "real" else None)
    return project


def seen(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.root / "seen.json").read_text())
    return found


def test_details_become_rows_in_the_tasks_order(project: Project) -> None:
    lighteval_project(project)
    project.run_ok("benchmark.py", "sft")
    rows = rows_of(project)
    items = [json.loads(line) for line in (project.root / "tasks/choice/test.jsonl").read_text().splitlines()]
    assert [row.question for row in rows] == [item["question"] for item in items]
    assert [row.target for row in rows] == [item["choices"][item["answer"]] for item in items]
    assert [row.response for row in rows] == [item["choices"][0] for item in items]
    assert [row.scores["acc"] for row in rows] == [float(item["answer"] == 0) for item in items]
    assert len({row.id for row in rows}) == 6
    one = summary(project)["choice"]
    assert (one.metric, one.versions, one.num_fewshot) == ("acc", {"choice|0": "3"}, {"choice|0": 0})
    assert one.mean == pytest.approx(sum(row.scores["acc"] or 0 for row in rows) / 6)
    assert one.chance == pytest.approx(sum(1 / len(item["choices"]) for item in items) / 6)


def test_the_child_gets_links_to_the_models_files_and_no_key(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    lighteval_project(project, num_fewshot=2, limit=4)
    before = sorted(path.name for path in (project.root / "data/embedded/models/sft").iterdir())
    project.run_ok("benchmark.py", "sft", OPENAI_API_KEY="sk-secret")
    assert seen(project)["key"] is None
    assert seen(project)["files"] == before
    assert sorted(path.name for path in (project.root / "data/embedded/models/sft").iterdir()) == before
    assert "override_chat_template=False" in seen(project)["told"] and "dtype=float32" in seen(project)["told"]
    assert seen(project)["arguments"][:4] == ["choice|2", "--output-dir", "out", "--save-details"]
    assert seen(project)["arguments"][-2:] == ["--max-samples", "4"]


def test_a_finished_task_is_not_run_again_unless_it_changes(project: Project) -> None:
    lighteval_project(project)
    project.run_ok("benchmark.py", "sft")
    (project.root / "seen.json").unlink()
    assert "choice is in the ledger" in project.run_ok("benchmark.py", "sft")
    assert not (project.root / "seen.json").exists()
    with (project.root / "tasks/choice/test.jsonl").open("a") as file:
        file.write(json.dumps({"question": "One more?", "choices": ["a", "b", "c", "d"], "answer": 0}) + "\n")
    project.run_ok("benchmark.py", "sft")
    assert len(rows_of(project)) == 7


def test_another_metric_counts_where_it_is_named(project: Project) -> None:
    lighteval_project(project)
    project.set(benchmark__tasks={"choice": {"path": "tasks/choice.py", "metric": NORMALISED}})
    project.run_ok("benchmark.py", "sft")
    assert summary(project)["choice"].metric == NORMALISED


@pytest.mark.parametrize(
    ("name", "settings", "line"),
    [
        ("raises", {}, "lighteval ended with status 1 (error ValueError: Cannot find task raises)"),
        ("says_nothing", {}, "every response to says_nothing|0 is empty, which is no result"),
        ("choice", {"seed": 3}, "benchmark.seed: lighteval has no seed for its examples"),
        (
            "choice",
            {"tasks": {"choice": {"path": "tasks/choice.py", "metric": "f1"}}},
            "it has no metric f1; name one of acc",
        ),
    ],
)
def test_what_is_no_result_is_one_line(project: Project, name: str, settings: dict[str, Any], line: str) -> None:
    lighteval_project(project, name, **settings)
    assert line in project.error_line("benchmark.py", "sft")


def test_without_its_environment_one_line_says_how_to_install_it(project: Project) -> None:
    lighteval_project(project)
    (project.root / ".venv-lighteval/bin/python").unlink()
    assert "lighteval is not installed; install it with `make lighteval`" in project.error_line("benchmark.py", "sft")


def test_a_killed_stage_leaves_no_lighteval_behind(project: Project) -> None:
    lighteval_project(project, "sleeps")
    told = project.root / "process"
    stage = ended_with_test(subprocess.Popen([sys.executable, ROOT / "scripts/benchmark.py", "sft"], cwd=project.root))
    wait_until(lambda: told.exists() and told.read_text() != "", stage)
    child = Path("/proc", told.read_text())
    assert child.exists()
    stage.kill()
    stage.wait()
    wait_until(lambda: not child.exists())
    assert not (project.root / BENCHMARKS.path("sft")).exists()


@pytest.mark.exhaustive
@pytest.mark.skipif(not REAL, reason="TUNEPROOF_LIGHTEVAL_PYTHON names no environment with lighteval")
def test_both_harnesses_find_the_same_of_every_item(project: Project) -> None:
    """Without a chat template; with one lighteval's own default would differ (docs/benchmarks-lighteval.md)."""
    lighteval_project(project, "real", items=60)
    project.run_ok("benchmark.py", "sft")
    theirs = {row.question: (row.scores["acc"], row.response) for row in rows_of(project)}
    Path(project.root / "tasks/real.jsonl").write_bytes((project.root / "tasks/real/test.jsonl").read_bytes())
    project.set(benchmark={"harness": "lm_eval", "tasks": {"real": {"path": "tasks/real.yaml"}}})
    project.run_ok("benchmark.py", "sft")
    assert {row.question: (row.scores["acc"], row.response) for row in rows_of(project)} == theirs
