"""A judge that is no better than chance: its scores stay, and nothing anywhere says better or worse by them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.aggregated_run import aggregate, change_judgements, change_params, details, metrics
from tests.made_up.committed_run import change_scores, commit_run
from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.records.documents.admission import AdmissionResult
from tuneproof.records.files import record_text, write_rows
from tuneproof.records.handovers import ADMISSION, ANSWERS, CHECKS
from tuneproof.records.rows import Check
from tuneproof.results.report.terminal import plain_text

CHANCE = AdmissionResult(source="golden answers", answers=60, at_chance=["accuracy beside golden answers"])
MODELS = ("sft", "dpo", "baseline")
EARLIER_RUNS = "a model may be better than baseline and worse than it was"  # of any model, whatever this run says
SAID = re.compile(r"(?<!no )\b(?:better|worse) than baseline|▲|▼")


def far_better(root: Path, decision: dict[str, Any]) -> Path:
    """A run whose judge was asked, is at chance, and gives one model the highest score nearly always."""
    write_run(root, Shape(questions=60, unusable=0, models=MODELS))
    change_params(root, lambda params: params.update(decision={"alpha": 0.05, "min_questions": 30} | decision))
    change_judgements(root, "sft", scored(lambda place: 3 if place % 9 else 2))
    change_judgements(root, "dpo", scored(lambda place: 2 if place % 9 else 1))
    change_judgements(root, "baseline", scored(lambda place: 1 if place % 7 else 2))
    (root / ADMISSION.path).write_text(record_text(CHANCE))
    aggregate(root)
    return root


def scored(score: Callable[[int], int]) -> Callable[[int, Any], Any]:
    """Gives every answer one score on both criteria."""
    return lambda place, row: row.model_copy(update={"scores": {"accuracy": score(place), "style": score(place)}})


@pytest.fixture(scope="module", params=[{}, {"improves": ["accuracy"]}], ids=["no plan", "a plan"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return far_better(tmp_path_factory.mktemp("chance"), request.param)


def test_details_and_metrics_have_the_scores_and_no_verdict(run: Path) -> None:
    found = details(run, "sft")
    assert (found.criteria["accuracy"].gain or 0) > 1.5
    assert found.verdict == metrics(run, "sft")["verdict"] == "no verdict"
    assert found.criteria["accuracy"].verdict == "no verdict"
    assert found.criteria["accuracy"].smallest_detectable is None
    assert found.against["dpo"]["accuracy"].verdict == "no verdict"
    assert found.win_rate is not None and found.win_rate.verdict == "no verdict"
    assert metrics(run, "sft").get("ship", "not yet") == "not yet"
    assert details(run, "baseline").verdict is None


def test_no_page_no_summary_and_no_terminal_says_better_or_worse(run: Path) -> None:
    assert run_here(run, "report.py").returncode == 0
    page = (run / "report/index.html").read_text(encoding="utf-8").partition("<body>")[2].partition('id="answers"')[0]
    said = [page.replace(EARLIER_RUNS, ""), (run / "report/summary.md").read_text(encoding="utf-8")]
    said.append(plain_text([details(run, model) for model in MODELS]))
    for text in said:
        assert "No verdict rests on this judge" in text and "no verdict" in text
        assert not SAID.search(text), SAID.search(text)
    assert EARLIER_RUNS in page and "verdict better" not in page and "card better" not in page
    assert "nothing better or worse follows from them" in page


def test_what_a_program_scores_keeps_its_verdict(tmp_path: Path) -> None:
    run = far_better(tmp_path, {"improves": ["accuracy"]})
    for model in MODELS:
        value = 1.0 if model == "sft" else 0.0
        answers = ANSWERS.read(model, run)
        checks = [
            Check(id=one.id, sample=one.sample, status="ok", scores={"short": value}, reasons={}) for one in answers
        ]
        write_rows(run / CHECKS.path(model), checks)
    check = {"short": {"kind": "finish"}}
    change_params(run, lambda params: params.update(check=check, decision=params["decision"] | {"improves": ["short"]}))
    aggregate(run)
    found = details(run, "sft")
    assert found.verdict == found.criteria["short"].verdict == "better"
    assert found.criteria["accuracy"].verdict == "not tested"
    assert metrics(run, "sft")["ship"] == "yes", "the plan names nothing that the judge scores"


def test_a_judge_that_is_admitted_has_its_verdicts(tmp_path: Path) -> None:
    run = far_better(tmp_path, {})
    (run / ADMISSION.path).write_text(record_text(CHANCE.model_copy(update={"at_chance": []})))
    aggregate(run)
    assert details(run, "sft").verdict == metrics(run, "sft")["verdict"] == "better"


def test_the_gate_cannot_tell_by_such_a_judge_and_says_why(committed: Path) -> None:
    (committed / ADMISSION.path).write_text(record_text(CHANCE))
    commit_run(committed, "a judge at chance")
    change_scores(committed, lambda place, score: score - 1)
    done = run_here(committed, "gate.py", "--against", "HEAD")
    assert done.returncode == 2
    assert "No verdict rests on this judge" in done.stdout and "REGRESSION" not in done.stdout
    assert json.loads((committed / "metrics/sft.json").read_text())["verdict"] == "no verdict"
    assert run_here(committed, "report.py", "--against", "HEAD").returncode == 0
    assert "No verdict rests on this judge" in (committed / "report/changes.html").read_text(encoding="utf-8")
