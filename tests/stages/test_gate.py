"""The gate against a real DVC repository: two commits, an experiment's name, a lost cache, hostile answers."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.made_up.run import Shape, write_run
from tests.running import Done, run_here
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import ANSWERS, JUDGEMENTS, QUESTIONS
from tuneproof.records.rows import Answer, Judgement, Question

SHAPE = Shape(questions=120, models=("sft", "baseline"), compare=False, unusable=0)
DVC = [sys.executable, "-m", "dvc"]
STAGE = {
    "cmd": "true",
    "outs": [
        "data/questions.jsonl", "data/resolved", "data/answers", "data/judgements", "data/engines", "data/details",
        "data/comparisons",
        {"metrics": {"cache": False}}, {"report/plots": {"cache": False}},
    ],
}  # fmt: skip
Gate = Callable[..., Done]


def command(project: Path, *arguments: str) -> str:
    """Runs git or dvc in a project that has its own identity and no configuration of the machine."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(arguments, cwd=project, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def commit_run(project: Path, message: str) -> str:
    """Aggregates what lies there, records it with DVC and commits it. Returns the commit."""
    done = run_here(project, "aggregate.py")
    assert done.returncode == 0, done.stderr
    return commit_as_it_is(project, message)


def commit_as_it_is(project: Path, message: str) -> str:
    """Records what lies there with DVC and commits it. Returns the commit."""
    command(project, *DVC, "commit", "--quiet", "--force")
    command(project, "git", "add", "--all")
    command(project, "git", "commit", "--quiet", "--message", message)
    return command(project, "git", "rev-parse", "HEAD").strip()


def start_project(project: Path) -> None:
    """A DVC project with a finished run that is not aggregated yet."""
    write_run(project, SHAPE)
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"all": STAGE}}))
    command(project, "git", "init", "--quiet", "--initial-branch", "main")
    command(project, "git", "config", "user.email", "someone@localhost")
    command(project, "git", "config", "user.name", "someone")
    command(project, *DVC, "init", "--quiet")


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project with one finished, committed run."""
    project = tmp_path_factory.mktemp("gate") / "project"
    start_project(project)
    commit_run(project, "the first run")
    return project


@pytest.fixture
def project(first_run: Path, tmp_path: Path) -> Path:
    """A copy of that project, to change."""
    return Path(shutil.copytree(first_run, tmp_path / "project", symlinks=True))


def gate(project: Path, *arguments: str) -> Done:
    """Runs the gate against the last commit, or as told."""
    return run_here(project, "gate.py", *(arguments or ("--against", "HEAD")))


def change_scores(project: Path, change: Callable[[int, float], float], text: str | None = None) -> None:
    """Changes every accuracy score of sft by its place, and the first answer's text; aggregates again."""
    path = project / JUDGEMENTS.path("sft")
    rows = []
    for place, row in enumerate(read_rows(path, Judgement, made_by="")):
        scores = dict(row.scores or {})
        scores["accuracy"] = min(max(change(place, scores["accuracy"]), 1), 3)
        rows.append(row.model_copy(update={"scores": scores}))
    write_rows(path, rows)
    path = project / ANSWERS.path("sft")
    answers = read_rows(path, Answer, made_by="")
    changed = [one.model_copy(update={"answer": f"{text or 'Now.'} {one.answer}"}) for one in answers]
    write_rows(path, changed)
    assert run_here(project, "aggregate.py").returncode == 0


def test_the_same_run_is_no_regression(project: Path) -> None:
    done = gate(project)
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


def test_a_clear_drop_is_a_regression_with_the_answers_behind_it(project: Path) -> None:
    change_scores(project, lambda place, score: score - 1)
    done = gate(project)
    assert done.returncode == 1, done.stderr
    assert "Gate: REGRESSION" in done.stdout
    accuracy, style = (line for line in done.stdout.splitlines() if line.startswith("sft  ") and "  120  " in line)
    assert accuracy.endswith("regression") and not accuracy.endswith("no regression")
    assert style.endswith("no regression")
    assert "The answers that changed most:" in done.stdout
    assert "accuracy 3 to 2" in done.stdout


def test_a_gain_is_no_regression(project: Path) -> None:
    change_scores(project, lambda place, score: score + 1)
    assert gate(project).returncode == 0


def test_what_the_questions_cannot_show_is_exit_2(project: Path) -> None:
    change_scores(project, lambda place, score: score + (-1 if place % 9 == 0 else 0))
    done = gate(project)
    assert done.returncode == 2, done.stdout
    assert "cannot tell whether this is a regression" in done.stdout


def test_max_drop_is_read_from_params(project: Path) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump(params | {"gate": {"max_drop": 2}}, sort_keys=False))
    change_scores(project, lambda place, score: score - 1)
    assert gate(project).returncode == 0


def test_a_criterion_has_a_max_drop_of_its_own(project: Path) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    gate_settings = {"gate": {"max_drop": 2, "max_drops": {"accuracy": 0.1}}}
    (project / "params.yaml").write_text(yaml.safe_dump(params | gate_settings, sort_keys=False))
    change_scores(project, lambda place, score: score - 1)
    done = gate(project)
    assert done.returncode == 1, done.stdout
    accuracy, style = (line for line in done.stdout.splitlines() if line.startswith("sft  ") and "  120  " in line)
    assert not accuracy.endswith("no regression")
    assert style.endswith("no regression")
    assert "(gate.max_drop, or 0.1 in accuracy)" in done.stdout


def test_the_gate_says_what_ships_and_that_the_plan_was_changed(project: Path) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())

    def plan(**changes: object) -> None:
        decision = {"improves": ["accuracy"], "must_not_drop": {"style": 0.5}} | changes
        (project / "params.yaml").write_text(yaml.safe_dump(params | {"decision": decision}, sort_keys=False))

    plan()
    change_scores(project, lambda place, score: 3)
    assert (
        "sft: ship, for it improved accuracy, and a drop of more than 0.5 in style is excluded" in gate(project).stdout
    )
    commit_run(project, "by a plan")
    plan(alpha=0.01)
    assert run_here(project, "aggregate.py").returncode == 0
    done = gate(project, "--against", "HEAD", "--markdown")
    assert "- Warning: the plan was changed: " in done.stdout and done.returncode == 0
    assert "- sft: ship, for it improved accuracy" in done.stdout


def test_an_older_commit_and_a_branch_can_be_named(project: Path) -> None:
    first = command(project, "git", "rev-parse", "HEAD").strip()
    command(project, "git", "branch", "released")
    change_scores(project, lambda place, score: score - 1)
    commit_run(project, "a worse model")
    assert gate(project).returncode == 0
    assert gate(project, "--against", first[:10]).returncode == 1
    assert gate(project, "--against", "released").returncode == 1
    assert gate(project, "--against", "HEAD~1").returncode == 1


def test_an_experiment_can_be_named(project: Path) -> None:
    change_scores(project, lambda place, score: score - 1)
    command(project, *DVC, "commit", "--quiet", "--force")
    command(project, *DVC, "exp", "save", "--quiet", "--name", "worse-one")
    assert gate(project, "--against", "worse-one").returncode == 0
    assert gate(project, "--against", "HEAD").returncode == 1


def test_a_missing_revision_is_one_line_and_no_regression(project: Path) -> None:
    done = gate(project, "--against", "no-such-branch")
    assert done.returncode == 2
    assert "error: revision no-such-branch: there is no such revision; name a commit" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("revision", ["", " "])
def test_an_empty_variable_of_ci_is_no_revision(project: Path, revision: str) -> None:
    done = gate(project, "--against", revision)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: revision: its name is empty; name a commit")


@pytest.mark.parametrize("revision", ["HEAD:metrics", "HEAD:params.yaml", "HEAD^{tree}"])
def test_a_folder_or_file_in_git_is_no_revision(project: Path, revision: str) -> None:
    done = gate(project, "--against", revision)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: revision {revision}: there is no such revision; ")
    assert "Traceback" not in done.stderr


def test_an_annotated_tag_can_be_named(project: Path) -> None:
    command(project, "git", "tag", "--annotate", "released", "--message", "A release")
    assert gate(project, "--against", "released").returncode == 0


def test_a_new_model_is_left_out_and_the_others_are_compared(project: Path) -> None:
    write_run(project, replace(SHAPE, models=("sft", "orpo", "baseline")))
    assert run_here(project, "aggregate.py").returncode == 0
    done = gate(project)
    assert done.returncode == 0, done.stderr
    assert "Not compared: orpo (not in HEAD)." in done.stdout
    assert {line.split()[0] for line in done.stdout.splitlines() if "nothing changed" in line} == {"sft"}
    assert "- Not compared: orpo" in gate(project, "--against", "HEAD", "--markdown").stdout


def test_new_models_alone_leave_nothing_to_compare(project: Path) -> None:
    write_run(project, replace(SHAPE, models=("orpo", "baseline")))
    assert run_here(project, "aggregate.py").returncode == 0
    done = gate(project)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: revision HEAD: it has no answers of orpo; name one that has some"


def test_a_model_that_was_removed_is_named(project: Path) -> None:
    write_run(project, replace(SHAPE, models=("sft", "orpo", "baseline")))
    commit_run(project, "three models")
    write_run(project, SHAPE)
    assert run_here(project, "aggregate.py").returncode == 0
    done = gate(project)
    assert done.returncode == 0, done.stderr
    assert "No longer here: orpo (in HEAD)." in done.stdout


def test_details_of_another_version_name_the_revision_and_a_way_out(project: Path) -> None:
    path = project / "data/details/sft.json"
    details = json.loads(path.read_text())
    del details["run"]["judge_settings"]
    path.write_text(json.dumps(details))
    commit_as_it_is(project, "by an older version")
    assert run_here(project, "aggregate.py").returncode == 0
    done = gate(project)
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: revision HEAD, data/details/sft.json: this is no details: run.judge_settings: ")
    assert "today's pipeline on that revision (docs/decision.md" in line


def test_content_that_is_nowhere_is_one_line(project: Path) -> None:
    change_scores(project, lambda place, score: score)
    shutil.rmtree(project / ".dvc/cache")
    done = gate(project)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: revision HEAD, data/questions.jsonl: ")
    assert "dvc push" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_remote_gives_what_the_cache_lacks(project: Path, tmp_path: Path) -> None:
    command(project, *DVC, "remote", "add", "--default", "store", str(tmp_path / "store"))
    command(project, *DVC, "push", "--quiet")
    shutil.rmtree(project / ".dvc/cache")
    done = gate(project)
    assert done.returncode == 0, done.stderr


def rewrite_questions(project: Path, change: Callable[[int, Question], Question]) -> None:
    """Changes the questions and aggregates again."""
    path = project / QUESTIONS.path
    write_rows(path, [change(place, row) for place, row in enumerate(read_rows(path, Question, made_by=""))])
    assert run_here(project, "aggregate.py").returncode == 0


def test_only_questions_with_the_same_content_are_paired(project: Path) -> None:
    def other_reference(place: int, row: Question) -> Question:
        return row.model_copy(update={"reference": "another"}) if place < 20 else row

    rewrite_questions(project, other_reference)
    done = gate(project)
    assert done.returncode == 0
    assert "over 100 questions that are the same in both (20 others are new, gone or changed)" in done.stdout


def test_different_questions_are_said_to_be_different(project: Path) -> None:
    rewrite_questions(project, lambda place, row: row.model_copy(update={"instruction": f"{row.instruction} Briefly."}))
    done = gate(project)
    assert done.returncode == 2
    assert "only 0 questions are the same in both runs (120 are not)" in done.stderr


def change_params(project: Path, change: Callable[[dict[str, dict[str, object]]], None]) -> None:
    """Changes the judge's section of params.yaml and aggregates again."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    change(params["judge"])
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    done = run_here(project, "aggregate.py")
    assert done.returncode == 0, done.stderr


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
    project: Path, change: Callable[[dict[str, dict[str, object]]], None], why: str
) -> None:
    change_params(project, change)
    done = gate(project)
    assert done.returncode == 2
    assert f"error: not comparable: {why}; " in done.stderr


def test_another_judge_or_world_is_not_comparable(project: Path) -> None:
    path = project / "data/resolved/judge.json"
    path.write_text(path.read_text().replace('"gpt-4o-mini"', '"another"').replace('"real"', '"dummy"'))
    assert run_here(project, "aggregate.py").returncode == 1  # the models still say real
    for model in SHAPE.models:
        resolved = project / f"data/resolved/{model}.json"
        resolved.write_text(resolved.read_text().replace('"real"', '"dummy"'))
    assert run_here(project, "aggregate.py").returncode == 0
    done = gate(project)
    assert done.returncode == 2
    assert "not comparable: this is a dummy run, that a real one; the judge differs; " in done.stderr


def test_scores_that_were_lost_are_warned_of(project: Path) -> None:
    path = project / JUDGEMENTS.path("sft")
    rows = read_rows(path, Judgement, made_by="")
    lost = [row.model_copy(update={"status": "refused", "scores": None}) for row in rows[:7]]
    write_rows(path, [*lost, *rows[7:]])
    assert run_here(project, "aggregate.py").returncode == 0
    assert "Warning: 7 questions had a score for accuracy there and have none here (sft)." in gate(project).stdout


def test_markdown_is_a_table_in_which_hostile_text_does_nothing(project: Path) -> None:
    hostile = "| <script>alert(1)</script> `code` [link](javascript:x)\x1b[31m\n# Title"
    rewrite_questions(project, lambda place, row: row.model_copy(update={"instruction": hostile}))
    commit_run(project, "hostile questions")
    change_scores(project, lambda place, score: score - 1)
    done = gate(project, "--against", "HEAD", "--markdown")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("**Gate: REGRESSION, against HEAD.**")
    assert "| sft | accuracy | " in done.stdout
    assert "<script" not in done.stdout and "](" not in done.stdout
    assert "`" not in done.stdout and "\x1b" not in done.stdout
    assert "\n# Title" not in done.stdout
    columns = {line.replace("\\|", "").count("|") for line in done.stdout.splitlines() if line.startswith("| sft")}
    assert columns == {6}


def test_markdown_says_why_there_is_no_comparison(project: Path) -> None:
    done = gate(project, "--against", "nowhere", "--markdown")
    assert done.returncode == 2
    assert done.stdout.startswith("**Gate: cannot tell.** revision nowhere: there is no such revision")


def test_an_unknown_model_is_named_with_those_that_are_known(project: Path) -> None:
    done = gate(project, "--against", "HEAD", "--model", "stf")
    assert done.returncode == 2
    assert "error: --model stf: it is not in params.yaml; known are sft, baseline" in done.stderr


def test_one_model_can_be_chosen(project: Path) -> None:
    change_scores(project, lambda place, score: score - 1)
    assert gate(project, "--against", "HEAD", "--model", "baseline").returncode == 0


def test_a_folder_without_dvc_is_one_line(tmp_path: Path) -> None:
    write_run(tmp_path, SHAPE)
    assert run_here(tmp_path, "aggregate.py").returncode == 0
    done = gate(tmp_path)
    assert done.returncode == 2
    assert "error: revision HEAD: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_project_below_the_root_of_its_git_repository_is_compared_like_any_other(tmp_path: Path) -> None:
    repository, project = tmp_path / "repository", tmp_path / "repository" / "team" / "project"
    repository.mkdir()
    command(repository, "git", "init", "--quiet", "--initial-branch", "main")
    command(repository, "git", "config", "user.email", "someone@localhost")
    command(repository, "git", "config", "user.name", "someone")
    write_run(project, SHAPE)
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"all": STAGE}}))
    command(project, *DVC, "init", "--quiet", "--subdir")
    commit_run(project, "the first run")
    done = gate(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing changed" in done.stdout
