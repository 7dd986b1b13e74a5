"""What a newcomer does first: the demonstration, the tests, a rehearsal - one after the other, in any order."""

import html
import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.browser import chromium, opened
from tests.own_settings import shipped
from tests.pipeline.pipeline import RECORDED, Clone, copy_files, run
from tests.servers.openai.server import OpenAIServer

NO_HUB = {"HF_HUB_OFFLINE": "1"}
RESULTS = {"dvc.lock", "metrics/", "report/plots/", "report/summary.md"}  # the README names them
# Some of each kind: settings, stages within the test's process, the real DVC, results, engines.
REPRESENTATIVE = (
    "tests/house/test_dvc_yaml.py",
    "tests/tuneproof/settings/test_params.py",
    "tests/tuneproof/scoring/judging/test_chains.py",
    "tests/stages/test_validate.py::test_the_embedded_world_replaces_questions_models_and_judge_together",
    "tests/stages/test_validate.py::test_answers_of_a_renamed_model_are_adopted",
    "tests/stages/test_judge.py::test_the_embedded_judge_scores_without_a_network",
    "tests/pipeline/test_pipeline.py::test_nothing_changed_runs_nothing",
)


def fresh_clone(root: Path) -> Clone:
    """The repository as a newcomer gets it: with the settings that it ships."""
    clone = Clone.of_this_repository(root)
    (root / "params.yaml").write_text(shipped("params.yaml"), encoding="utf-8")
    clone.commit("As shipped")
    return clone


def follow_to_the_commit(page: str, clone: Clone, stranger: Path) -> None:
    """Does what the page says to somebody who has only the page, up to the installation, and finds its commit."""
    [block] = re.findall(r'<pre class="commands".*?</pre>', page, flags=re.DOTALL)
    lines = [html.unescape(line) for line in re.findall(r"<code>(.*?)</code>", block)]
    assert lines[4:] == [
        "python3 -m venv .venv && source .venv/bin/activate &&",
        "pip install -r requirements/base.txt -c requirements/constraints.txt &&",
        "dvc repro",
    ]
    stranger.mkdir()
    (stranger / "index.html").write_text(page, encoding="utf-8")
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{clone.root.as_uri()}.insteadOf"}
    git |= {"GIT_CONFIG_VALUE_0": "https://example.org/team/evaluation.git", "PATH": os.environ["PATH"]}
    done = run("bash", "-e", "-c", "\n".join([*lines[:4], "true"]), cwd=stranger, **git)
    assert done.returncode == 0, done.stderr
    found = run("git", "rev-parse", "HEAD", cwd=stranger / "evaluation").stdout
    assert found == clone.git("rev-parse", "HEAD~1"), "the page's commands get its commit"


def test_the_demonstration_changes_no_tracked_file_and_runs_once(tmp_path: Path) -> None:
    clone = fresh_clone(tmp_path / "clone")
    clone.git("remote", "add", "origin", "https://its-owner:a-secret@example.org/team/evaluation.git")
    said = clone.dvc("repro", **NO_HUB)
    assert "set `embedded: false` in params.yaml" in said
    empty = re.findall(r"'(\S+)' is empty", said)  # as DVC warns of each file without rows: once, and of no other
    assert sorted(empty) == [
        "data/benchmarks/baseline.jsonl",
        "data/benchmarks/dpo.jsonl",
        "data/benchmarks/sft.jsonl",
        "data/comparisons/baseline.jsonl",
    ]  # no harness is here
    assert set(clone.git("status", "--short").replace("?? ", "").split()) == RESULTS
    metrics = json.loads(clone.read("metrics/sft.json"))
    assert (metrics["run"], metrics["n"], metrics["verdict"]) == ("embedded", 40, "better")
    assert json.loads(clone.read("metrics/baseline.json"))["style"] < 1.6, "what says nothing is no good style"
    assert clone.stages_run(**NO_HUB) == set()
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", "Results")
    clone.git("commit", "--quiet", "--allow-empty", "--message", "Later")
    page = (clone.root / "report/index.html").read_text()
    assert "a-secret" not in page and "its-owner" not in page
    follow_to_the_commit(page, clone, tmp_path / "stranger")
    with chromium() as browser, opened(browser, clone.root / "report/index.html", width=1440) as watched:
        watched.page.wait_for_timeout(100)
        assert watched.page.locator(".scroll-hint:visible").count() == 0, "every table fits a large screen"


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", ["repro", "exp run --quiet", "exp run --quiet -S dummy=true"])
def test_a_first_own_run_begins_with_what_validate_says(tmp_path: Path, command: str) -> None:
    """DVC checks all outs out before an experiment, and warns of each that no dvc.lock has."""
    with OpenAIServer() as server:
        clone = Clone.of_this_repository(tmp_path / "clone")
        clone.use_served_models(server.base_url)
        clone.commit("Our models")
        done = run("dvc", *command.split(), cwd=clone.root, **NO_HUB)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No file hash info" not in done.stdout + done.stderr
    assert re.match("(warning: )?validate: ", done.stderr), done.stderr
    empty = re.findall(r"'(\S+)' is empty", done.stderr)
    assert len(empty) == len(set(empty)) <= 3, empty  # the baseline's pairs, and each model's items of no benchmark
    assert json.loads(clone.read("metrics/sft.json"))["run"] == ("dummy" if "dummy" in command else "real")


@pytest.mark.exhaustive
def test_a_rehearsal_follows_the_demonstration_and_the_demonstration_the_rehearsal(tmp_path: Path) -> None:
    clone = fresh_clone(tmp_path / "clone")
    clone.dvc("repro", **NO_HUB)
    metrics = json.loads(clone.read("metrics/sft.json"))
    said = clone.dvc("exp", "run", "-S", "dummy=true", **NO_HUB)
    assert "this machine cannot rehearse with your models" in said
    assert "there is no OPENAI_API_KEY for the judge" in said
    assert {json.loads(clone.read(f"metrics/{model}.json"))["n"] for model in RECORDED} == {10}
    assert clone.git("diff", "--numstat", "params.yaml").split() == ["1", "1", "params.yaml"]
    clone.git("checkout", "params.yaml")
    clone.dvc("repro", **NO_HUB)
    assert json.loads(clone.read("metrics/sft.json")) == metrics


@pytest.mark.exhaustive
def test_the_tests_pass_beside_a_dirty_failed_half_finished_workspace(tmp_path: Path) -> None:
    clone = fresh_clone(tmp_path / "clone")
    copy_files(clone.root, "tests")
    clone.commit("With its tests")
    half = '{"id": "q1", "ans'
    broken = {
        "params.yaml": "embedded: [", "dvc.lock": "stages: {validate: nothing}", "data/pins.json": "{",
        ".cache/ledger.sqlite": "no database", "data/questions.jsonl": half, "data/answers/sft.jsonl": half,
        "data/resolved/sft.json": "{", "metrics/sft.json": "{", "report/index.html": "", "my-questions.jsonl": half,
        "report/plots/scores.csv": "model,", "my-model/model.safetensors": "a pointer", ".env": "OPENAI_API_KEY",
    }  # fmt: skip
    for name, text in broken.items():
        (clone.root / name).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / name).write_text(text)
    done = run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *REPRESENTATIVE,
        cwd=clone.root, **NO_HUB, OMP_NUM_THREADS="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert {name: (clone.root / name).read_text() for name in broken} == broken
