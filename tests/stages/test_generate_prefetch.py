"""The weights of the models to come arrive beside a stage that generates: real processes, the local Hub."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.following import answering, plain, processes_in
from tests.made_up.judging import write_rows
from tests.made_up.weights import padded
from tests.pipeline.pipeline import Clone
from tests.processes import ended_with_test
from tests.servers.hub.client import use_hub
from tests.servers.hub.repositories import Account, Fault
from tests.servers.hub.server import HubServer, running_hub
from tests.servers.openai.server import OpenAIServer
from tests.waiting import PATIENCE_SECONDS, wait_until
from tuneproof.generation.weights import arriving
from tuneproof.records.writing.timeline import Part
from tuneproof.sources.hub import ahead
from tuneproof.sources.hub.ahead import BEGUN

TOKEN = "hf_plantedPrefetchToken0123456789"
PADDING_BYTES = 25_000_000  # more than two parts as the client takes them
NOT_LET_TO_ANSWER = "the model was never let to answer"


def checkpoint(name: str, padding: int) -> dict[str, bytes]:
    folder = ROOT / "data" / "embedded" / "models" / name
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return files | {"model.safetensors": padded(files["model.safetensors"], padding)}


@dataclass
class World:
    """A project whose first model is a server that answers when it is let to, and the others are on the Hub."""

    project: Project
    hub: HubServer
    home: Path
    answers: Event = field(default_factory=Event)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.home), "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1", "DVC_ROOT": str(self.project.root),
        }  # fmt: skip

    def scorer(self, body: dict[str, Any]) -> str:
        assert self.answers.wait(PATIENCE_SECONDS), NOT_LET_TO_ANSWER
        return answering(body)

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return ended_with_test(subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "generate.py"), *arguments], cwd=self.project.root, text=True,
            env=os.environ | self.environment | environment, stderr=subprocess.PIPE, start_new_session=True,
        ))  # fmt: skip

    def end_of(self, process: "subprocess.Popen[str]") -> str:
        """Lets the model answer, and gives what the stage said, which must have succeeded."""
        self.answers.set()
        said = process.communicate()[1]
        assert process.returncode == 0, said
        return said

    def transfers(self) -> list[str | None]:
        """The ranges that were asked of the storage of large files, without those that validate reads headers by."""
        return [request.range for request in self.hub.requests if request.path.startswith("/storage/")]

    def begun(self) -> list[Path]:
        return [path for path in self.home.rglob(f"*{BEGUN}") if path.stat().st_size]

    def parts(self) -> dict[str, Part]:
        path = self.project.root / ".cache" / "timeline.jsonl"
        found = [Part.model_validate_json(line) for line in path.read_text().splitlines()] if path.exists() else []
        return {f"{part.stage.split()[1]} {part.part}": part for part in found}


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    root = tmp_path / "served-and-on-the-hub"
    if getattr(request, "param", "folder") == "clone":
        project = Project.__new__(Project)
        project.root = Clone.of_this_repository(root).root
    else:
        root.mkdir()
        project = Project(root)
    with running_hub() as hub:
        hub.hub.accounts[TOKEN] = Account("someone")
        world = World(project, hub, tmp_path / "home")
        with OpenAIServer(scorer=world.scorer) as model:
            for key, name in (("dpo", "dpo"), ("base", "base")):
                hub.hub.add("model", f"team/{key}", checkpoint(name, PADDING_BYTES))
            write_rows(project, "questions.jsonl", plain(2))
            on_the_hub: Any = {"engine": "transformers", "prompt": "alpaca"}
            served = {"engine": "endpoint", "prompt": "chat", "id": "sft", "base_url": model.base_url}
            project.set(
                questions__dataset="questions.jsonl", baseline="base", generate__sampling__max_tokens=4,
                models={"sft": served} | {key: on_the_hub | {"id": f"team/{key}"} for key in ("dpo", "base")},
                judge__base_url="http://localhost:9/v1", execution__generate__prefetch={"enabled": True},
            )  # fmt: skip
            project.run_ok("validate.py", **world.environment)
            hub.requests.clear()
            yield world
            world.answers.set()
            for process in processes_in(project.root):  # of a test that failed
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


def test_weights_arrive_one_after_the_other_while_a_model_answers(world: World) -> None:
    world.hub.bytes_per_second = 30e6
    stage = world.start("sft")
    wait_until(lambda: "base download" in world.parts(), stage)
    said = world.end_of(stage)
    parts = world.parts()
    answers, first, second = (parts[name] for name in ("sft answers", "dpo download", "base download"))
    assert answers.began < first.ended <= second.began < second.ended < answers.ended
    assert first.units == second.units == round((PADDING_BYTES + 1.5e6) / 1e6)
    assert "meanwhile what is missing of the weights of dpo, base arrives" in said
    assert "generate base: its weights are here, 26 MB of them fetched ahead" in said
    assert world.transfers() == [None, None]
    assert TOKEN not in said
    assert not [
        path
        for path in (world.project.root / ".cache").rglob("*")
        if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert processes_in(world.project.root) == {}


@pytest.mark.exhaustive
def test_the_next_stage_finds_its_weights_here_and_finishes_those_that_were_begun(world: World) -> None:
    world.project.set(execution__generate__prefetch={"enabled": True, "megabytes_per_second": 5})
    stage = world.start("sft")
    wait_until(lambda: "dpo download" in world.parts() and len(world.begun()) == 1, stage)
    world.end_of(stage)
    world.hub.requests.clear()
    (begun,) = world.begun()
    assert world.end_of(world.start("dpo")).count("wrote 2 answers") == 1
    world.end_of(world.start("base"))
    assert all(asked and asked.startswith("bytes=") for asked in world.transfers())
    assert len(world.transfers()) >= 1 and not begun.exists()
    shutil.rmtree(world.home)
    world.hub.requests.clear()
    assert world.end_of(world.start("sft", "--prefetch")) == "", "what has its answers needs no weights"
    assert world.transfers() == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_download_ends_with_its_stage_and_goes_on_where_it_was(world: World, how: signal.Signals) -> None:
    world.hub.bytes_per_second = 10e6
    stage = world.start("sft")
    wait_until(lambda: bool(world.begun()), stage)
    world.hub.bytes_per_second = 1
    stage.send_signal(how)
    stage.communicate()
    wait_until(lambda: processes_in(world.project.root) == {})
    (begun,) = world.begun()
    there = begun.stat().st_size
    assert 0 < there < PADDING_BYTES
    world.hub.requests.clear()
    world.hub.bytes_per_second = None
    stage = world.start("sft")
    wait_until(lambda: "base download" in world.parts(), stage)
    world.end_of(stage)
    assert world.transfers() == [f"bytes={there}-", None]
    assert not world.begun()


@pytest.mark.exhaustive
@pytest.mark.parametrize("world", ["clone"], indirect=True)
@pytest.mark.parametrize(
    ("how", "shell"), [(signal.SIGKILL, "/bin/bash"), (signal.SIGKILL, "/bin/sh"), (signal.SIGINT, "/bin/sh")]
)
def test_no_download_survives_dvc(world: World, how: signal.Signals, shell: str) -> None:
    world.hub.bytes_per_second = 10e6
    environment = {name: value for name, value in world.environment.items() if name != "DVC_ROOT"}
    dvc = Clone(world.project.root).start_dvc(shell, "repro", "generate@sft", **environment)
    wait_until(lambda: bool(world.begun()), dvc)
    world.hub.bytes_per_second = 1
    assert any("--prefetch" in command for command in processes_in(world.project.root).values())
    if how == signal.SIGINT:
        os.killpg(dvc.pid, how)  # as a terminal does
    else:
        dvc.send_signal(how)
    dvc.wait()
    wait_until(lambda: processes_in(world.project.root) == {})
    assert world.begun()


NO_ROOM = """
import collections, shutil
real = shutil.disk_usage
def disk_usage(path):
    found = real(path)
    return found._replace(free=1_010_000_000) if str(path).endswith("hub") else found
shutil.disk_usage = disk_usage
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", ["no room", "refused", "broken"])
def test_a_download_that_fails_is_a_line_and_the_stage_goes_on(world: World, tmp_path: Path, case: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_ROOM if case == "no room" else "")
    if case == "refused":
        world.hub.faults.append(Fault("GET /storage", status=403))
    if case == "broken":
        (world.project.root / "data" / "resolved" / "base.json").write_text("{")
        (world.project.root / "data" / "resolved" / "dpo.json").unlink()
    stage = world.start("sft", PYTHONPATH=str(tmp_path))
    log = world.project.root / ".cache" / "prefetch-sft.log"
    wait_until(lambda: log.exists() and log.read_text().count("warning:") == 2, stage)
    said = world.end_of(stage)
    assert "wrote 2 answers" in said and "Traceback" not in said + log.read_text()
    says = {
        "no room": "26 MB are to come and 1,010 MB are left",
        "refused": "may not read",
        "broken": "data/resolved/base.json",
    }[case]
    assert sum(line.startswith("generate sft: warning:") and says in line for line in said.splitlines()) >= 1
    if case == "no room":
        assert world.transfers() == []


def test_the_bound_of_the_settings_is_the_pace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[float | None] = []
    monkeypatch.setattr(ahead.Pace, "__init__", lambda self, bound: bounds.append(bound))
    monkeypatch.setattr(arriving, "fetch_weights", lambda part, pace, free_bytes: None)
    monkeypatch.setattr(ahead.Pace, "bytes", 0, raising=False)
    use_hub(world.hub, monkeypatch, world.home)
    for bound in (None, 2.5):
        world.project.set(execution__generate__prefetch={"enabled": True, "megabytes_per_second": bound})
        said = world.project.run_ok("generate.py", "sft", "--prefetch")
        assert [line.split(":")[0] for line in said.splitlines()] == ["generate dpo", "generate base"]
    assert bounds == [None, 2_500_000.0]


@pytest.mark.exhaustive
def test_nothing_is_fetched_where_it_is_off_elsewhere_or_in_the_embedded_world(
    world: World, embedded_project: Project
) -> None:
    world.answers.set()
    for run_on in ("sagemaker", "local"):
        world.project.set(
            execution__generate__run_on=run_on, execution__generate__prefetch={"enabled": run_on == "sagemaker"}
        )
        assert "meanwhile" not in world.end_of(world.start("sft"))
        (world.project.root / ".cache" / "ledger.sqlite").unlink()
    embedded_project.set(execution__generate__prefetch={"enabled": True})
    assert embedded_project.run_ok("generate.py", "sft", "--prefetch") == ""
    assert world.transfers() == []
