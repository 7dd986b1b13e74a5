"""The gate's verdict on a run against the one before it: regression or not, in text and in Markdown."""

import re
import shutil
from pathlib import Path

import yaml

from tests.made_up.committed_run import SHAPE, change_scores, commit_run, gate, rewrite_questions
from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import JUDGEMENTS
from tuneproof.records.rows import Judgement


def test_the_same_run_is_no_regression(committed: Path) -> None:
    done = gate(committed)
    assert done.returncode == 0, done.stderr
    assert "Gate: no regression, against HEAD." in done.stdout
    assert done.stderr.splitlines()[0] == "gate: sft against HEAD"
    assert done.stderr.splitlines()[-1] == "gate: no regression"


def test_unchanged_answers_pass_however_few_they_are(first_run: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(first_run, tmp_path / "project", symlinks=True))
    write_run(project, Shape(questions=31, models=SHAPE.models, compare=False, unusable=0))
    commit_run(project, "few questions")
    done = gate(project)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^sft +accuracy +nothing changed +- +no regression$", done.stdout, re.MULTILINE)


def test_a_clear_drop_is_a_regression_with_the_answers_behind_it(committed: Path) -> None:
    change_scores(committed, lambda place, score: score - 1)
    done = gate(committed)
    assert done.returncode == 1, done.stderr
    assert "Gate: REGRESSION" in done.stdout
    accuracy, style = (line for line in done.stdout.splitlines() if line.startswith("sft  ") and "  120  " in line)
    assert accuracy.endswith("regression") and not accuracy.endswith("no regression")
    assert style.endswith("no regression")
    assert "The answers that changed most:" in done.stdout
    assert "accuracy 3 to 2" in done.stdout


def test_a_gain_is_no_regression(committed: Path) -> None:
    change_scores(committed, lambda place, score: score + 1)
    assert gate(committed).returncode == 0


def test_what_the_questions_cannot_show_is_exit_2(committed: Path) -> None:
    change_scores(committed, lambda place, score: score + (-1 if place % 9 == 0 else 0))
    done = gate(committed)
    assert done.returncode == 2, done.stdout
    assert "cannot tell whether this is a regression" in done.stdout


def test_max_drop_is_read_from_params(committed: Path) -> None:
    params = yaml.safe_load((committed / "params.yaml").read_text())
    (committed / "params.yaml").write_text(yaml.safe_dump(params | {"gate": {"max_drop": 2}}, sort_keys=False))
    change_scores(committed, lambda place, score: score - 1)
    assert gate(committed).returncode == 0


def test_a_criterion_has_a_max_drop_of_its_own(committed: Path) -> None:
    params = yaml.safe_load((committed / "params.yaml").read_text())
    gate_settings = {"gate": {"max_drop": 2, "max_drops": {"accuracy": 0.1}}}
    (committed / "params.yaml").write_text(yaml.safe_dump(params | gate_settings, sort_keys=False))
    change_scores(committed, lambda place, score: score - 1)
    done = gate(committed)
    assert done.returncode == 1, done.stdout
    accuracy, style = (line for line in done.stdout.splitlines() if line.startswith("sft  ") and "  120  " in line)
    assert not accuracy.endswith("no regression")
    assert style.endswith("no regression")
    assert "(gate.max_drop, or -0.1 in accuracy)" in done.stdout


def test_the_gate_says_what_ships_and_that_the_plan_was_changed(committed: Path) -> None:
    params = yaml.safe_load((committed / "params.yaml").read_text())

    def plan(**changes: object) -> None:
        decision = {"improves": ["accuracy"], "must_not_drop": {"style": 0.5}} | changes
        (committed / "params.yaml").write_text(yaml.safe_dump(params | {"decision": decision}, sort_keys=False))

    plan()
    change_scores(committed, lambda place, score: 3)
    assert (
        "sft: ship, for it improved accuracy, and a drop of more than 0.5 in style is excluded"
        in gate(committed).stdout
    )
    commit_run(committed, "by a plan")
    plan(alpha=0.01)
    assert run_here(committed, "aggregate.py").returncode == 0
    done = gate(committed, "--against", "HEAD", "--markdown")
    assert "- Warning: the plan was changed: " in done.stdout and done.returncode == 0
    assert "- sft: ship, for it improved accuracy" in done.stdout


def test_scores_that_were_lost_are_warned_of(committed: Path) -> None:
    path = committed / JUDGEMENTS.path("sft")
    rows = read_rows(path, Judgement, made_by="")
    lost = [row.model_copy(update={"status": "refused", "scores": None}) for row in rows[:7]]
    write_rows(path, [*lost, *rows[7:]])
    assert run_here(committed, "aggregate.py").returncode == 0
    warned = [line for line in gate(committed).stdout.splitlines() if line.startswith("Warning: ")]
    assert warned == ["Warning: 7 questions had a score for accuracy and style there and have none here (sft)."]


def test_markdown_is_a_table_in_which_hostile_text_does_nothing(committed: Path) -> None:
    hostile = "| <script>alert(1)</script> `code` [link](javascript:x)\x1b[31m\n# Title"
    rewrite_questions(committed, lambda place, row: row.model_copy(update={"instruction": hostile}))
    commit_run(committed, "hostile questions")
    change_scores(committed, lambda place, score: score - 1)
    done = gate(committed, "--against", "HEAD", "--markdown")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("**Gate: REGRESSION, against HEAD.**")
    assert "| sft | accuracy | " in done.stdout
    assert "<script" not in done.stdout and "](" not in done.stdout
    assert "`" not in done.stdout and "\x1b" not in done.stdout
    assert "\n# Title" not in done.stdout
    columns = {line.replace("\\|", "").count("|") for line in done.stdout.splitlines() if line.startswith("| sft")}
    assert columns == {6}


def test_markdown_says_why_there_is_no_comparison(committed: Path) -> None:
    done = gate(committed, "--against", "nowhere", "--markdown")
    assert done.returncode == 2
    assert done.stdout.startswith("**Gate: cannot tell.** revision nowhere: there is no such revision")


def test_an_unknown_model_is_named_with_those_that_are_known(committed: Path) -> None:
    done = gate(committed, "--against", "HEAD", "--model", "stf")
    assert done.returncode == 2
    assert "error: --model stf: it is not in params.yaml; known are sft, baseline" in done.stderr


def test_one_model_can_be_chosen(committed: Path) -> None:
    change_scores(committed, lambda place, score: score - 1)
    assert gate(committed, "--against", "HEAD", "--model", "baseline").returncode == 0
