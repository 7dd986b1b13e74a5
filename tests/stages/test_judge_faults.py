"""What the world does to a judge stage that buys: every reply that came is recorded, and none is bought twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.judging import rows_of, with_answers
from tests.processes import ended_with_test
from tests.servers.openai.faults import BODY_FAULTS, Faults
from tests.servers.openai.server import OpenAIServer
from tests.stages.test_judge_money import PRICES, ledger_rows
from tests.waiting import PATIENCE_SECONDS, wait_until
from tuneproof.scoring.judging import chains

ANSWERS = {"sft": [f"Answer {number}." for number in range(60)]}
LATENCY_SECONDS = 0.5


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(latency_seconds=LATENCY_SECONDS) as running:
        yield running


@pytest.fixture
def judging(project: Project, server: OpenAIServer) -> Project:
    """A project whose judge takes its time."""
    return with_answers(project, server.base_url, ANSWERS, concurrency=20)


def start(project: Project, **streams: Any) -> "subprocess.Popen[str]":
    """The judge stage as a process of its own."""
    streams = {"stderr": subprocess.PIPE} | streams
    command = [sys.executable, str(ROOT / "scripts" / "judge.py"), "sft"]
    return ended_with_test(subprocess.Popen(command, cwd=project.root, text=True, start_new_session=True, **streams))


def wait_until_in_flight(server: OpenAIServer, requests: int) -> None:
    wait_until(lambda: server.counts.in_flight >= requests)


@pytest.mark.parametrize("fault", BODY_FAULTS)
def test_an_odd_body_is_counted_recorded_and_asked_for_within_the_attempts_only(project: Project, fault: str) -> None:
    with OpenAIServer(faults=Faults(stuck={fault: 1.0})) as server:
        with_answers(project, server.base_url, {"sft": ["Fine."]}, prices=PRICES, attempts=3)
        said = project.run_ok("judge.py", "sft")
        unreadable = fault in ("invalid_body", "no_choices")
        bought = 3 if unreadable else 1
        assert server.counts.requests.total() == ledger_rows(project) == bought
        assert f"bought {bought} replies" in said
        (row,) = rows_of(project, "judgements", "sft")
        assert row["status"] == ("unreadable" if unreadable else "ok")
        if unreadable:
            assert "the answer is no chat completion" in row["replies"][0]["error"]
        project.run_ok("judge.py", "sft")
        assert server.counts.requests.total() == bought


def test_what_makes_the_reader_of_replies_fail_is_recorded_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    with OpenAIServer() as server:
        with_answers(project, server.base_url, {"sft": ["Fine."]}, attempts=1)
        monkeypatch.setattr(chains, "read_reply", fails)
        project.run_ok("judge.py", "sft")
        (row,) = rows_of(project, "judgements", "sft")
        assert row["replies"][0]["error"] == "it cannot be read (ZeroDivisionError: a bug)"


def test_a_process_that_was_stopped_buys_nothing_again(judging: Project, server: OpenAIServer) -> None:
    judging.set(execution__judge__timeout_seconds=1.0)
    with start(judging) as process:
        wait_until_in_flight(server, 20)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate()
    assert process.returncode == 0, said
    assert server.counts.requests.total() == 60


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.exhaustive)])
def test_a_signal_keeps_what_is_in_flight_and_ends_with_one_line(
    judging: Project, server: OpenAIServer, number: signal.Signals
) -> None:
    with start(judging) as process:
        wait_until_in_flight(server, 20)
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == 128 + number
    assert said.splitlines()[-1].startswith("interrupted; what was finished is kept")
    assert "Traceback" not in said
    paid = server.counts.paid.total()
    assert server.counts.requests.total() == paid == ledger_rows(judging) < 60
    judging.run_ok("judge.py", "sft")
    assert server.counts.requests.total() == 60


def test_a_second_signal_does_not_wait(project: Project) -> None:
    with OpenAIServer(latency_seconds=PATIENCE_SECONDS) as server:
        with_answers(project, server.base_url, ANSWERS, concurrency=20, timeout_seconds=2 * PATIENCE_SECONDS)
        with start(project) as process:
            wait_until_in_flight(server, 20)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate()
        assert process.returncode == 130, said
        assert server.counts.paid.total() == 0, "it waited for the replies"
        assert "Traceback" not in said


@pytest.mark.exhaustive
def test_a_standard_error_that_cannot_be_written_ends_nothing(judging: Project, server: OpenAIServer) -> None:
    with Path("/dev/full").open("w") as full, start(judging, stderr=full) as process:
        assert process.wait() == 0
    assert server.counts.requests.total() == len(rows_of(judging, "judgements", "sft")) == 60


def test_a_standard_error_that_is_closed_ends_nothing_and_is_no_file_of_the_run(
    judging: Project, server: OpenAIServer
) -> None:
    command = f"exec {sys.executable} {ROOT / 'scripts' / 'judge.py'} sft 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=judging.root, stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert server.counts.requests.total() == len(rows_of(judging, "judgements", "sft")) == 60


@pytest.mark.exhaustive
def test_a_reader_of_standard_error_that_dies_ends_nothing(judging: Project, server: OpenAIServer) -> None:
    read, write = os.pipe()
    with start(judging, stderr=write) as process:
        os.close(write)
        wait_until_in_flight(server, 20)
        os.close(read)
        assert process.wait() == 0
    assert server.counts.requests.total() == len(rows_of(judging, "judgements", "sft")) == 60


def test_an_error_line_that_cannot_be_shown_still_exits_with_1(project: Project) -> None:
    with Path("/dev/full").open("w") as full, start(project, stderr=full) as process:
        assert process.wait() == 1


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").glob("*.py")))
def test_ctrl_c_while_a_script_loads_prints_no_traceback(script: str, tmp_path: Path) -> None:
    # The signal comes as soon as the first of the project's own modules is imported.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('tuneproof.') and not name.startswith('tuneproof.common'):\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(ROOT / "scripts" / script), "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "interrupted; what was finished is kept, run the same command again "
                                                   "to go on\n")  # fmt: skip


def test_a_ledgers_folder_of_locks_that_is_none_is_told_of_as_such(judging: Project) -> None:
    (judging.root / ".cache" / "claims").mkdir()
    line = judging.error_line("judge.py", "sft")
    assert ".cache/claims: this file of locks cannot be opened (Is a directory)" in line


def test_validate_leaves_alone_what_a_stage_is_writing(judging: Project) -> None:
    slow = (
        "import pathlib, sys, time\n"
        "from tuneproof.common.files import write_lines\n"
        "def lines():\n"
        "    yield 'a'\n"
        "    print('writing', flush=True)\n"
        "    sys.stdin.readline()\n"
        "write_lines(pathlib.Path('data/judgements/sft.jsonl'), lines())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    with subprocess.Popen(
        [sys.executable, "-c", slow], cwd=judging.root, env=environment, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == "writing\n"
        assert list((judging.root / "data" / "judgements").iterdir()) == []
        judging.run_ok("validate.py")
        process.communicate("go on\n")
    assert process.returncode == 0
    assert (judging.root / "data" / "judgements" / "sft.jsonl").read_text() == "a"
