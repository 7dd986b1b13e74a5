"""What may be compared: the same models, questions, rubric, judge and world."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.made_up.committed_run import (
    SHAPE,
    commit_as_it_is,
    commit_run,
    gate,
    rewrite_questions,
)
from tests.made_up.run import write_run
from tests.running import run_here
from tuneproof.records.rows import Question


def change_params(project: Path, change: Callable[[dict[str, dict[str, object]]], None]) -> None:
    """Changes the judge's section of params.yaml and aggregates again."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    change(params["judge"])
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    done = run_here(project, "aggregate.py")
    assert done.returncode == 0, done.stderr


def test_a_new_model_is_left_out_and_the_others_are_compared(committed: Path) -> None:
    write_run(committed, replace(SHAPE, models=("sft", "orpo", "baseline")))
    assert run_here(committed, "aggregate.py").returncode == 0
    done = gate(committed)
    assert done.returncode == 0, done.stderr
    assert "Not compared: orpo (not in HEAD)." in done.stdout
    assert {line.split()[0] for line in done.stdout.splitlines() if "nothing changed" in line} == {"sft"}
    assert "- Not compared: orpo" in gate(committed, "--against", "HEAD", "--markdown").stdout


def test_new_models_alone_leave_nothing_to_compare(committed: Path) -> None:
    write_run(committed, replace(SHAPE, models=("orpo", "baseline")))
    assert run_here(committed, "aggregate.py").returncode == 0
    done = gate(committed)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: revision HEAD: it has no answers of orpo; name one that has some"


def test_a_model_that_was_removed_is_named(committed: Path) -> None:
    write_run(committed, replace(SHAPE, models=("sft", "orpo", "baseline")))
    commit_run(committed, "three models")
    write_run(committed, SHAPE)
    assert run_here(committed, "aggregate.py").returncode == 0
    done = gate(committed)
    assert done.returncode == 0, done.stderr
    assert "No longer here: orpo (in HEAD)." in done.stdout


def test_details_of_another_version_name_the_revision_and_a_way_out(committed: Path) -> None:
    path = committed / "data/details/sft.json"
    details = json.loads(path.read_text())
    del details["run"]["judge_settings"]
    path.write_text(json.dumps(details))
    commit_as_it_is(committed, "by an older version")
    assert run_here(committed, "aggregate.py").returncode == 0
    done = gate(committed)
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: revision HEAD, data/details/sft.json: this is no details: run.judge_settings: ")
    assert "today's pipeline on that revision (docs/decision.md" in line


def test_only_questions_with_the_same_content_are_paired(committed: Path) -> None:
    def other_reference(place: int, row: Question) -> Question:
        return row.model_copy(update={"reference": "another"}) if place < 20 else row

    rewrite_questions(committed, other_reference)
    done = gate(committed)
    assert done.returncode == 0
    assert "over 100 questions that are the same in both (20 others are new, gone or changed)" in done.stdout


def test_different_questions_are_said_to_be_different(committed: Path) -> None:
    rewrite_questions(
        committed, lambda place, row: row.model_copy(update={"instruction": f"{row.instruction} Briefly."})
    )
    done = gate(committed)
    assert done.returncode == 2
    assert "only 0 questions are the same in both runs (120 are not)" in done.stderr


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda judge: judge["criteria"]["accuracy"].update(question="Is it so?"), "the wording of accuracy differs"),
        (lambda judge: judge["criteria"]["style"]["scale"].update({4: "Superb."}), "the scale of style differs"),
        (lambda judge: judge["criteria"].pop("style"), "the criterion style is only in that run"),
        (lambda judge: judge.update(temperature=1), "the judge's settings differ (temperature)"),
    ],
)
def test_another_rubric_is_not_comparable(
    committed: Path, change: Callable[[dict[str, dict[str, object]]], None], why: str
) -> None:
    change_params(committed, change)
    done = gate(committed)
    assert done.returncode == 2
    assert f"error: not comparable: {why}; " in done.stderr


def test_another_judge_or_world_is_not_comparable(committed: Path) -> None:
    path = committed / "data/resolved/judge.json"
    path.write_text(path.read_text().replace('"gpt-4o-mini"', '"another"').replace('"real"', '"dummy"'))
    assert run_here(committed, "aggregate.py").returncode == 1  # the models still say real
    for model in SHAPE.models:
        resolved = committed / f"data/resolved/{model}.json"
        resolved.write_text(resolved.read_text().replace('"real"', '"dummy"'))
    assert run_here(committed, "aggregate.py").returncode == 0
    done = gate(committed)
    assert done.returncode == 2
    assert "not comparable: this is a rehearsal, that a real run; the judge differs; " in done.stderr
