"""A line for every experiment: what it changed, and what came of it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tuneproof.results.report.experiments import Commit, changes, experiments_table, outcome

SETTINGS: dict[str, Any] = {
    "baseline": "baseline",
    "judge": {"samples": 1, "panel": []},
    "models": {"sft": {"id": "a"}, "baseline": {"id": "b"}},
}
METRICS = {"gain": {"accuracy": 0.82, "style": None}, "verdict": "better", "ship": "not yet"}


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Tests", "-c", "user.email=tests@localhost")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, name: str, settings: dict[str, Any], metrics: dict[str, Any] | None) -> Commit:
    (folder / "params.yaml").write_text(json.dumps(settings))
    if metrics is not None:
        (folder / "metrics").mkdir(exist_ok=True)
        (folder / "report" / "plots").mkdir(parents=True, exist_ok=True)
        (folder / "metrics" / "sft.json").write_text(json.dumps(metrics))
        (folder / "report" / "plots" / "win_rates.csv").write_text(
            "model,run,questions,kind,rate,low,high\nsft,real,40,win rate,0.7361,0.6,0.8\n"
            "sft,real,40,at equal length,0.6,0.5,0.7\n"
        )
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", name)
    return Commit(name, git(folder, "rev-parse", "HEAD").strip())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "--quiet")
    project = tmp_path / "project"  # below Git's root, as in a repository of several projects
    project.mkdir()
    monkeypatch.chdir(project)
    return project


def test_a_line_has_what_was_changed_and_each_models_outcome(folder: Path) -> None:
    head = commit(folder, "start", SETTINGS, None)
    changed = SETTINGS | {"judge": {"samples": 3, "panel": []}}
    experiment = commit(folder, "steady", changed, METRICS)
    header, rows = experiments_table(head, [experiment])
    assert header == ["experiment", "changed", "sft"]
    assert rows == [
        ["start", "this commit", "-"],
        ["steady", "judge.samples=3", "accuracy +0.82, wins 73.6%: not yet"],
    ]


def test_a_model_that_joined_or_left_is_a_change_of_settings() -> None:
    before, after = {"models.sft.id": "a", "alpha": 1}, {"models.dpo.id": "b", "alpha": 1}
    assert changes(before, after) == 'models.dpo.id="b", models.sft.id=-'


def test_of_many_changes_the_first_few_are_named_and_the_others_counted() -> None:
    assert changes({}, dict.fromkeys("fedcba", 0)) == "a=0, b=0, c=0, 3 more"
    assert changes({"a": 1}, {"a": 1}) == "code or data"


def test_without_a_plan_the_verdict_stands_in_place_of_the_decision() -> None:
    assert outcome({"gain": {"accuracy": -0.5}, "verdict": "worse"}, None) == "accuracy -0.50: worse"
