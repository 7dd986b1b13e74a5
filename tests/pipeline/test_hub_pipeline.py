"""The pipeline on models and questions of a Hub: the real DVC and the official client against the local Hub."""

import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.conftest import ROOT
from tests.pipeline.pipeline import RECORDED, Clone, run
from tests.servers.hub.repositories import Account, Fault, Hub, Repository
from tests.servers.hub.server import HubServer, running_hub
from tests.servers.openai.server import OpenAIServer

pytestmark = pytest.mark.exhaustive

TOKEN = "hf_plantedPipelineToken0123456789"
CHECKPOINTS = {"sft": "sft", "dpo": "dpo", "baseline": "base"}
AFTER = {"agree", "aggregate", "report"}
OF_SFT = tuple(f"{stage}@sft" for stage in ("generate", "check", "benchmark", "judge", "compare"))


def checkpoint(name: str) -> dict[str, bytes]:
    folder = ROOT / "data" / "embedded" / "models" / name
    return {path.name: path.read_bytes() for path in folder.iterdir()} | {"README.md": b"# A model\n"}


def questions(count: int = 4) -> bytes:
    rows = [{"instruction": f"What is {number}?", "output": f"The number {number}."} for number in range(count)]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def filled_hub() -> Hub:
    """Three public models, private questions, and an account that may read them and publish as `me`."""
    hub = Hub(accounts={TOKEN: Account("me", organisations=("team",))})
    for key, name in CHECKPOINTS.items():
        hub.add("model", f"team/{key}", checkpoint(name))
    hub.add("dataset", "team/questions", {"data/test.parquet": questions(), "README.md": b"# Data\n"}, private=True)
    return hub


@dataclass
class World:
    """A clone, the Hub that it looks at, and a cache of the Hub's client."""

    clone: Clone
    server: HubServer
    home: Path
    printed: str = ""

    def environment(self, **changes: str) -> dict[str, str]:
        return {
            "HF_ENDPOINT": self.server.url, "HF_HOME": str(self.home), "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
        } | changes  # fmt: skip

    def stages_run(self, *arguments: str, **changes: str) -> set[str]:
        """What `dvc repro` runs; `said` holds what it printed."""
        self.said = self.clone.dvc("repro", *arguments, **self.environment(**changes))
        self.printed += self.said
        ran = {line.split("'")[1] for line in self.said.splitlines() if line.startswith("Running stage '")}
        return ran - {"validate", "publish"}

    def validate(self, *arguments: str, returncode: int = 0, **changes: str) -> str:
        """What validate says, run by hand as the messages tell a person to."""
        command = ("python", "scripts/validate.py", *arguments)
        done = run(*command, cwd=self.clone.root, **self.environment(**changes))
        assert done.returncode == returncode, done.stderr
        self.printed += done.stderr
        return done.stderr

    def error_line(self, **changes: str) -> str:
        """The one line with which validate stops."""
        said = self.validate(returncode=1, **changes)
        assert "Traceback" not in said
        (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
        return line

    def set(self, section: str, **values: Any) -> None:
        params = self.clone.params()
        params[section] |= values
        self.clone.write_params(params)

    def resolved(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.clone.read(f"data/resolved/{name}.json"))
        return document

    def results(self) -> dict[Path, bytes]:
        folders = (self.clone.root / name for name in ("data", "metrics", "report"))
        return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}

    def repository(self, key: str) -> Repository:
        return self.server.hub.repositories["model", f"team/{key}"]


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    with running_hub() as running:
        yield running


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, server: HubServer) -> Iterator[World]:
    """A finished run of three models of the Hub on the questions of the Hub, and the judge that scored it."""
    folder = tmp_path_factory.mktemp("finished")
    server.hub = filled_hub()
    with OpenAIServer() as judge:
        world = World(Clone.of_this_repository(folder / "clone"), server, folder / "home")
        params = world.clone.params()
        params["questions"] |= {"dataset": "team/questions"}
        params["models"] = {key: {"id": f"team/{key}", "prompt": "alpaca"} for key in RECORDED}
        params["generate"] |= {"engine": "transformers"}
        params["generate"]["sampling"]["max_tokens"] = 8
        params["judge"]["base_url"] = judge.base_url
        params["compare"]["enabled"] = False
        world.clone.write_params(params)
        ran = world.stages_run()
        assert {f"{stage}@{model}" for stage in ("generate", "judge") for model in RECORDED} <= ran
        world.clone.commit("A run")
        yield world


@pytest.fixture
def world(finished: World, server: HubServer, tmp_path: Path) -> World:
    """A copy of the finished run, its caches included, before a Hub as it was."""
    server.hub = filled_hub()
    server.faults.clear()
    shutil.copytree(finished.clone.root, tmp_path / "clone", symlinks=True)
    shutil.copytree(finished.home, tmp_path / "home", symlinks=True)
    return World(Clone(tmp_path / "clone"), server, tmp_path / "home", finished.printed)


def test_a_moved_branch_reruns_nothing_until_update_and_a_better_card_not_even_then(world: World) -> None:
    before, answers = world.resolved("sft")["sha"], world.clone.read("data/answers/sft.jsonl")
    moved = world.repository("sft").commit({"model.safetensors": checkpoint("dpo")["model.safetensors"]})
    world.repository("dpo").commit({"README.md": b"# A better card\n"})
    world.server.hub.repositories["dataset", "team/questions"].commit({"README.md": b"# Better data\n"})
    assert world.stages_run() == set()
    assert f"model team/sft: main has moved on the Hub, from {before[:12]} to {moved[:12]}" in world.said
    assert world.said.count("has moved") == 1
    assert world.clone.git("status", "--porcelain", "data/pins.json") == ""

    assert world.validate("--update").count("the pin of main moves from") == 1
    assert world.stages_run() == set(OF_SFT) | {"admit"} | AFTER
    assert world.resolved("sft")["sha"] == moved
    assert world.clone.read("data/answers/sft.jsonl") != answers
    world.clone.commit("The moved model")

    world.clone.git("checkout", "--quiet", "HEAD~1")
    shutil.rmtree(world.clone.root / ".cache")  # nothing is remembered: the old model answers again
    shutil.rmtree(world.home)
    world.stages_run("--force", "--single-item", "validate", "generate@sft")
    assert world.resolved("sft")["sha"] == before
    assert "4 to generate" in world.said
    assert world.clone.read("data/answers/sft.jsonl") == answers


def test_a_repository_that_is_gone_takes_its_fallback_loudly_and_records_it(world: World) -> None:
    del world.server.hub.repositories["model", "team/sft"]
    shutil.rmtree(world.home)
    assert "error: model team/sft: it is not on the Hub, or it is private" in world.error_line()
    params = world.clone.params()
    params["models"]["sft"]["fallback"] = "team/dpo"
    world.clone.write_params(params)
    said = world.validate()
    assert "warning: model team/sft: it is not on the Hub" in said
    assert "the fallback team/dpo is used instead" in said
    found = world.resolved("sft")
    assert (found["requested"], found["id"], found["sha"]) == ("team/sft", "team/dpo", world.resolved("dpo")["sha"])
    assert "team/sft is not on the Hub, or it is private" in found["fallback_reason"]


def test_what_a_person_must_mend_stops_with_one_line_and_leaves_a_complete_workspace_complete(world: World) -> None:
    world.server.hub.add("model", "meta/gated", checkpoint("sft"), gated=True)
    pickles = {name: content for name, content in checkpoint("sft").items() if name != "model.safetensors"}
    world.server.hub.add("model", "team/pickles", pickles | {"pytorch_model.bin": b"a pickle"})
    before, params = world.results(), world.clone.params()
    for model, token, says in (
        ({"id": "meta/gated", "fallback": "team/sft"}, TOKEN, "model meta/gated: it is gated, and this token has no"),
        ({"id": "team/sft", "fallback": "team/dpo"}, "hf_wrong", "the Hub refuses the token"),
        ({"id": "team/sft", "revision": "v9"}, TOKEN, "model team/sft: it has no revision v9"),
        ({"id": "team/pickles"}, TOKEN, "its weights are pickles (pytorch_model.bin)"),
    ):
        world.clone.write_params(params | {"models": params["models"] | {"sft": {"prompt": "alpaca"} | model}})
        assert says in world.error_line(HF_TOKEN=token)
        assert world.results() == before
    assert "its weights are pickles" in world.clone.failing_dvc("repro", **world.environment())
    assert world.results() == before
    world.clone.write_params(params)
    assert world.stages_run() == set()


def test_without_the_hub_a_pinned_and_cached_run_goes_on(world: World) -> None:
    assert world.stages_run(HF_HUB_OFFLINE="1") == set()
    assert world.said.count("HF_HUB_OFFLINE forbids asking the Hub; the cached commit") == 4
    world.server.faults.append(Fault("/", status=503))
    assert world.stages_run() == set()
    assert world.said.count("127.0.0.1 answers 503; the cached commit") == 4
    shutil.rmtree(world.clone.root / ".cache")
    world.stages_run("--force", "--single-item", "generate@sft")
    assert "4 to generate" in world.said


def test_a_laptop_with_the_pulled_data_and_no_network_rebuilds(world: World) -> None:
    shutil.rmtree(world.home)
    shutil.rmtree(world.clone.root / ".cache")
    assert world.stages_run(HF_HUB_OFFLINE="1") == set()
    assert world.said.count("what an earlier validate made of the same settings and pin is kept") == 4
    world.set("decision", alpha=0.1)
    assert world.stages_run(HF_HUB_OFFLINE="1") == {"aggregate", "report"}
    world.set("questions", limit=2)
    assert "error: dataset team/questions: HF_HUB_OFFLINE forbids asking" in world.error_line(HF_HUB_OFFLINE="1")


LOAD = """
import datasets, json
names = ("sft", "dpo", "baseline")
print(json.dumps({name: datasets.load_dataset(f"me/{name}-results", split="test").to_list() for name in names}))
"""


def commits_with_results(server: HubServer) -> dict[str, int]:
    found = {name: repository for (kind, name), repository in server.hub.repositories.items() if kind == "dataset"}
    return {name: len(found[name].commits) - 1 for name in found if name.startswith("me/")}


def test_results_are_published_once_and_load_as_they_were_judged_and_the_token_is_nowhere(world: World) -> None:
    world.set("publish", enabled=True, workspace="me")
    assert world.stages_run() == set()
    assert commits_with_results(world.server) == {f"me/{key}-results": 1 for key in RECORDED}
    card = world.server.hub.repositories["dataset", "me/sft-results"].commits[-1].files["README.md"].content.decode()
    made_by = (
        f"Git commit `{world.clone.git('rev-parse', 'HEAD').strip()}-dirty`; `dvc.lock` "  # publish was switched on
    )
    for needed in (made_by, f"`team/sft` at commit `{world.resolved('sft')['sha']}`"):
        assert needed in card
    assert world.stages_run() == set()
    assert world.said.count("is unchanged") == 3
    assert commits_with_results(world.server) == {f"me/{key}-results": 1 for key in RECORDED}

    loaded = json.loads(run("python", "-c", LOAD, cwd=world.clone.root, **world.environment()).stdout)
    for key in RECORDED:
        lines = world.clone.read(f"data/judgements/{key}.jsonl").splitlines()
        judgements = [json.loads(line) for line in lines]
        assert [(row["accuracy"], row["style"]) for row in loaded[key]] == [
            (each["scores"]["accuracy"], each["scores"]["style"]) for each in judgements
        ]

    judgements = [json.loads(line) for line in world.clone.read("data/judgements/sft.jsonl").splitlines()]
    judgements[0]["scores"]["accuracy"] = 1 if judgements[0]["scores"]["accuracy"] > 1 else 2
    world.clone.write_lines("data/judgements/sft.jsonl", judgements)
    world.clone.dvc("commit", "--force", "judge@sft")
    assert world.stages_run() == AFTER
    assert commits_with_results(world.server)["me/sft-results"] == 2

    world.clone.commit("Published")
    files = [path for path in world.clone.root.rglob("*") if path.is_file()]
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
    assert TOKEN not in world.printed
    assert any(request.token == TOKEN for request in world.server.requests)


def test_an_experiment_and_a_demonstration_publish_nothing(world: World) -> None:
    settings = ("-S", "publish.enabled=true", "-S", "publish.workspace=me")
    printed = world.clone.dvc("exp", "run", *settings, **world.environment())
    assert "nothing is published, because this is an experiment" in printed
    world.clone.write_params(world.clone.params() | {"embedded": True})
    world.stages_run("--single-item", "validate", "publish")
    assert "nothing is published, because this is a rehearsal or a demonstration" in world.said
    assert commits_with_results(world.server) == {}
