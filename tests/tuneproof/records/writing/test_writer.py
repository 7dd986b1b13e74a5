"""The ledger's thread where the ledger cannot be written: nothing that was handed over is lost."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.processes import ended_with_test
from tests.waiting import PATIENCE_SECONDS, wait_until
from tuneproof.common.errors import UserError
from tuneproof.records.ledger import Ledger
from tuneproof.records.writing import writer as writer_module
from tuneproof.records.writing.spill import Row, Spill, folders_of, is_ours
from tuneproof.records.writing.writer import Writer

ROWS: list[Row] = [(f"{number}", "batch", "{}") for number in range(5)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are a tenth of what they are."""
    monkeypatch.setattr(writer_module, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(writer_module, "LAST_TRIES_SECONDS", 0.3)
    monkeypatch.setattr(writer_module, "LONGEST_PAUSE_SECONDS", 0.1)


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every disk is full."""
    monkeypatch.setattr(Spill, "_append", lambda *_: False)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else writes the ledger, and takes long."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def held(path: Path) -> list[Path]:
    return [file for folder in folders_of(path) for file in folder.glob("*.jsonl")]


def test_handing_over_waits_for_no_lock(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        with locked(ledger.path):
            saved = ledger.record("a", "batch", {})
            time.sleep(0.5)
            assert not saved.done()
            assert len(held(ledger.path)) == 1
            later = ledger.record("b", "batch", {})
        saved.result(PATIENCE_SECONDS)
        later.result(PATIENCE_SECONDS)
        assert ledger.count() == 2
        assert held(ledger.path) == []


def test_many_results_are_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = 0

    def slow_insert(connection: sqlite3.Connection, rows: list[Row]) -> int:
        nonlocal commits
        commits += 1
        time.sleep(0.02)
        return len(rows)

    monkeypatch.setattr(writer_module, "insert", slow_insert)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for saved in [ledger.record(str(number), "batch", {}) for number in range(1000)]:
            saved.result(PATIENCE_SECONDS)
    assert commits < 20


def test_a_commit_is_synced(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        full = 2  # https://www.sqlite.org/pragma.html#pragma_synchronous
        assert ledger._connection.execute("PRAGMA synchronous").fetchone() == (full,)


def test_what_a_killed_run_could_not_write_the_next_one_takes_in(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    code = (
        "import sys, pathlib\n"
        "from tuneproof.records.ledger import Ledger\n"
        "ledger = Ledger(pathlib.Path(sys.argv[1]))\n"
        "saved = [ledger.record(str(number), 'batch', {'text': 'ä\\u2028'}) for number in range(3)]\n"
        "saved[0].result()\n"
    )
    with Ledger(path) as ledger:
        with locked(path):
            environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
            process = ended_with_test(subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment))
            wait_until(lambda: bool(held(path)) and held(path)[0].read_bytes() != b"", process)
            with Ledger(path) as beside:  # its process lives, and writes it itself
                assert beside.count() == 0
            time.sleep(0.3)
            process.send_signal(signal.SIGKILL)
            process.wait()
            with held(path)[0].open("ab") as file:
                file.write(b'{"key": "cut o')
        assert ledger.get("0") is None
    with Ledger(path) as ledger:
        assert ledger.get_many("012") == {key: {"text": "ä\u2028"} for key in "012"}
    assert held(path) == []


def test_an_interrupted_run_leaves_what_is_held_to_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    with locked(path):
        with pytest.raises(KeyboardInterrupt), ledger:
            saved = ledger.record("a", "batch", {})
            raise KeyboardInterrupt
        with pytest.raises(UserError, match="run again: the next start takes them into the ledger"):
            saved.result(0)
    assert "the next start takes them into the ledger" in capsys.readouterr().err
    with Ledger(path) as ledger:
        assert ledger.get("a") == {}


def test_patience_ends_where_the_results_are_safe(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).__exit__(None)
    with locked(path):
        writer = Writer(path, patience_seconds=0.3)
        with pytest.raises(UserError, match=r"cannot be written \(database is locked\); 5 results are kept in .*held"):
            [writer.record(row) for row in ROWS][-1].result(PATIENCE_SECONDS)
        writer.close(hurried=False)
    with Ledger(path) as ledger:
        assert ledger.count() == 5


@pytest.mark.usefixtures("no_disk")
def test_what_no_disk_takes_is_held_in_memory_beyond_all_patience(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).__exit__(None)
    writer = Writer(path, patience_seconds=0.1)
    with locked(path):
        saved = [writer.record(row) for row in ROWS]
        time.sleep(0.6)
        assert not any(one.done() for one in saved)
    saved[-1].result(PATIENCE_SECONDS)
    writer.close(hurried=False)


@pytest.mark.usefixtures("no_disk")
def test_what_no_disk_takes_at_the_end_of_an_interrupted_run_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    with locked(path), pytest.raises(KeyboardInterrupt), ledger:
        ledger.record("a", "batch", {})
        raise KeyboardInterrupt
    assert "1 results are lost" in capsys.readouterr().err


def test_a_disk_that_is_full_in_the_middle_of_a_line_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, written = tmp_path / "ledger.sqlite", os.write
    Ledger(path).__exit__(None)
    full = [False, True]

    def half(descriptor: int, data: bytes) -> int:
        if full and full.pop(0):
            written(descriptor, data[:7])
            raise OSError(28, "No space left on device")
        return written(descriptor, data)

    writer = Writer(path)
    with locked(path):
        monkeypatch.setattr("os.write", half)
        saved: list[Future[None]] = []
        for row in ROWS:
            saved.append(writer.record(row))
            time.sleep(0.3)
        lines = [json.loads(line)["key"] for line in held(path)[0].read_text().splitlines()]
        assert lines == [key for key, _, _ in ROWS]
    saved[-1].result(PATIENCE_SECONDS)
    writer.close(hurried=False)


def test_a_folder_that_others_may_write_into_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "held"
    folder.mkdir(mode=0o700)
    assert is_ours(folder)
    (folder / "1.jsonl").write_text('{"key": "a", "kind": "batch", "body": "{}"}\n')
    folder.chmod(0o777)
    assert not is_ours(folder)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.count() == 0
    folder.chmod(0o700)
    with (folder / "1.jsonl").open("a") as file:
        file.write('[]\n{"key": "b", "kind": "batch", "body": "["}\n')
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.count() == 1
