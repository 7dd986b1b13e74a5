"""A thousand replies through everything that has been seen to lose some: counted at the server."""

import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.judging import rows_of, with_answers
from tests.pipeline.test_judging import kill_when, recorded_replies
from tests.processes import ended_with_test
from tests.servers.openai.server import OpenAIServer
from tuneproof.common.windows import workers_for

pytestmark = pytest.mark.exhaustive

REPLIES, CONCURRENCY, KILLS = 1_000, 20, 20
STOPPED_SECONDS, LOCKED_SECONDS, FULL_SECONDS = 8.0, 45.0, 30.0
TIMEOUT_SECONDS = 5.0
CACHE_BYTES = 64_000_000


@pytest.fixture
def on_a_small_disk(project: Project) -> Iterator[bool]:
    """Has the ledger on a disk of its own that can be filled; false where this user may mount none."""
    cache = project.root / ".cache"
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={CACHE_BYTES}", "tmpfs", str(cache)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield mounted
    if mounted:
        subprocess.run(["umount", str(cache)], check=True)


@contextmanager
def full_disk(process: "subprocess.Popen[bytes]", cache: Path, small: bool) -> Iterator[None]:
    """The ledger's disk is full; where it cannot be filled, the process may write to no file at all."""
    if not small:
        before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        yield
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)
        return
    filler = cache / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"\0" * 4096)
    yield
    filler.unlink()


@contextmanager
def locked(ledger: Path) -> Iterator[None]:
    """Somebody else writes the ledger."""
    other = sqlite3.connect(ledger, isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def wait_for_more(server: OpenAIServer, process: "subprocess.Popen[bytes]", replies: int) -> None:
    """Waits until the server has given out so many more, and has some more on the way."""
    goal = server.counts.paid.total() + replies
    while server.counts.paid.total() < goal or server.counts.in_flight < CONCURRENCY // 2:
        assert process.poll() is None
        time.sleep(0.005)


def asks_nothing(server: OpenAIServer, seconds: float) -> None:
    """Lets time pass, in which after a while nothing more may be asked."""
    time.sleep(seconds / 2)
    before = server.counts.requests.total()
    time.sleep(seconds / 2)
    assert server.counts.requests.total() == before


def test_no_reply_that_came_is_bought_again(project: Project, on_a_small_disk: bool, tmp_path: Path) -> None:
    answers = {"sft": [f"Answer {number}" for number in range(REPLIES)]}
    command = [sys.executable, str(ROOT / "scripts" / "judge.py"), "sft"]
    cache, draw, lost = project.root / ".cache", random.Random(7), 0
    settings = {"concurrency": CONCURRENCY, "timeout_seconds": TIMEOUT_SECONDS, "served_as": "judge"}
    with OpenAIServer(latency_seconds=0.5, latency_spread_seconds=0.4) as server:
        with_answers(project, server.base_url, answers, **settings)
        for _ in range(KILLS):
            process = ended_with_test(
                subprocess.Popen(command, cwd=project.root, stderr=subprocess.DEVNULL, start_new_session=True)
            )
            kill_when(process, server, paid=server.counts.paid.total() + 10 + draw.randrange(20))
            while server.counts.in_flight:
                time.sleep(0.01)
            now_lost = server.counts.paid.total() - len(recorded_replies(project.root))
            assert now_lost - lost <= workers_for(CONCURRENCY), "at most what was in flight, or not committed yet"
            lost = now_lost

        with (tmp_path / "said").open("wb") as said:
            process = ended_with_test(subprocess.Popen(command, cwd=project.root, stderr=said))
        for _ in range(3):
            wait_for_more(server, process, 40)
            process.send_signal(signal.SIGSTOP)
            time.sleep(STOPPED_SECONDS)
            process.send_signal(signal.SIGCONT)
        wait_for_more(server, process, 40)
        with locked(cache / "ledger.sqlite"):
            asks_nothing(server, LOCKED_SECONDS)
        wait_for_more(server, process, 40)
        with full_disk(process, cache, on_a_small_disk):
            asks_nothing(server, FULL_SECONDS)
        assert process.wait() == 0, (tmp_path / "said").read_text()
        assert server.counts.paid.total() == server.counts.requests.total() == REPLIES + lost
        assert (tmp_path / "said").read_text().count("the ledger can be written again") == 2
        assert [row["status"] for row in rows_of(project, "judgements", "sft")] == ["ok"] * REPLIES

        (tmp_path / "undisturbed").mkdir()
        undisturbed = with_answers(Project(tmp_path / "undisturbed"), server.base_url, answers, **settings)
        undisturbed.set(execution__judge__concurrency=200)
        undisturbed.run_ok("judge.py", "sft")
        file = Path("data/judgements/sft.jsonl")
        assert (project.root / file).read_bytes() == (undisturbed.root / file).read_bytes()
