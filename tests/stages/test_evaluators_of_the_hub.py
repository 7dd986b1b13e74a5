"""Evaluators named by a Hub id: at a pinned commit, without a pickle, in the judge's place, for a table and served."""

import json
from pathlib import Path

import pytest

from tests.conftest import NO_PINS, ROOT, Project
from tests.made_up.evaluators import SCALE, trained
from tests.servers.hub.server import HubServer
from tuneproof.common.errors import UserError
from tuneproof.scoring.evaluator import load
from tuneproof.scoring.serving.desk import Desk

NAMES = {name: f"team/{name}-evaluator" for name in ("accuracy", "style")}
ITEM = {"input": "Why batch?", "output": "It keeps the GPU busy.", "ground_truth": "To read memory once."}


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def hub(hub_server: HubServer) -> HubServer:
    """A Hub with both evaluators of the demonstration, each beside a pickle."""
    for name, repository in NAMES.items():
        files = files_of(ROOT / "data" / "embedded" / "judge" / name)
        hub_server.hub.add("model", repository, files | {"pytorch_model.bin": b"a pickle", "README.md": b"# Card\n"})
    return hub_server


def moved(hub: HubServer, folder: Path, name: str = "accuracy") -> str:
    """Moves the branch to another evaluator; gives the commit that it was."""
    repository = hub.hub.repositories["model", NAMES[name]]
    before = repository.commits[-1].sha
    trained(folder, SCALE, criterion=name)
    repository.commit({**files_of(folder)}, "Trained anew")
    return before


def judging(project: Project) -> Project:
    (project.root / "questions.jsonl").write_text('{"instruction": "Why batch?", "output": "To read memory once."}\n')
    (project.root / "sft.jsonl").write_text('{"instruction": "Why batch?", "answer": "It keeps the GPU busy."}\n')
    model = {"engine": "recorded", "path": "sft.jsonl"}
    project.set(questions__dataset="questions.jsonl", models={"sft": model, "baseline": model}, judge__evaluators=NAMES)
    project.set(judge__backend="evaluator")
    return project


def judged(project: Project) -> dict[str, float]:
    for script in ("validate.py", "generate.py", "judge.py"):
        project.run_ok(script, *([] if script == "validate.py" else ["sft"]))
    row = json.loads((project.root / "data/judgements/sft.jsonl").read_text())
    return dict(row["scores"])


def test_a_run_is_judged_by_evaluators_of_the_hub_at_their_pinned_commits(
    project: Project, hub: HubServer, tmp_path: Path
) -> None:
    judging(project)
    scores = judged(project)
    assert scores == {name: load(ROOT / "data/embedded/judge" / name).score(**ITEM).score for name in NAMES}
    commit = moved(hub, tmp_path / "other")
    pins = json.loads((project.root / "data/pins.json").read_text())["models"]
    assert pins[f"{NAMES['accuracy']}@main"]["sha"] == commit
    resolved = json.loads((project.root / "data/resolved/judge.json").read_text())["evaluators"]["accuracy"]
    assert (resolved["sha"], resolved["content"]) == (commit, load(ROOT / "data/embedded/judge/accuracy").content)
    assert judged(project) == scores
    project.run_ok("validate.py", "--update")
    assert judged(project) != scores
    asked = " ".join(request.path for request in hub.requests)
    assert "words.json" in asked
    assert "pytorch_model.bin" not in asked


def test_it_is_loaded_by_its_id_at_the_pin_a_revision_or_the_commit_of_today(
    in_project: Project, hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = load(ROOT / "data/embedded/judge/accuracy")
    assert load(NAMES["accuracy"]).score(**ITEM) == here.score(**ITEM)
    commit = moved(hub, tmp_path / "other")
    assert f"main is commit {commit}; {NAMES['accuracy']}@{commit} stays that one" in capsys.readouterr().err
    assert load(NAMES["accuracy"]).content == load(tmp_path / "other").content
    capsys.readouterr()
    assert load(f"{NAMES['accuracy']}@{commit}").content == here.content
    assert capsys.readouterr().err == ""
    pin = {"sha": commit, "content": here.content}
    (in_project.root / "data/pins.json").write_text(json.dumps({"models": {f"{NAMES['accuracy']}@main": pin}}))
    assert load(NAMES["accuracy"]).content == here.content


def test_a_table_is_scored_by_an_id_and_nothing_is_pinned(project: Project, hub: HubServer) -> None:
    (project.root / "answers.jsonl").write_text(json.dumps(ITEM) + "\n")
    project.run_ok("score.py", "--evaluator", NAMES["accuracy"], "answers.jsonl")
    row = json.loads((project.root / "answers.scored.jsonl").read_text())
    assert row["accuracy_score"] == load(ROOT / "data/embedded/judge/accuracy").score(**ITEM).score
    assert (project.root / "data/pins.json").read_text() == NO_PINS


def test_ids_are_served(in_project: Project, hub: HubServer) -> None:
    desk = Desk.opened(list(NAMES.values()), {"accuracy": 0.5})
    assert {name: one.content for name, one in desk.evaluators.items()} == {
        name: load(ROOT / "data/embedded/judge" / name).content for name in NAMES
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("team/nothing", "evaluator team/nothing: there is no such folder, and it is not on the Hub, or it is private"),
        ("team/style-evaluator@gone", "evaluator team/style-evaluator: it has no revision gone"),
        ("team/model", r"evaluator team/model: it holds no evaluator\.json; name one that"),
        ("team/broken", r"broken/.*evaluator\.json: it describes no evaluator"),
        ("team/changed", "it is not the file that evaluator.json names"),
    ],
)
def test_what_is_no_evaluator_on_the_hub_is_one_clear_line(
    in_project: Project, hub: HubServer, name: str, said: str
) -> None:
    hub.hub.add("model", "team/model", {"config.json": b"{}"})
    hub.hub.add("model", "team/broken", {"evaluator.json": b"{}"})
    files = files_of(ROOT / "data/embedded/judge/style")
    hub.hub.add("model", "team/changed", files | {"words.json": files["words.json"] + b" "})
    with pytest.raises(UserError, match=said):
        load(name)
