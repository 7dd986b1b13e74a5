import json
import math
import multiprocessing
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ended_with_test
from tuneproof.common.errors import UserError
from tuneproof.records.exchange import export_ledger, import_ledger
from tuneproof.records.ledger import Kind, Ledger, ledger_path


def answer(text: str) -> dict[str, Any]:
    return {"answer": text, "finish_reason": "stop"}


def test_the_first_result_of_a_key_stays(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.put("k", "answer", answer("first"))
        ledger.put("k", "answer", answer("second"))
        assert ledger.get("k") == answer("first")
        assert ledger.get("unknown") is None


def test_many_keys_are_found_at_once(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.put_many((str(number), "batch", {"n": number}) for number in range(1_700)) == 1_700
        found = ledger.get_many(str(number) for number in range(0, 2_000, 2))
        assert len(found) == 850
        assert found["1698"] == {"n": 1698}


def write_many(path: Path, writer: int) -> None:
    with Ledger(path) as ledger:
        for number in range(500):
            ledger.put(f"{writer}-{number}", "batch", {"n": number})


def test_four_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, writer)) for writer in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
        assert process.exitcode == 0
    with Ledger(path) as ledger:
        assert ledger.count() == 2_000


def test_an_export_comes_back_whole_and_adds_only_what_is_new(tmp_path: Path) -> None:
    with Ledger(tmp_path / "one.sqlite") as one, Ledger(tmp_path / "two.sqlite") as two:
        one.put("a", "answer", answer("ä\u2028"))
        one.put("b", "batch", {"scores": {"accuracy": 3}})
        two.put("a", "answer", answer("ä\u2028"))
        assert export_ledger(one, tmp_path / "export.jsonl") == 2
        assert import_ledger(two, tmp_path / "export.jsonl") == 1
        assert list(two.rows()) == list(one.rows())


def reply_of(status: str, scores: object) -> dict[str, Any]:
    return {
        "judge": "j", "model": "m", "attempt": 1, "status": status, "scores": scores, "probabilities": None,
        "analyses": None, "reply": None, "error": None, "prompt_tokens": 1, "reply_tokens": 1,
    }  # fmt: skip


BROKEN_LINES = [
    "{",
    "[]",
    '{"key": "x"}',
    '{"key": "x", "kind": "reply", "body": 3}',
    '{"key": "x", "kind": "unknown", "body": {}}',
    '{"key": "x", "kind": "answer", "body": {}}',
    '{"key": 3, "kind": "batch", "body": {}}',
    '{"key": "x", "kind": "answer", "body": {"answer": "a", "finish_reason": "weird"}}',
    '{"key": "x", "kind": "answer", "body": {"answer": null, "finish_reason": "stop"}}',
    "[" * 100_000,
    '{"key": "\\ud800", "kind": "batch", "body": {}}',
    '{"key": "x", "kind": "batch", "body": {"n": NaN}}',
    '{"key": "x", "kind": "batch", "body": {"n": Infinity}}',
    '{"key": "x", "kind": "batch", "body": {"n": ' + "[" * 100_000 + "}}",
    '{"key": "x", "kind": "answer", "body": {"answer": "a", "finish_reason": "stop", "answer_tokens": "3"}}',
    '{"key": "x", "kind": "answer", "body": {"answer": "a", "finish_reason": "stop", "answer_tokens": true}}',
    '{"key": "x", "kind": "answer", "body": {"answer": "\\ud800", "finish_reason": "stop"}}',
    *(
        json.dumps({"key": "x", "kind": "reply", "body": reply_of(status, scores)})
        for status, scores in (
            ("ok", None),
            ("ok", {}),
            ("ok", {"a": True}),
            ("ok", {"a": "3"}),
            ("ok", {"a": math.nan}),
            ("ok", {"a": 1e300}),
            ("ok", {"a": math.inf}),
            ("ok", {"a": None}),
            ("ok", {"a": [3]}),
            ("refused", {"a": 3}),
            ("ok", 3),
        )
    ),
    '{"key": "x", "kind": "reply", "body": {"judge": 3, "model": 0, "attempt": "a", "status": "fine", "scores": 1}}',
]


@pytest.mark.parametrize("line", BROKEN_LINES)
def test_a_broken_export_is_named_by_its_line_and_adds_nothing(line: str, tmp_path: Path) -> None:
    (tmp_path / "export.jsonl").write_text('{"key": "a", "kind": "batch", "body": {}}\n' + line + "\n")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        with pytest.raises(UserError, match="line 2: this is no ledger row"):
            import_ledger(ledger, tmp_path / "export.jsonl")
        assert ledger.count() == 0


def test_a_files_results_are_adopted_once_and_again_where_one_was_taken_out(tmp_path: Path) -> None:
    def results() -> Iterator[tuple[str, Kind, dict[str, Any]]]:
        reads.append(1)
        yield from ((str(number), "batch", {"n": number}) for number in range(2_500))

    reads: list[int] = []
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        assert [ledger.adopt("abc", results()) for _ in range(3)] == [2_500, 0, 0]
        assert len(reads) == 1
        assert ledger.adopt("another", results()) == 0
        assert len(reads) == 2
        ledger._connection.execute("DELETE FROM results WHERE key = '7'")
        assert ledger.adopt("abc", results()) == 1
    path.rename(tmp_path / "elsewhere")
    with Ledger(path) as ledger:
        assert ledger.adopt("abc", results()) == 2_500


def test_results_that_could_not_all_be_read_are_not_remembered(tmp_path: Path) -> None:
    def results() -> Iterator[tuple[str, Kind, dict[str, Any]]]:
        yield "a", "batch", {}
        raise UserError("the disk", "it is gone", "bring it back")

    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        with pytest.raises(UserError, match="it is gone"):
            ledger.adopt("abc", results())
        assert ledger.adopt("abc", [("a", "batch", {})]) == 1


def test_a_file_that_is_no_ledger_says_so(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("this is no database, and longer than a header " * 50)
    with pytest.raises(UserError, match="no usable ledger"):
        Ledger(tmp_path / "ledger.sqlite")


def test_the_ledger_lies_in_the_clone_also_for_a_temporary_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ledger_path() == tmp_path / ".cache" / "ledger.sqlite"
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    assert ledger_path() == Path("/elsewhere/.cache/ledger.sqlite")


def test_a_result_is_on_disk_when_put_returns(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.put("k", "answer", answer("a"))
        other = sqlite3.connect(path)
        assert other.execute("SELECT count(*) FROM results").fetchone() == (1,)
        other.close()


HALF_A_SURROGATE = r'{"answer": "a", "finish_reason": "stop", "more": {"\ud800": 1}}'


@pytest.mark.parametrize("body", ["{}", "no JSON", "[]", "3", "[" * 100_000, b"\xff", HALF_A_SURROGATE])
def test_a_row_that_another_program_wrote_is_told_and_set_aside_and_can_be_had_anew(
    body: str | bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        other = sqlite3.connect(ledger.path)
        other.execute("INSERT INTO results VALUES ('abc', 'answer', ?)", [body])
        other.commit()
        assert ledger.get("abc") is None
        [line] = capsys.readouterr().err.splitlines()
        assert "1 row is set aside and had anew (abc: " in line
        ledger.put("abc", "answer", answer("sound"))
        assert ledger.get("abc") == answer("sound")
        assert other.execute("SELECT key, kind, body FROM set_aside").fetchall() == [("abc", "answer", body)]
        other.close()


def test_a_full_disk_is_no_reason_to_move_the_ledger_away(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.put("a", "answer", answer("kept"))
        ledger._connection.execute("PRAGMA max_page_count = 3")  # SQLite's own way to a full disk
        with pytest.raises(UserError, match="free space") as caught:
            ledger.put_many([("b", "answer", answer("x" * 100_000))])
        assert "move the file away" not in str(caught.value)
        assert ledger.get("a") == answer("kept")


def test_results_for_which_the_disk_has_no_room_are_not_asked_for(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.require_space(10)
        with pytest.raises(UserError, match=r"its disk has .* MB left, and 1000000000000 results may take"):
            ledger.require_space(10**12)


def test_a_folder_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("")
    with pytest.raises(UserError, match="cannot be used now"):
        Ledger(tmp_path / ".cache" / "ledger.sqlite")


def test_an_export_into_a_link_or_a_pipe_leaves_it_what_it_is(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target.jsonl", tmp_path / "link.jsonl", tmp_path / "pipe"
    target.write_text("old")
    link.symlink_to(target)
    os.mkfifo(pipe)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.put("k", "batch", {"id": "b"})
        assert export_ledger(ledger, link) == 1
        assert link.is_symlink() and json.loads(target.read_text())["key"] == "k"
        reader = ended_with_test(subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True))
        assert export_ledger(ledger, pipe) == 1
        assert reader.stdout is not None and json.loads(reader.stdout.read())["key"] == "k"
        assert pipe.is_fifo()
        with pytest.raises(UserError, match="cannot be written"):
            export_ledger(ledger, tmp_path)
        assert export_ledger(ledger, Path(os.devnull)) == 1
        assert Path(os.devnull).is_char_device()
