"""The decision by the plan, from rows to every place that shows it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.aggregated_run import (
    aggregate,
    change_judgements,
    change_params,
    details,
    every_file,
    metrics,
)
from tests.made_up.run import Shape, write_run
from tests.running import SCRIPTS, run_here
from tuneproof.common.errors import UserError
from tuneproof.inputs.plan import resolve_plan
from tuneproof.records.documents.resolved import ResolvedPlan
from tuneproof.records.files import record_text, write_rows
from tuneproof.records.handovers import ANSWERS, CHECKS
from tuneproof.records.handovers import PLAN as SEEN
from tuneproof.records.rows import Check, Judgement
from tuneproof.results.report.terminal import plain_text
from tuneproof.results.summary import summary_markdown
from tuneproof.results.words.decisions import ship_sentence
from tuneproof.settings.reading import load_params

PLAN = {"alpha": 0.05, "improves": ["accuracy", "style"], "min_questions": 30}
MODELS = ("better", "worse", "alike", "baseline")


def scored(change: Callable[[int], dict[str, int]]) -> Callable[[int, Judgement], Judgement]:
    """Gives every answer these scores."""
    return lambda place, row: row.model_copy(update={"status": "ok", "scores": change(place)})


SCORES: dict[str, Callable[[int], dict[str, int]]] = {
    "better": lambda place: {"accuracy": 3 if place % 4 else 2, "style": 1 + place % 3},
    "worse": lambda place: {"accuracy": 2 + place % 2, "style": 1 if place % 5 else 2},
    "alike": lambda place: {"accuracy": 1 + (place + 1) % 3, "style": 1 + (place + 2) % 3},
    "baseline": lambda place: {"accuracy": 1 + place % 3, "style": 1 + (place // 2) % 3},
}


def decided_run(root: Path, plan: dict[str, Any], questions: int = 90) -> Path:
    """A run with a model that is better, one that is worse and one that is alike, aggregated by a plan."""
    write_run(root, Shape(questions=questions, models=MODELS))
    change_params(root, lambda params: params.update(decision=plan))
    for model in MODELS:
        change_judgements(root, model, scored(SCORES[model]))
    aggregate(root)
    return root


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return decided_run(tmp_path_factory.mktemp("decided"), PLAN)


def test_a_model_that_improved_ships_one_that_is_worse_does_not_and_one_that_shows_nothing_waits(decided: Path) -> None:
    assert {model: metrics(decided, model)["ship"] for model in MODELS[:3]} == {
        "better": "yes", "worse": "no", "alike": "not yet",
    }  # fmt: skip
    assert "ship" not in metrics(decided, "baseline")
    better, worse, alike = (details(decided, model) for model in MODELS[:3])
    assert ship_sentence(better) == ("better: ship, for it improved accuracy, and is not shown to be worse in style.")
    assert ship_sentence(worse) == "worse: do not ship, for it is worse on style."
    assert ship_sentence(alike).startswith("alike: not yet, for no improvement in accuracy or style was shown")


def test_every_place_that_is_read_says_so(decided: Path) -> None:
    models = [details(decided, model) for model in MODELS]
    assert run_here(decided, "report.py").returncode == 0
    page, summary = (decided / "report/index.html").read_text(), (decided / "report/summary.md").read_text()
    assert "<h1>Ship better; do not ship worse; not yet: alike</h1>" in page
    for details_of in models[:3]:
        sentence = ship_sentence(details_of)
        assert sentence in plain_text(models) and sentence in summary and sentence in page
    assert f"Plan {models[0].run.plan.key}" in page  # type: ignore[union-attr]  # there is one


def test_metrics_with_a_plan_fit_into_120_columns(decided: Path) -> None:
    (decided / "dvc.yaml").write_text("metrics:\n  - metrics\n")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--quiet", "--no-scm"], cwd=decided, check=True)
    done = subprocess.run([*dvc, "metrics", "show"], cwd=decided, check=True, capture_output=True, text=True)
    assert max(map(len, done.stdout.splitlines())) <= 120, done.stdout
    assert "ship" in done.stdout.splitlines()[0].split()


def test_without_a_plan_nothing_ships_and_all_else_is_the_same(decided: Path, tmp_path: Path) -> None:
    plain = decided_run(tmp_path, {"alpha": 0.05, "min_questions": 30})
    for model in MODELS:
        with_plan = metrics(decided, model)
        without = {name: value for name, value in metrics(plain, model).items() if name != "win_rate"}
        assert without == {name: value for name, value in with_plan.items() if name != "ship"}
    assert details(plain, "better").decision is None
    same = details(decided, "better").criteria
    assert details(plain, "better").criteria == same


def test_a_criterion_in_neither_list_is_shown_alone_and_decides_nothing(tmp_path: Path) -> None:
    run = decided_run(tmp_path, PLAN | {"improves": ["accuracy"]})
    found = details(run, "worse")
    assert found.criteria["style"].verdict == "not tested"
    assert found.criteria["style"].level == 0.05
    assert found.decision is not None and found.decision.ship != "no"
    assert "shown only" in plain_text([found])


def test_criteria_in_order_stop_where_one_does_not_improve(tmp_path: Path) -> None:
    run = decided_run(tmp_path, PLAN | {"improves": ["style", "accuracy"], "in_order": True})
    better = details(run, "better")
    assert better.run.plan is not None and better.run.plan.improves == ["style", "accuracy"]
    assert (better.criteria["style"].verdict, better.criteria["accuracy"].verdict) == ("undecided", "not tested")
    assert metrics(run, "better")["ship"] == "not yet"
    assert better.criteria["style"].level == pytest.approx(0.05 / 3, abs=1e-6)


def test_a_guard_on_collapses_counts_questions_that_fall_by_a_step(tmp_path: Path) -> None:
    run = decided_run(tmp_path, PLAN | {"must_not_drop": {"collapses": 0.02}})
    found = details(run, "better")
    assert found.collapses is not None and found.decision is not None
    falls = [any(SCORES["better"](q)[c] < SCORES["baseline"](q)[c] for c in ("accuracy", "style")) for q in range(90)]
    assert found.collapses.share == pytest.approx(sum(falls) / 90, abs=1e-5)
    assert found.collapses.of_baseline is None  # one sample tells nothing of the baseline itself
    guard = found.decision.guards["collapses"]
    assert guard.difference == pytest.approx(-sum(falls) / 90, abs=1e-5)
    assert guard.outcome == "dropped" and metrics(run, "better")["ship"] == "no"
    assert "it collapses on more than 0.02 of the questions" in ship_sentence(found)


def test_two_samples_of_the_baseline_tell_how_often_it_falls_itself(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=40, samples=2, models=("sft", "baseline"), unusable=0))
    change_params(tmp_path, lambda params: params.update(decision=PLAN | {"must_not_drop": {"collapses": 0.02}}))
    for model in ("sft", "baseline"):  # either of the two samples falls by two steps against the other
        change_judgements(tmp_path, model, scored(lambda place: {"accuracy": 1 + 2 * (place % 2), "style": 2}))
    aggregate(tmp_path)
    found = details(tmp_path, "sft")
    assert found.collapses is not None and found.decision is not None
    assert (found.collapses.share, found.collapses.of_baseline) == (0.25, 0.5)
    assert found.decision.guards["collapses"].difference == 0.25  # fewer than the baseline's own


def write_checks(root: Path, model: str, share: float, **changes: Any) -> None:
    """Check rows, of which this share are valid JSON and every tenth has no length."""
    answers = ANSWERS.read(model, root)
    rows = [
        Check(
            id=answer.id, sample=answer.sample, status="ok",
            scores={"valid_json": float(place % 100 < 100 * share), "brevity": 40.0 if place % 10 else None} | changes,
            reasons={"valid_json": "it parses"},
        )
        for place, answer in enumerate(answers)
    ]  # fmt: skip
    write_rows(root / CHECKS.path(model), rows)


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with checks, aggregated in this process; chrF stands for anything on a scale to 100."""
    root = decided_run(tmp_path, PLAN, questions=200)
    checks = {"valid_json": {"kind": "json"}, "brevity": {"kind": "chrf"}}
    change_params(root, lambda params: params.update(check=checks))
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["aggregate.py"])
    monkeypatch.syspath_prepend(str(SCRIPTS))
    for model in MODELS:
        write_checks(root, model, 1.0 if model in ("better", "baseline") else 0.8)
    return root


def aggregate_here(plan: dict[str, Any]) -> None:
    import aggregate as script

    change_params(Path(), lambda params: params.update(decision=plan))
    script.main()


def test_checks_are_criteria_like_any_other(checked: Path) -> None:
    aggregate_here(PLAN | {"must_not_drop": {"valid_json": 0.02}})
    better, worse = details(checked, "better"), details(checked, "worse")
    assert better.criteria["valid_json"].mean == 1 and worse.criteria["valid_json"].gain == pytest.approx(-0.2)
    assert better.criteria["brevity"].scored == 180 and better.criteria["brevity"].mean == 40
    assert better.run.criteria["valid_json"].source == "check" and better.statuses_of == {"check": {"ok": 200}}
    assert better.decision is not None and worse.decision is not None
    assert (better.decision.guards["valid_json"].outcome, better.decision.ship) == ("held", "yes")
    assert (worse.decision.guards["valid_json"].outcome, worse.decision.ship) == ("dropped", "no")
    row = metrics(checked, "better")
    assert row["valid_json"] == 1 and "brevity" not in row  # what decides, and no more
    models = [details(checked, model) for model in MODELS]
    assert "guard holds" in plain_text(models) and "guard broken" in plain_text(models)
    assert "a drop of more than 0.02 in valid_json is excluded" in ship_sentence(better)


def test_checks_that_nobody_names_change_no_verdict_and_no_metric(checked: Path) -> None:
    before = every_file(checked)
    aggregate_here(PLAN)
    assert all(text == before[name] for name, text in every_file(checked).items() if name.startswith("metrics"))


def test_a_claim_may_rest_on_a_check_or_the_win_rate(checked: Path) -> None:
    aggregate_here(PLAN | {"improves": ["accuracy", "win_rate"], "must_not_drop": {"valid_json": 0.02}})
    found = details(checked, "better")
    assert found.win_rate is not None and found.win_rate.win_rate is not None
    assert found.criteria["win_rate"].mean == pytest.approx(found.win_rate.win_rate, abs=1e-5)
    assert found.criteria["win_rate"].gain == pytest.approx(found.win_rate.win_rate - 0.5, abs=1e-5)
    assert list(metrics(checked, "better")["gain"]) == ["accuracy", "style", "valid_json"]


def test_a_check_off_its_scale_is_refused(checked: Path) -> None:
    write_checks(checked, "worse", 1.0, brevity=101.0)
    with pytest.raises(UserError, match="a score of 101 for brevity, whose scale is 0 to 100"):
        aggregate_here(PLAN)


def test_check_rows_of_other_answers_are_refused(checked: Path) -> None:
    path = checked / CHECKS.path("worse")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(UserError, match="there is no row where answer"):
        aggregate_here(PLAN)


def test_a_plan_that_was_changed_after_results_is_shown_as_changed(
    decided: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = decided_run(tmp_path, PLAN)
    monkeypatch.chdir(root)
    rows = json.loads(Path("data/resolved/questions.json").read_text())["rows_sha256"]
    first = resolve_plan(load_params(), "real", rows)
    assert first.earlier == ()
    SEEN.path.write_text(record_text(first))
    change_params(root, lambda params: params["decision"].update(improves=["accuracy"]))

    aggregate(root)  # by hand, before validate has seen the change
    by_hand = details(root, "better").run.plan
    second = resolve_plan(load_params(), "real", rows)
    SEEN.path.write_text(record_text(second))
    aggregate(root)

    plan = details(root, "better").run.plan
    assert plan is not None and by_hand is not None
    assert plan.earlier == by_hand.earlier == second.earlier == (first.key,)
    assert f"It was changed after results on these questions had been seen (before: {first.key})" in summary_markdown(
        [details(root, model) for model in MODELS]
    )
    assert resolve_plan(load_params(), "real", "other questions").earlier == ()
    assert resolve_plan(load_params(), "embedded", rows).earlier == ()


def test_a_plan_before_any_result_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, Shape(questions=40))
    change_params(tmp_path, lambda params: params.update(decision=PLAN))
    monkeypatch.chdir(tmp_path)
    SEEN.path.write_text(record_text(ResolvedPlan(run="real", key="another", rows_sha256="rows")))

    assert resolve_plan(load_params(), "real", "rows").earlier == ()
