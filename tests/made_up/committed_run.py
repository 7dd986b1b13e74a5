"""A finished run in a DVC repository of its own, committed and changed, for the tests of the gate."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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


def rewrite_questions(project: Path, change: Callable[[int, Question], Question]) -> None:
    """Changes the questions and aggregates again."""
    path = project / QUESTIONS.path
    write_rows(path, [change(place, row) for place, row in enumerate(read_rows(path, Question, made_by=""))])
    assert run_here(project, "aggregate.py").returncode == 0
