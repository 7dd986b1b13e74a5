"""Judging through kills and beside itself."""

import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.judging import rows_of, with_answers
from tests.pipeline.pipeline import Clone, run
from tests.processes import ended_with_test
from tests.servers.openai.faults import Faults
from tests.servers.openai.server import OpenAIServer
from tuneproof.common.windows import workers_for

pytestmark = pytest.mark.exhaustive


def recorded_replies(root: Path) -> set[str]:
    """The keys of the replies that the ledger holds."""
    with sqlite3.connect(root / ".cache" / "ledger.sqlite", timeout=30) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM results WHERE kind = 'reply'")}


def kill_when(process: subprocess.Popen[bytes], server: OpenAIServer, paid: int) -> None:
    """Kills a stage and all that it started once the server has given out so many replies."""
    while server.counts.paid.total() < paid and process.poll() is None:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("stage", ["judge", "compare"])
def test_ten_kills_buy_no_finished_reply_again(project: Project, stage: str) -> None:
    concurrency, kills, cases = 8, 10, 200
    answers = {"sft": [f"Answer {number}" for number in range(100 if stage == "compare" else 200)]}
    answers["baseline"] = ["No idea."] * len(answers["sft"])
    faults = Faults({"429": 0.05, "malformed": 0.05}, wait_seconds=0.05)
    draw = random.Random(4)
    with OpenAIServer(latency_seconds=0.05, latency_spread_seconds=0.04, faults=faults) as server:
        with_answers(project, server.base_url, answers, concurrency=concurrency, attempts=5)
        command, held = [sys.executable, str(ROOT / "scripts" / f"{stage}.py"), "sft"], set[str]()
        for kill in range(kills):
            process = ended_with_test(
                subprocess.Popen(command, cwd=project.root, stderr=subprocess.DEVNULL, start_new_session=True)
            )
            kill_when(process, server, paid=15 * (kill + 1) + draw.randrange(15))
            now = recorded_replies(project.root)
            assert held <= now
            held = now
        project.run_ok(f"{stage}.py", "sft")
        rows = rows_of(project, "judgements" if stage == "judge" else "comparisons", "sft")
        assert [row["status"] for row in rows] == ["ok"] * cases
        wanted = sum(len(row["replies"]) for row in rows)
        # What was in flight, and what had come and was not committed yet.
        assert server.counts.paid.total() <= wanted + workers_for(concurrency) * kills
        settled = server.counts.requests.total()
        project.run_ok(f"{stage}.py", "sft")
        assert server.counts.requests.total() == settled


def test_two_queued_experiments_at_once_share_the_ledger(tmp_path: Path) -> None:
    questions, concurrency = 40, 4
    with OpenAIServer(latency_seconds=0.1) as server:
        clone = Clone.of_this_repository(tmp_path / "clone")
        clone.use_recorded_models(server.base_url, questions=questions)
        params = clone.params()
        params["execution"]["judge"]["concurrency"] = concurrency
        clone.write_params(params)
        clone.commit("Settings")
        # Settings that are tracked and change no reply; other ones for each stage, since DVC's run cache can fail an
        # experiment where two end the same stage at once: it takes the other's unfinished file for a broken one.
        for name, coverage, tokens in (("first", 0.5, 100), ("second", 0.6, 200)):
            settings = ("-S", f"judge.min_coverage={coverage}", "-S", f"generate.sampling.max_tokens={tokens}")
            clone.dvc("exp", "run", "--queue", "--name", name, *settings)
        clone.dvc("queue", "start", "--jobs", "2")
        wait_for_queue(clone)
        logs = {name: clone.dvc("queue", "logs", name) for name in ("first", "second")}
        assert not [log for log in logs.values() if "locked" in log], logs
        bought = 3 * questions + 2 * 2 * questions
        assert bought <= server.counts.requests.total() <= bought + 2 * concurrency
        assert {"first", "second"} <= set(clone.dvc("exp", "list", "--name-only").split())


def wait_for_queue(clone: Clone, seconds: float = 600) -> None:
    """Waits until both experiments have succeeded."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        shown = run("dvc", "queue", "status", cwd=clone.root).stdout
        assert "Failed" not in shown, shown + clone.dvc("queue", "logs", "first") + clone.dvc("queue", "logs", "second")
        if len(re.findall(r"\bSuccess\b", shown)) == 2:
            return
        time.sleep(5)  # each look takes most of a second of a core that the experiments need
    raise AssertionError(shown)
