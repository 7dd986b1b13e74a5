"""The gate on benchmarks that decide: paired by item, held to a drop of their own, refused where asked otherwise."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.made_up.benchmark_rows import write_benchmarks
from tests.made_up.committed_run import commit_run, gate, start_project
from tests.running import Done, run_here
from tuneproof.common.files import write_text
from tuneproof.records.files import record_text, write_rows
from tuneproof.records.handovers import BENCHMARKS, benchmark_summary
from tuneproof.records.rows import Benchmark

SHARES = {"sft": 0.55, "baseline": 0.5}


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project with one committed run, in whose plan the benchmark gsm8k is a guard; mmlu decides nothing."""
    project = tmp_path_factory.mktemp("gate") / "project"
    start_project(project)
    write_benchmarks(project, SHARES, mmlu_weights="tasks")
    commit_run(project, "the first run")
    return project


@pytest.fixture
def project(first_run: Path, tmp_path: Path) -> Path:
    """A copy of that project, to change."""
    return Path(shutil.copytree(first_run, tmp_path / "project", symlinks=True))


def set_params(project: Path, **sections: Any) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump(params | sections, sort_keys=False))


def aggregated(project: Path) -> None:
    done = run_here(project, "aggregate.py")
    assert done.returncode == 0, done.stderr


def with_shares(project: Path, **shares: float) -> None:
    """A run whose models get other shares of the same items right."""
    before = (project / "params.yaml").read_text()
    write_benchmarks(project, SHARES | shares, mmlu_weights="tasks")
    (project / "params.yaml").write_text(before)
    aggregated(project)


def row_of(done: Done, criterion: str) -> str:
    """The table's line of a criterion."""
    found: list[str] = re.findall(rf"^sft +{criterion} .*$", done.stdout, re.MULTILINE)
    assert len(found) == 1, done.stdout + done.stderr
    return found[0]


def change_summaries(project: Path, task: dict[str, Any] | None = None, **run: Any) -> None:
    """Changes how all models were asked: the harness's run, or the task gsm8k."""
    for model in SHARES:
        document = benchmark_summary(model)
        said = document.read(project)
        tasks = said.tasks | {"gsm8k": said.tasks["gsm8k"].model_copy(update=task or {})}
        write_text(project / document.path, record_text(said.model_copy(update={"tasks": tasks, **run})))
    aggregated(project)


def test_a_benchmark_that_decides_is_compared_and_no_other(project: Path) -> None:
    done = gate(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"gsm8k +nothing changed +- +no regression$", row_of(done, "gsm8k"))
    assert "Of gsm8k the items are paired, which are no questions of the run." in done.stdout
    assert "mmlu" not in done.stdout
    with_shares(project, sft=0.1)
    assert "mmlu" not in gate(project).stdout


def test_a_drop_on_its_items_is_a_regression(project: Path) -> None:
    with_shares(project, sft=0.2)
    done = gate(project)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r" 120 +regression$", row_of(done, "gsm8k"))
    assert "no regression" in row_of(done, "accuracy")


def test_it_has_a_largest_drop_of_its_own(project: Path) -> None:
    set_params(project, gate={"max_drop": 0.01, "max_drops": {"gsm8k": 0.8}})
    with_shares(project, sft=0.2)
    done = gate(project)
    assert done.returncode == 0, done.stdout
    assert "(gate.max_drop, or -0.8 in gsm8k)" in done.stdout


def test_another_response_with_the_same_score_is_a_change_that_passes(project: Path) -> None:
    path = project / BENCHMARKS.path("sft")
    rows = BENCHMARKS.read("sft", project)
    write_rows(path, [row.model_copy(update={"response": f"{row.response} Yes."}) for row in rows])
    aggregated(project)
    done = gate(project)
    assert done.returncode == 0
    assert re.search(r" 120 +no regression$", row_of(done, "gsm8k"))


def test_a_group_changes_by_the_mean_of_its_tasks_means(project: Path) -> None:
    set_params(project, decision={"must_not_drop": {"mmlu": 0.1}})
    commit_run(project, "another guard")
    before = BENCHMARKS.read("sft", project)
    with_shares(project, sft=0.2)
    changes = []
    for task in ("mmlu_anatomy", "mmlu_virology"):
        means = [
            [row.scores["acc"] or 0 for row in rows if row.task == task]
            for rows in (BENCHMARKS.read("sft", project), before)
        ]
        changes.append(sum(means[0]) / len(means[0]) - sum(means[1]) / len(means[1]))
    line = row_of(gate(project), "mmlu")
    assert f" {sum(changes) / 2:+.2f}" in line and " 100 " in line


@pytest.mark.parametrize(
    ("task", "run", "why"),
    [
        ({"versions": {"gsm8k": "2.0"}}, {}, "the task's version of gsm8k differs"),
        ({"contents": {"gsm8k": "f" * 64}}, {}, "the task's content of gsm8k differs"),
        ({"num_fewshot": {"gsm8k": 0}}, {}, "the number of solved examples of gsm8k differs"),
        ({}, {"harness": "lm_eval 0.5"}, "the harness of gsm8k differs"),
        ({}, {"chat_template": True, "seed": 1}, "the seed of gsm8k differs; the setting chat_template of gsm8k diff"),
    ],
)
def test_what_was_asked_otherwise_is_not_comparable(
    project: Path, task: dict[str, Any], run: dict[str, Any], why: str
) -> None:
    change_summaries(project, task, **run)
    done = gate(project)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: not comparable: {why}")
    assert "run the stage benchmark at that revision" in done.stderr


def test_runs_of_before_contents_were_recorded_still_compare(project: Path) -> None:
    change_summaries(project, {"contents": {}})
    commit_run(project, "an older run")
    change_summaries(project, {"contents": {"gsm8k": "f" * 64}})
    assert gate(project).returncode == 0


def rewrite_rows(project: Path, keep: int, **changes: Any) -> None:
    """Keeps so many items of gsm8k, changed, in all models."""
    for model in SHARES:
        rows = BENCHMARKS.read(model, project)
        gsm8k: list[Benchmark] = [row.model_copy(update=changes) for row in rows if row.criterion == "gsm8k"][:keep]
        write_rows(project / BENCHMARKS.path(model), [*gsm8k, *(row for row in rows if row.criterion != "gsm8k")])


def test_items_are_paired_by_document_and_those_of_one_run_only_are_counted(project: Path) -> None:
    with_shares(project, sft=0.2)
    rewrite_rows(project, 90)
    done = gate(project)
    assert re.search(r" 90 +regression$", row_of(done, "gsm8k"))
    assert "(30 items of gsm8k are new, gone or changed)" in done.stdout


def test_items_worded_otherwise_are_others(project: Path) -> None:
    rewrite_rows(project, 120, question="Which?")
    done = gate(project)
    assert done.returncode == 2
    assert "(120 items of gsm8k are new, gone or changed)" in done.stdout
    assert row_of(done, "gsm8k").endswith("cannot tell")


def test_a_benchmark_that_the_other_run_has_not_asked_cannot_be_told(project: Path) -> None:
    for model in SHARES:
        write_rows(project / BENCHMARKS.path(model), [])
        write_text(project / benchmark_summary(model).path, '{"harness": "", "tasks": {}}\n')
    set_params(project, benchmark={"tasks": {}}, decision={})
    commit_run(project, "without benchmarks")
    write_benchmarks(project, SHARES)
    aggregated(project)
    done = gate(project)
    assert done.returncode == 2
    assert row_of(done, "gsm8k").endswith("cannot tell")
    assert "(120 items of gsm8k are new, gone or changed)" in done.stdout


def test_benchmarks_that_decide_nothing_need_not_be_in_the_cache(project: Path) -> None:
    set_params(project, decision={})
    aggregated(project)
    (project / BENCHMARKS.path("sft")).unlink()
    done = gate(project)
    assert done.returncode == 0, done.stdout + done.stderr
