"""Benchmarks through real engines: the same items scored alike by plain lm-eval, transformers, vLLM and an endpoint."""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.benchmark_tasks import write_choice, write_generation
from tests.made_up.sagemaker_workspaces import BUCKET
from tests.made_up.sagemaker_workspaces import SETTINGS as SAGEMAKER
from tests.pipeline.vllm_environment import EXECUTION, SETTINGS, WORKER_IN_THE_ENGINE, vllm_python
from tests.pipeline.vllm_server import vllm_server
from tests.processes import ended_with_test
from tests.servers.aws.services import LocalAWS
from tests.stages.test_benchmark import BASE, SFT, rows_of, summary
from tests.waiting import PATIENCE_SECONDS, wait_until
from tuneproof.common.processes import marks_of_processes
from tuneproof.records.handovers import BENCHMARKS
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Benchmark

TASKS = {"choice": {"path": "tasks/choice.yaml"}, "says": {"path": "tasks/says.yaml"}}
REQUESTS = 2200  # of five hundred items with four choices each, and then of two hundred texts
LIKELIHOODS = 2000
TEN_POINTS = tuple(kill * REQUESTS // 12 for kill in range(1, 11))


def prepared(project: Project, choice: int, generation: int, **models: dict[str, Any]) -> Project:
    """A validated project with a task of each kind."""
    write_choice(project.root, choice)
    write_generation(project.root, generation)
    (project.root / "questions.jsonl").write_text('{"instruction": "Why?", "output": "So."}\n')
    baseline = {"id": BASE, "prompt": "alpaca", "engine": "transformers"}
    project.set(models={**models, "baseline": baseline}, questions__dataset="questions.jsonl")
    project.set(benchmark={"tasks": TASKS}, generate__transformers__dtype="float32", generate__vllm=SETTINGS)
    project.set(execution__generate={**EXECUTION, "transformers": {"batch_size": 8}})
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    return project


def start(project: Project, model: str, vllm: bool = False) -> subprocess.Popen[str]:
    """The stage in a process of its own; with vLLM in its environment, which then finds the harness too."""
    environment = os.environ | {"OPENAI_API_KEY": "sk-none"}
    if vllm:
        environment |= WORKER_IN_THE_ENGINE
        environment["PYTHONPATH"] = str(ROOT / "tests" / "pipeline" / "beside_vllm")
        environment["TUNEPROOF_BASE_PACKAGES"] = sysconfig.get_path("purelib")
    python = vllm_python() if vllm else sys.executable
    command = [python, str(ROOT / "scripts" / "benchmark.py"), model]
    return ended_with_test(
        subprocess.Popen(command, cwd=project.root, env=environment, stderr=subprocess.PIPE, text=True)
    )


def finish(stage: subprocess.Popen[str]) -> str:
    """What a stage says that must succeed."""
    _, said = stage.communicate(timeout=PATIENCE_SECONDS)
    assert stage.returncode == 0, said
    return said


def recorded(project: Project) -> int:
    """How many responses are in the ledger."""
    with Ledger(project.root / ".cache" / "ledger.sqlite") as ledger:
        return ledger.count()


def none_left(stage: int) -> bool:
    """Whether no process that a stage started is running."""
    return not any(mark.startswith(f"{stage}:") for mark in marks_of_processes().values())


def killed_at(points: tuple[int, ...], project: Project, model: str, vllm: bool = False) -> list[str]:
    """Kills the stage at so many responses each time, 0: while its engine starts. Gives what each start said.

    What was recorded then is never asked again, and nothing of a killed stage is left running.
    """
    said = []
    for wanted in points:
        stage = start(project, model, vllm)
        wait_until(partial(has_come_to, project, stage.pid, wanted), stage)
        stage.send_signal(signal.SIGKILL)
        said.append(stage.communicate(timeout=PATIENCE_SECONDS)[1])
        wait_until(partial(none_left, stage.pid))
    before = recorded(project)
    said.append(finish(start(project, model, vllm)))
    asked, known = map(int, re.findall(r"(\d+) requests were answered, (\d+) were in the ledger", said[-1])[0])
    assert (asked, known) == (REQUESTS - before, before)
    assert before < REQUESTS
    return said


def has_come_to(project: Project, stage: int, responses: int) -> bool:
    """Whether so many responses are in the ledger; for 0, whether the stage has started its engine."""
    return recorded(project) >= responses if responses else not none_left(stage)


def same_items(found: list[Benchmark], expected: list[Benchmark]) -> None:
    """Every score, target and response of every item."""
    assert [row.model_dump() for row in found] == [row.model_dump() for row in expected]


@pytest.mark.exhaustive
def test_five_hundred_choices_and_two_hundred_texts_are_those_of_the_plain_harness(project: Project) -> None:
    prepared(project, 500, 200, sft={"id": SFT, "prompt": "alpaca", "engine": "transformers"})
    project.run_ok("benchmark.py", "sft")
    command = [
        str(Path(sys.executable).parent / "lm_eval"), "run", "--model", "hf", "--model_args",
        f"pretrained={project.root / SFT},dtype=float32", "--include_path", "tasks", "--tasks", "choice,says",
        "--batch_size", "8", "--device", "cpu", "--output_path", "plain", "--log_samples",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(next((project.root / "plain").rglob("results*.json")).read_text())["results"]
    for name, metrics in (("choice", ("acc", "acc_norm")), ("says", ("exact_match",))):
        lines = next((project.root / "plain").rglob(f"samples_{name}_*.jsonl")).read_text().splitlines()
        plain = {one["doc_hash"][:16]: one for one in map(json.loads, lines)}
        rows = [row for row in rows_of(project) if row.criterion == name]
        assert len(rows) == len(plain) == {"choice": 500, "says": 200}[name]
        for metric in metrics:
            assert {row.id: row.scores[metric] for row in rows} == {key: one[metric] for key, one in plain.items()}
        assert summary(project)[name].mean == pytest.approx(results[name][f"{metrics[0]},none"], abs=1e-12)


@pytest.mark.exhaustive
def test_transformers_killed_at_ten_points_asks_nothing_again(project: Project) -> None:
    prepared(project, 500, 200, sft={"id": SFT, "prompt": "alpaca", "engine": "transformers"})
    killed_at(TEN_POINTS, project, "sft")
    after_kills = (project.root / BENCHMARKS.path("sft")).read_bytes()
    (project.root / ".cache" / "ledger.sqlite").unlink()
    finish(start(project, "sft"))
    assert (project.root / BENCHMARKS.path("sft")).read_bytes() == after_kills


@pytest.mark.exhaustive
def test_vllm_scores_as_transformers_and_killed_at_four_points_leaves_nothing_running(project: Project) -> None:
    """Killed while its engine starts, in its first window, between the two tasks and among the texts.

    Ten points are tried with transformers above. What is asked again and what is not is the same code with every
    engine: `RecordedModel` and the ledger. vLLM's own is its window, which an endpoint shares (`tokens.answer_with`,
    killed in tests/stages/test_benchmark_endpoint.py), and the processes that it starts (`no_survivors`), which are
    the same at every point once the engine runs.
    """
    models = {name: {"id": SFT, "prompt": "alpaca", "engine": name} for name in ("vllm", "transformers")}
    prepared(project, 500, 200, **models)
    # Few at once, so that a loaded machine still finds some texts open at the last point.
    few = EXECUTION["vllm"] | {"max_num_seqs": 4}
    project.set(execution__generate={"vllm": few, "transformers": {"batch_size": 8}})
    said = killed_at((0, 1, LIKELIHOODS, LIKELIHOODS + 30), project, "vllm", vllm=True)
    assert "requests to answer" not in said[0]
    assert f"{LIKELIHOODS} loglikelihood requests to answer, 0 are in the ledger" in said[1]
    assert all("loglikelihood requests to answer" not in one for one in said[3:])
    project.run_ok("benchmark.py", "transformers")
    same_items(rows_of(project, "vllm"), rows_of(project, "transformers"))


@pytest.mark.exhaustive
def test_a_served_model_scores_every_item_as_transformers_does(project: Project, tmp_path: Path) -> None:
    options = ("--max-model-len", "512", "--generation-config", "vllm")
    with vllm_server(ROOT / SFT, *options, folder=tmp_path) as (address, name):
        served = {"id": name, "base_url": address, "served_as": "ours", "engine": "endpoint", "tokenizer": SFT}
        prepared(project, 500, 200, served=served, sft={"id": SFT, "prompt": "alpaca", "engine": "transformers"})
        said = project.run_ok("benchmark.py", "served")
    assert "2200 requests were answered, 0 were in the ledger" in said
    project.run_ok("benchmark.py", "sft")
    same_items(rows_of(project, "served"), rows_of(project, "sft"))


@pytest.mark.exhaustive
def test_a_job_on_sagemaker_scores_every_item_as_transformers_does_also_after_its_machine_failed(
    project: Project,
) -> None:
    models = {name: {"id": SFT, "prompt": "alpaca", "engine": name} for name in ("vllm", "transformers")}
    prepared(project, 600, 40, **models)
    project.run_ok("benchmark.py", "transformers")
    # One at a time and so many that a loaded machine has some of them, and not all, when its rows are looked at.
    slow = {"vllm": EXECUTION["vllm"] | {"max_num_seqs": 1}}
    project.set(execution__generate=slow | {"run_on": "sagemaker"}, execution__sagemaker=SAGEMAKER)
    with LocalAWS(vllm_python()) as aws:
        aws.service.image_environment.update(WORKER_IN_THE_ENGINE)
        aws.create_bucket(BUCKET)
        aws.jobs.faults.rows_to_stand_still = 50
        command = [sys.executable, str(ROOT / "scripts" / "benchmark.py"), "vllm"]
        environment = os.environ | aws.environment()
        stage = ended_with_test(
            subprocess.Popen(command, cwd=project.root, env=environment, stderr=subprocess.PIPE, text=True)
        )
        before = recorded(project)
        wait_until(lambda: recorded(project) > before, stage)
        aws.jobs.kill(aws.jobs.running[0])
        _, said = stage.communicate(timeout=PATIENCE_SECONDS)
        assert "InternalServerError" in said
        there = recorded(project) - before
        aws.jobs.faults.rows_to_stand_still = None
        project.set(execution__generate=EXECUTION | {"run_on": "sagemaker"})
        said = project.run_ok("benchmark.py", "vllm", **aws.environment())
    assert 0 < there < 2440
    assert f"{2440 - there} requests were answered, {there} were in the ledger" in said
    same_items(rows_of(project, "vllm"), rows_of(project, "transformers"))
