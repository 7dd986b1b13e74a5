"""An evaluator goes to the Hub as a model with its card, when asked, and only when it changed."""

import json
from pathlib import Path

import pytest
import yaml

import publish
from tests.made_up.evaluators import trained
from tests.made_up.finished_run import FinishedRun
from tests.made_up.publishing import refused
from tests.servers.hub.server import HubServer
from tuneproof.scoring.evaluator import load

# The client hands httpx2 an upload in a form that httpx2 wants to be rid of.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
NAME = "me/accuracy-evaluator"
FIGURE = {"evaluator": 0.71, "low": 0.6, "high": 0.8, "length_only": 0.1, "majority": 0.0}
REPORT = {
    "kappa": FIGURE | {"people": 0.75}, "auc": FIGURE,
    "calibration_error": {"evaluator": 0.04, "low": 0.02, "high": 0.09, "uncalibrated": 0.06},
}  # fmt: skip


@pytest.fixture
def with_evaluator(finished: FinishedRun) -> FinishedRun:
    """A finished run with an evaluator that is to be published."""
    params = yaml.safe_load((finished.root / "params.yaml").read_text())
    params["publish"]["evaluators"] = True
    params["evaluator"] = {"criteria": {"accuracy": {}}}
    finished.put("params.yaml", yaml.safe_dump(params, sort_keys=False))
    trained(finished.root / "data/evaluator/accuracy", questions=12)
    finished.put_json("report/evaluator/accuracy.json", REPORT)
    return finished


def test_what_is_published_loads_as_what_was_trained(
    hub_server: HubServer, with_evaluator: FinishedRun, tmp_path: Path
) -> None:
    publish.main()
    repository = hub_server.hub.repositories["model", NAME]
    assert repository.private
    for path, file in repository.commits[-1].files.items():
        (tmp_path / path).write_bytes(file.content)
    assert load(tmp_path).content == load(with_evaluator.root / "data/evaluator/accuracy").content
    published = with_evaluator.published()["evaluators"]["accuracy"]
    assert (published["model"], published["commit"]) == (NAME, repository.commits[-1].sha)


def test_its_card_says_how_far_to_trust_it(hub_server: HubServer, with_evaluator: FinishedRun) -> None:
    publish.main()
    card = hub_server.hub.repositories["model", NAME].commits[-1].files["README.md"].content.decode()
    assert yaml.safe_load(card.split("---")[1])["pipeline_tag"] == "text-classification"
    for said in ("0.71 [0.60, 0.80]", "| 0.75 |", "48 labelled answers to 12 questions", "## Limits", "## Licence"):
        assert said in card, said


def test_an_unchanged_evaluator_makes_no_commit_and_another_one_does(
    hub_server: HubServer, with_evaluator: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    publish.main()
    commits = hub_server.hub.repositories["model", NAME].commits
    before = len(commits)
    publish.main()
    assert len(commits) == before
    assert f"{NAME} is unchanged" in capsys.readouterr().err
    trained(with_evaluator.root / "data/evaluator/accuracy", questions=14)
    publish.main()
    assert len(commits) == before + 1


def test_without_being_asked_no_evaluator_is_published(hub_server: HubServer, with_evaluator: FinishedRun) -> None:
    params = yaml.safe_load((with_evaluator.root / "params.yaml").read_text())
    params["publish"]["evaluators"] = False
    with_evaluator.put("params.yaml", yaml.safe_dump(params, sort_keys=False))
    publish.main()
    assert ("model", NAME) not in hub_server.hub.repositories
    assert "evaluators" not in with_evaluator.published()


@pytest.mark.usefixtures("hub_server")
def test_an_evaluator_that_is_not_whole_is_not_published(with_evaluator: FinishedRun) -> None:
    (with_evaluator.root / "data/evaluator/accuracy/words.json").write_text("{}")
    refused("words.json is missing or not what was trained")
    manifest = with_evaluator.root / "data/evaluator/accuracy/evaluator.json"
    manifest.write_text(json.dumps({"files": {}}))
    refused("evaluator.json is missing or not what was trained")


def test_a_model_of_another_kind_is_not_written_over(hub_server: HubServer, with_evaluator: FinishedRun) -> None:
    hub_server.hub.add("model", NAME, {"model.safetensors": b"somebody's"})
    refused("a model of another kind has this name")
    assert with_evaluator.root.is_dir()
