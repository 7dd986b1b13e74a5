"""What the harness says of itself is checked: it tells of no task without result, no lost item and no silent model."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Project
from tests.made_up.benchmark_tasks import write_choice, write_generation
from tests.stages.test_benchmark import with_models
from tuneproof.records.handovers import BENCHMARKS, benchmark_summary

ITEMS = 6


def without_result(found: dict[str, Any]) -> None:
    del found["results"]["choice"]


def without_samples(found: dict[str, Any]) -> None:
    found["samples"]["choice"] = []


def with_an_item_less(found: dict[str, Any]) -> None:
    found["samples"]["choice"].pop()


def that_counted_less(found: dict[str, Any]) -> None:
    found["n-samples"]["choice"]["effective"] = ITEMS - 2


def with_another_mean(found: dict[str, Any]) -> None:
    found["results"]["choice"]["acc,none"] = 0.99


def without_a_number(found: dict[str, Any]) -> None:
    found["samples"]["choice"][0]["acc"] = float("nan")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (without_result, "the harness has no result for choice; run again"),
        (without_samples, "the harness has no result for choice; run again"),
        (with_an_item_less, "the harness has 5 results for the 6 items of choice; run again"),
        (that_counted_less, "the harness has 4 results for the 6 items of choice; run again"),
        (with_another_mean, "the harness says 0.99 for acc, and the mean over its items is "),
        (without_a_number, "for acc, and the mean over its items is not known; name a metric"),
    ],
)
def test_a_harness_that_lost_something_is_one_line_and_no_score(
    project: Project, monkeypatch: pytest.MonkeyPatch, fault: Callable[[dict[str, Any]], None], line: str
) -> None:
    from lm_eval import evaluator

    evaluate = evaluator.evaluate

    def faulty(*given: Any, **named: Any) -> Any:
        found = evaluate(*given, **named)
        fault(found)
        return found

    monkeypatch.setattr(evaluator, "evaluate", faulty)
    write_choice(project.root, ITEMS)
    with_models(project, choice={"path": "tasks/choice.yaml"})
    said = project.error_line("benchmark.py", "sft")
    assert said.startswith("error: benchmark.tasks.choice: ") and line in said
    assert not (project.root / BENCHMARKS.path("sft")).exists()
    assert not (project.root / benchmark_summary("sft").path).exists()


@pytest.mark.parametrize(("silent", "fails"), [(ITEMS, True), (ITEMS - 1, False)])
def test_a_model_that_says_nothing_at_all_has_no_score_and_one_silence_is_what_it_said(
    project: Project, monkeypatch: pytest.MonkeyPatch, silent: int, fails: bool
) -> None:
    from tuneproof.scoring.benchmarks import huggingface

    answers = ["  "] * silent + ["a word"] * (ITEMS - silent)
    monkeypatch.setattr(huggingface, "responses_of", lambda _, chunk: answers[: len(chunk)])
    write_generation(project.root, ITEMS)
    with_models(project, says={"path": "tasks/says.yaml"})
    if fails:
        line = project.error_line("benchmark.py", "sft")
        assert "benchmark.tasks.says: every response to says is empty, which is no result" in line
        assert not (project.root / BENCHMARKS.path("sft")).exists()
    else:
        project.run_ok("benchmark.py", "sft")
        assert sum(not row.response.strip() for row in BENCHMARKS.read("sft", project.root)) == silent
