"""Generation on real Ray clusters: the bytes of a local run, whatever dies on the way, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.following import plain, processes_in
from tests.made_up.judging import write_rows
from tests.pipeline.pipeline import Clone
from tests.servers.hub.server import running_hub
from tests.stages.test_generate import recorded_rows
from tests.stages.test_generate_turns import ask, two_turns
from tests.tuneproof.generation.engines.workspaces import LOOSE_SAMPLING, SMALL_MODELS, Workspace, make_workspace
from tests.waiting import wait_until
from tuneproof.common.processes import marks_of_processes

pytest.importorskip("ray", reason="ray is not installed (requirements/ray.txt)")
pytestmark = pytest.mark.exhaustive

QUESTIONS = 2_000
ANSWERS = Path("data/answers/sft.jsonl")
ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "ab" * 32,
    "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1",
}  # fmt: skip


@dataclass(frozen=True)
class Cluster:
    """A cluster that others started."""

    address: str
    raylets: list[int]
    bystander: int

    @property
    def replicas(self) -> list[int]:
        """The processes of our actors on it."""
        return self.actors(b"ray::Replica")

    def actors(self, name: bytes) -> list[int]:
        """The processes of one kind of our actors on it."""
        return [one for raylet in self.raylets for one in children(raylet) if name in command(one)]

    def kill_node(self, raylet: int) -> None:
        """A machine that is gone: the raylet and all its workers at once."""
        for process in [*children(raylet), raylet]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found


def command(process: int) -> bytes:
    with suppress(OSError):
        return (Path("/proc") / str(process) / "cmdline").read_bytes()
    return b""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "pipeline" / "ray_cluster.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        yield Cluster(**json.loads(process.stdout.readline()))


@pytest.fixture(scope="module")
def local_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the same questions give on this machine alone."""
    workspace = make_workspace(tmp_path_factory.mktemp("local") / "workspace", questions=QUESTIONS)
    workspace.run_ok("generate.py", "sft")
    return (workspace.root / ANSWERS).read_bytes()


def on_ray(root: Path, address: str, questions: int = QUESTIONS) -> Workspace:
    workspace = make_workspace(root / "workspace", questions=questions)
    workspace.set(execution__generate__run_on="ray", execution__ray={"address": address})
    return workspace


def ours(project: Project) -> list[int]:
    """Living processes that carry the mark of a stage of this project."""
    return [one for one, mark in marks_of_processes().items() if mark.endswith(f":{project.root.resolve()}")]


def priorities(processes: Iterable[int]) -> set[int]:
    """The priorities of those of these processes that have not ended meanwhile."""
    found = set()
    for one in processes:
        with suppress(ProcessLookupError):
            found.add(os.getpriority(os.PRIO_PROCESS, one))
    return found


def test_three_nodes_give_the_bytes_of_a_local_run_also_when_two_of_them_are_killed_on_the_way(
    cluster: Cluster, tmp_path: Path, local_bytes: bytes
) -> None:
    whole = on_ray(tmp_path / "whole", cluster.address)
    process = whole.process()
    said = process.communicate()[0]
    assert "3 replicas of 0 GPUs and 1 CPUs each on the cluster 127.0.0.1:" in said
    assert (whole.root / ANSWERS).read_bytes() == local_bytes
    wait_until(lambda: not cluster.replicas)

    hurt = on_ray(tmp_path / "hurt", cluster.address)
    process = hurt.process()
    wait_until(lambda: recorded_rows(hurt) > QUESTIONS // 20, process)
    for raylet in cluster.raylets[1:]:
        cluster.kill_node(raylet)
    said = process.communicate()[0]
    assert said.count("does not answer (ActorUnavailableError)") == 2, said
    assert f"generated {QUESTIONS} of {QUESTIONS} answers" in said
    assert (hurt.root / ANSWERS).read_bytes() == local_bytes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stage_that_ends_takes_its_actors_along_and_nothing_else_on_the_cluster(
    cluster: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    workspace = on_ray(tmp_path, cluster.address)
    process = workspace.process()
    wait_until(lambda: recorded_rows(workspace) > 0 and len(cluster.replicas) == 3, process)
    process.send_signal(number)
    said = process.communicate()[0]
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), said
    wait_until(lambda: not cluster.replicas)
    assert command(cluster.bystander)
    assert not (workspace.root / ANSWERS).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_of_an_own_cluster_survives_its_stage_and_a_further_run_goes_on(
    tmp_path: Path, number: signal.Signals, local_bytes: bytes
) -> None:
    workspace = on_ray(tmp_path, "local")
    process = workspace.process()
    wait_until(lambda: recorded_rows(workspace) > QUESTIONS // 20, process)
    assert len(ours(workspace)) > 5
    assert priorities(ours(workspace)) == {os.getpriority(os.PRIO_PROCESS, 0)}
    process.send_signal(number)
    process.communicate()
    wait_until(lambda: not ours(workspace))
    kept = recorded_rows(workspace)
    assert kept < QUESTIONS
    said = workspace.process().communicate()[0]
    assert f"{kept} answers are in the ledger" in said
    assert (workspace.root / ANSWERS).read_bytes() == local_bytes
    assert ours(workspace) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_of_an_own_cluster_survives_dvc(tmp_path: Path, number: signal.Signals) -> None:
    clone, project = Clone.of_this_repository(tmp_path / "clone"), Project.__new__(Project)
    project.root = clone.root
    write_rows(project, "questions.jsonl", plain(QUESTIONS))
    model = {"id": str(SMALL_MODELS / "sft"), "prompt": "alpaca", "engine": "transformers"}
    project.set(
        questions__dataset="questions.jsonl", models={"sft": model}, baseline="sft", generate__sampling=LOOSE_SAMPLING,
        judge__base_url="http://localhost:9/v1", execution__generate__run_on="ray",
        execution__generate__transformers={"device": "cpu"}, execution__ray={"address": "local"},
    )  # fmt: skip
    dvc = clone.start_dvc("/bin/sh", "repro", "generate@sft")
    wait_until(lambda: recorded_rows(project) > 0, dvc)
    assert len(ours(project)) > 5 and processes_in(project.root)
    if number == signal.SIGINT:
        os.killpg(dvc.pid, number)  # as a terminal does
    else:
        dvc.send_signal(number)
    dvc.wait()
    wait_until(lambda: not ours(project) and not processes_in(project.root))
    assert 0 < recorded_rows(project) < QUESTIONS


def test_a_second_turn_is_asked_when_its_first_is_there(tmp_path: Path) -> None:
    answers = []
    for run_on in ("local", "ray"):
        workspace = make_workspace(tmp_path / run_on, prompt="chat")
        workspace.set(execution__generate__run_on=run_on)
        ask(workspace, two_turns(60))
        process = workspace.process()
        said = process.communicate()[0]
        assert process.returncode == 0, said
        answers.append((workspace.root / ANSWERS).read_bytes())
    assert answers[0] == answers[1]
    assert "120 answers" in said


@pytest.mark.parametrize("place", ["nodes", "a cluster of this machine"])
def test_weights_of_the_next_model_arrive_while_one_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, place: str
) -> None:
    """The nodes of these clusters share a cache, in which one of them fetches."""
    with running_hub() as hub:
        home = tmp_path / "home"
        of_the_hub = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        for name, value in of_the_hub.items():
            monkeypatch.setenv(name, value)
        files = {path.name: path.read_bytes() for path in (SMALL_MODELS / "dpo").iterdir()}
        commit = hub.hub.add("model", "team/dpo", files).at("main")
        assert commit
        cluster = request.getfixturevalue("cluster") if place == "nodes" else None
        workspace = on_ray(tmp_path, cluster.address if cluster else "local")
        workspace.change("dpo", id="team/dpo", prompt="alpaca", engine="transformers")
        workspace.resolve("dpo", sha=commit.sha)
        workspace.set(execution__generate__prefetch={"enabled": True})
        process = workspace.process()
        log = workspace.root / ".cache" / "prefetch-sft.log"
        wait_until(lambda: log.exists() and "its weights are here" in log.read_text(), process)
        assert len([one for one in hub.requests if one.path.startswith("/storage/")]) == 1
        assert list(home.rglob("model.safetensors")) and not list(home.rglob("*.begun"))
        if cluster:
            assert len(cluster.actors(b"ray::Fetcher")) <= 3, "one on each node, begun and ended one after the other"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not ours(workspace) and not processes_in(workspace.root))
        wait_until(lambda: not cluster or (not cluster.replicas and not cluster.actors(b"ray::Fetcher")))


def test_a_demand_that_no_node_can_meet_is_one_line(tmp_path: Path) -> None:
    workspace = on_ray(tmp_path, "local", questions=3)
    workspace.set(execution__ray={"gpus_per_replica": 1000})
    process = workspace.process()
    said = process.communicate()[0]
    assert process.returncode == 1
    [error] = [line for line in said.splitlines() if line.startswith("error: ")]
    assert error.startswith(
        "error: execution.ray: 1 replicas of 1000 GPUs and 1 CPUs each, and the nodes have room for 0"
    )
