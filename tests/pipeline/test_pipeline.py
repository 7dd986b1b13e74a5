import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.pipeline import RECORDED, Clone, run
from tests.processes import ended_with_test
from tests.servers.openai.server import OpenAIServer

pytestmark = pytest.mark.exhaustive

SECRETS = {
    "OPENAI_API_KEY": "sk-planted-1234567890abcdef",
    "HF_TOKEN": "hf_planted1234567890",
    "AWS_SECRET_ACCESS_KEY": "planted/aws/1234567890",
}


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> Clone:
    """A clone with a finished run of three recorded models."""
    clone = Clone.of_this_repository(tmp_path_factory.mktemp("finished"))
    clone.use_recorded_models(server.base_url)
    clone.dvc("repro")
    clone.commit("A run")
    return clone


@pytest.fixture
def clone(tmp_path: Path, finished: Clone) -> Clone:
    """A copy of the finished clone, its ledger and DVC cache included, to change."""
    shutil.copytree(finished.root, tmp_path / "clone", symlinks=True)
    return Clone(tmp_path / "clone")


def judged(*models: str) -> set[str]:
    return {f"{stage}@{model}" for model in models for stage in ("judge", "compare")}


def per_model(*models: str) -> set[str]:
    return judged(*models) | {f"{stage}@{model}" for stage in ("generate", "check", "benchmark") for model in models}


AFTER = {"admit", "agree", "aggregate", "report"}  # admit looks for labels of the answers; judge goes by what it found


def test_nothing_changed_runs_nothing(clone: Clone, server: OpenAIServer) -> None:
    bought = server.counts.requests.total()
    assert clone.stages_run() == set()
    assert server.counts.requests.total() == bought


def test_one_changed_model_reruns_that_model_only(clone: Clone) -> None:
    shutil.copy(clone.root / "orpo.jsonl", clone.root / "sft.jsonl")
    assert clone.stages_run() == per_model("sft") | AFTER


def test_a_fourth_model_runs_only_its_own_stages(clone: Clone, server: OpenAIServer) -> None:
    bought = server.counts.requests.total()
    params = clone.params()
    params["models"]["orpo"] = {"engine": "recorded", "path": "orpo.jsonl"}
    clone.write_params(params)
    assert clone.stages_run() == per_model("orpo") | AFTER
    assert server.counts.requests.total() == bought + 6 + 12  # six answers, and six pairs in two orders
    assert (clone.root / "metrics" / "orpo.json").is_file()


def test_a_run_is_quoted_once_by_the_first_stage_that_buys(clone: Clone) -> None:
    params = clone.params()
    params["models"]["orpo"] = {"engine": "recorded", "path": "orpo.jsonl"}
    params["judge"]["repeat"] = 1
    clone.write_params(params)
    said = clone.dvc("repro").splitlines()
    [place] = [number for number, line in enumerate(said) if "quote:" in line]
    replies = 4 * 6 + 3 * 12  # four models' six answers, and three models' pairs in two orders
    assert re.fullmatch(rf"quote: {replies} replies for this run, about .* \(see \.cache/quote\.json\)", said[place])
    assert len(said[place]) <= 100
    assert [": bought " in line for line in said if line.startswith(("judge ", "compare "))].count(True) == 7
    assert not any(": bought " in line for line in said[:place])


def test_a_removed_model_leaves_nothing_behind(clone: Clone) -> None:
    params = clone.params()
    del params["models"]["dpo"]
    clone.write_params(params)
    assert clone.stages_run() == AFTER
    left = [path for path in clone.root.rglob("dpo*") if ".dvc" not in path.parts and "embedded" not in path.parts]
    assert [path.name for path in left] == ["dpo.jsonl"]  # the recorded answers, which are the user's own
    assert "dpo" not in clone.dvc("metrics", "show")


def test_settings_of_speed_rerun_nothing(clone: Clone) -> None:
    params = clone.params()
    params["execution"]["judge"] |= {"concurrency": 3, "timeout_seconds": 5.0, "budget_usd": 1.0, "prices": {}}
    params["execution"]["generate"]["models"] = {"sft": {}}
    params["execution"]["generate"]["vllm"] |= {"gpu_memory_utilization": 0.5, "max_num_seqs": 7}
    params["execution"]["sagemaker"]["volume_gib"] = 200
    clone.write_params(params)
    assert clone.stages_run() == set()


def test_a_changed_criterion_judges_again_without_generating(clone: Clone) -> None:
    params = clone.params()
    params["judge"]["criteria"]["style"]["question"] = "Is it short?"
    clone.write_params(params)
    run_stages = clone.stages_run()
    assert {f"judge@{model}" for model in RECORDED} <= run_stages
    assert not any(stage.startswith("generate") for stage in run_stages)


def test_a_question_more_reruns_all_and_buys_only_what_is_new(clone: Clone, server: OpenAIServer) -> None:
    bought = server.counts.requests.total()
    clone.use_recorded_models(server.base_url, questions=7)
    assert per_model(*RECORDED) <= clone.stages_run() | {"compare@baseline"}
    assert server.counts.requests.total() == bought + 3 + 2 * 2


def test_a_failed_validate_leaves_a_complete_workspace_complete(clone: Clone) -> None:
    before = {path: path.read_bytes() for path in (clone.root / "data").rglob("*") if path.is_file()}
    params = clone.params()
    clone.write_params(params | {"questions": params["questions"] | {"dataset": "nowhere.jsonl"}})
    assert "error: nowhere.jsonl: there is no such file" in clone.failing_dvc("repro")
    assert {path: path.read_bytes() for path in (clone.root / "data").rglob("*") if path.is_file()} == before
    clone.write_params(params)
    assert clone.stages_run() == set()


def test_a_second_clone_that_pulls_buys_nothing(clone: Clone, server: OpenAIServer, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    clone.dvc("remote", "add", "--default", "storage", str(remote))
    clone.commit("A remote")
    clone.dvc("push", "--run-cache")
    bought = server.counts.requests.total()
    second = Clone(tmp_path / "second")
    run("git", "clone", "--quiet", str(clone.root), str(second.root), cwd=tmp_path)
    second.set_identity()
    assert second.stages_run("--pull") == set()
    for model in RECORDED:
        for kind in ("answers", "judgements"):
            assert second.read(f"data/{kind}/{model}.jsonl") == clone.read(f"data/{kind}/{model}.jsonl")
    params = second.params()
    params["models"]["orpo"] = {"engine": "recorded", "path": "orpo.jsonl"}
    second.write_params(params)
    second.dvc("repro")
    assert server.counts.requests.total() == bought + 6 + 12


def test_two_experiments_compare_and_the_temporary_copy_shares_the_ledger(clone: Clone, server: OpenAIServer) -> None:
    bought = server.counts.requests.total()
    clone.dvc("exp", "run", "--temp", "--name", "steadier", "-S", "judge.samples=2")
    assert server.counts.requests.total() == bought + 18 + 24
    assert "steadier" in clone.dvc("exp", "show", "--csv")
    clone.dvc("metrics", "diff", "HEAD", "steadier")
    bought = server.counts.requests.total()
    clone.dvc("exp", "run", "-S", "judge.samples=2")
    assert server.counts.requests.total() == bought


def test_a_rehearsal_on_a_bare_machine_runs_embedded_and_says_why(tmp_path: Path) -> None:
    clone = Clone.of_this_repository(tmp_path / "clone")
    printed = clone.dvc("exp", "run", "-S", "dummy=true", HF_ENDPOINT="http://127.0.0.1:9")
    assert "missing for your models" in printed
    assert len(clone.read("data/questions.jsonl").splitlines()) == 10
    metrics = {path.stem: json.loads(path.read_text()) for path in (clone.root / "metrics").glob("*.json")}
    assert set(metrics) == set(RECORDED)
    assert {scores["run"] for scores in metrics.values()} == {"embedded"}
    assert {scores["n"] for scores in metrics.values()} == {10}
    assert metrics["sft"]["verdict"] == "too few"


def test_metrics_are_one_readable_row_per_model(clone: Clone) -> None:
    lines = [line for line in clone.dvc("metrics", "show").splitlines() if line.strip()]
    assert len([line for line in lines if line.startswith("metrics/")]) == len(RECORDED)
    assert max(len(line) for line in lines) <= 120


def test_killing_the_whole_group_buys_nothing_again(tmp_path: Path) -> None:
    with OpenAIServer(latency_seconds=0.05) as server:
        clone = Clone.of_this_repository(tmp_path / "clone")
        clone.use_recorded_models(server.base_url, questions=40)
        params = clone.params()
        params["execution"]["judge"]["concurrency"] = 4
        params["compare"]["enabled"] = False
        clone.write_params(params)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        process = ended_with_test(subprocess.Popen(
            ["dvc", "repro"], cwd=clone.root, env=os.environ | {"PATH": path}, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ))  # fmt: skip
        while server.counts.paid.total() < 15 and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        clone.dvc("repro")
        assert server.counts.requests.total() <= 3 * 40 + 4


def test_planted_secrets_are_found_nowhere(clone: Clone, server: OpenAIServer) -> None:
    params = clone.params()
    params["judge"]["repeat"] = 1
    clone.write_params(params)
    printed = clone.dvc("repro", **SECRETS)
    (clone.root / ".env").write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    params["judge"]["repeat"] = 2
    clone.write_params(params)
    printed += clone.dvc("repro")
    assert server.counts.keys[f"Bearer {SECRETS['OPENAI_API_KEY']}"] == 2 * (18 + 24)
    clone.commit("A run with keys")
    files = [path for path in clone.root.rglob("*") if path.is_file() and path.name != ".env"]
    for secret in SECRETS.values():
        assert secret not in printed
        assert not [path for path in files if secret.encode() in path.read_bytes()]
