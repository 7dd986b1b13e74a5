"""The commands of the documentation that look at a finished run, as they stand there, on one demonstration."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.pipeline.pipeline import Clone, run
from tests.pipeline.test_first_run import fresh_clone
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.exhaustive

NO_HUB = {"HF_HUB_OFFLINE": "1"}
EXPERIMENT = "dvc exp run -S generate.sampling.temperature=0.2"
ONLY_CHANGED = (
    "dvc exp show --only-changed --drop 'checks|data|report|scripts|tasks|Created|.*:(?!gain|win_rate|ship|verdict)'"
)
# In this order, and what each prints, as a pattern.
COMMANDS = {
    "make results": r"^sft +accuracy +\d",
    "make experiments": r"generate\.sampling\.temperature=0\.2 +accuracy [+-]",
    "make timeline": r"^generate sft +answers +",
    "make ledger-export": r"^wrote \d+ results to ledger\.jsonl",
    "make ledger-import": r"^added 0 results from ledger\.jsonl",
    "dvc metrics show": r"^metrics/sft\.json ",
    "dvc metrics diff": r"^metrics/sft\.json +gain\.accuracy ",
    "dvc exp show": r"workspace",
    ONLY_CHANGED: r"gain\.accuracy",
    "dvc plots show": r"dvc_plots/index\.html",
    "dvc plots diff": r"dvc_plots/index\.html",
    "dvc plots diff <revision>": r"dvc_plots/index\.html",
    "dvc status": r"validate:\n\s+always changed",
    "dvc repro --dry --allow-missing": r"validate",
    "dvc repro": r"Running stage 'validate'",
    "python scripts/gate.py --against main": r"^Gate: ",
    "python scripts/gate.py --against <revision>": r"^Gate: ",
    "python scripts/gate.py --against <experiment> --model sft --markdown": r"^\*\*Gate: no regression",
    "python scripts/report.py --against main": r"wrote report/changes\.html",
    "python scripts/report.py --against <revision>": r"wrote report/changes\.html",
    "python scripts/report.py --against <revision or experiment>": r"wrote report/changes\.html",
    "python scripts/report.py": r"wrote report/index\.html",
    "python scripts/describe.py": r"wrote report/model-index",
    "python scripts/describe.py --inspect": r"wrote report/inspect",
    "python scripts/validate.py --update": r"validate: ",
    "python scripts/generate.py <model>": r"generate sft: ",
    "python scripts/generate.py sft": r"generate sft: ",
    "python scripts/judge.py sft": r"judge sft: ",
    "python scripts/compare.py <model>": r"compare sft: ",
    "python scripts/aggregate.py": r"aggregate: ",
    "python scripts/annotate.py --export labels.csv": r"wrote \d+ items and 0 labels",
    "python scripts/annotate.py --import labels.csv": r"0 labels",
    "python scripts/annotate.py --plan": r"^annotate: \d+ decisions are open",
    "python scripts/train.py accuracy": r"wrote data/evaluator/accuracy",
    "mkdir -p evaluators && cp -r data/evaluator/accuracy evaluators/accuracy": r"",
    "python scripts/score.py --evaluator data/evaluator/accuracy answers.csv": r"wrote answers\.scored\.csv",
    "dvc repro --single-item --force benchmark && dvc repro": r"Running stage 'benchmark@sft'",
    "dvc exp apply <experiment>": r"applied",
}
SERVERS = ("make annotate", "make annotate RATER=anna", "python scripts/annotate.py --rater anna")
CANNOT_TELL = 2


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A committed demonstration, made as the README says, and an experiment after it that is still there."""
    clone = fresh_clone(tmp_path_factory.mktemp("commands") / "clone")
    clone.pretend_set_up()
    (clone.root / ".venv" / ".serving-is-installed").touch()
    done = shell("make demo", clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every answer side by side:  report/index.html" in done.stdout
    clone.commit("First results")
    done = shell(EXPERIMENT, clone)
    assert done.returncode == 0, done.stdout + done.stderr
    params = (clone.root / "params.yaml").read_text(encoding="utf-8")
    assert "  criteria: {} " in params
    named = params.replace("  criteria: {} ", "  criteria: {accuracy: {}} ")  # as docs/evaluator.md has it before train
    (clone.root / "params.yaml").write_text(named, encoding="utf-8")
    (clone.root / "answers.csv").write_text("input,output\nWhy batch?,It keeps the GPU busy.\n")
    return clone


def shell(command: str, clone: Clone) -> "subprocess.CompletedProcess[str]":
    """Runs a command as it stands in the documentation, its placeholders filled."""
    experiment = run("dvc", "exp", "list", "--name-only", cwd=clone.root).stdout.split()
    values = {"<revision or experiment>": "main", "<revision>": "main", "<model>": "sft"}
    values |= {"<experiment>": experiment[0]} if experiment else {}
    for placeholder, value in values.items():
        command = command.replace(placeholder, value)
    return run("bash", "-c", command, cwd=clone.root, **NO_HUB)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works_on_a_finished_run(workspace: Clone, command: str) -> None:
    done = shell(command, workspace)
    said = done.stdout + done.stderr
    assert done.returncode == 0 or ("gate.py" in command and done.returncode == CANNOT_TELL), said
    assert re.search(COMMANDS[command], said, re.MULTILINE), said


@pytest.mark.parametrize("command", SERVERS)
def test_a_page_for_raters_is_served_until_it_is_interrupted(workspace: Clone, command: str) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with subprocess.Popen(
        command.split(), cwd=workspace.root, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as started:
        try:
            assert started.stdout
            address = re.search(r"http://127\.0\.0\.1:\d+/\S+", started.stdout.readline())
            assert address
            with urllib.request.urlopen(address[0], timeout=PATIENCE_SECONDS) as page:  # noqa: S310 (of this machine)
                assert b"<html" in page.read()
        finally:
            os.killpg(started.pid, signal.SIGINT)
