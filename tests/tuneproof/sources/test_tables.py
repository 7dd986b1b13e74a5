"""Tables from files of this machine and from Hub datasets, through the `datasets` library."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import close_session, constants

from tests.servers.hub.client import use_hub
from tests.servers.hub.server import HubServer, running_hub
from tuneproof.common.errors import UserError
from tuneproof.sources.hub import repositories as hub
from tuneproof.sources.hub.downloads import Resolved
from tuneproof.sources.hub.pins import Pins
from tuneproof.sources.tables import is_local_table, load_hub_table, load_local_table

ROWS: list[dict[str, Any]] = [{"instruction": "What is LoRA?", "output": "Low-rank adapters.", "source": "a"},
        {"instruction": "Was ist ein Gradient? Kürzer?", "output": None, "source": "b"}]  # fmt: skip


def parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    import json

    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def csv_text(rows: list[dict[str, Any]]) -> bytes:
    lines = ["instruction,output,source", *(",".join(f'"{value or ""}"' for value in row.values()) for row in rows)]
    return "\n".join(lines).encode()


# --- Files of this machine ---


@pytest.mark.parametrize(("suffix", "write"), [(".jsonl", json_lines), (".csv", csv_text), (".parquet", parquet)])
def test_each_format_gives_the_same_rows_with_only_the_columns_asked_for(
    suffix: str, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / f"my questions [1]{suffix}"
    file.write_bytes(write(ROWS))
    expected = [{"instruction": row["instruction"], "output": row["output"]} for row in ROWS]
    assert load_local_table(file, ["instruction", "output"]) == expected
    assert list(tmp_path.iterdir()) == [file]  # no cache beside it


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    for text in ("first", "other"):
        file.write_bytes(json_lines([{"instruction": text}]))
        assert load_local_table(file, ["instruction"]) == [{"instruction": text}]


def test_a_csv_field_is_taken_literally(tmp_path: Path) -> None:
    file = tmp_path / "questions.csv"
    file.write_bytes(b'\xef\xbb\xbfid,instruction,output\n007,"one,\ntwo",NA\n1e3,null,\n')
    assert load_local_table(file, ["id", "instruction", "output"]) == [
        {"id": "007", "instruction": "one,\ntwo", "output": "NA"},
        {"id": "1e3", "instruction": "null", "output": None},
    ]


@pytest.mark.parametrize("value", ["2024-01-01", "2024-01-01T10:00:00Z", "007", "NA", "", 7, True, None])
def test_a_json_lines_field_is_taken_literally(value: Any, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    rows = [{"instruction": "Which day?", "output": value}, {"instruction": "And then?", "output": value}]
    file.write_bytes(json_lines(rows))
    assert load_local_table(file, ["instruction", "output"]) == rows


@pytest.mark.parametrize(("suffix", "write"), [(".jsonl", json_lines), (".parquet", parquet)])
def test_what_is_no_number_is_missing(suffix: str, write: Any, tmp_path: Path) -> None:
    file = tmp_path / f"questions{suffix}"
    file.write_bytes(write([{"instruction": "a", "output": float("nan")}, {"instruction": "b", "output": 1.5}]))
    assert [row["output"] for row in load_local_table(file, ["output"])] == [None, 1.5]


def test_a_row_that_lacks_a_column_has_null_there(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes(b'{"instruction": "a"}\n{"instruction": "b", "output": "c"}\n')
    assert [row["output"] for row in load_local_table(file, ["output"])] == [None, "c"]
    assert load_local_table(file, None)[0] == {"instruction": "a", "output": None}


BROKEN = [
    ("a.jsonl", b"", "the file is empty"),
    ("a.jsonl", b"\n \n", "the file has no rows"),
    ("a.jsonl", b'{"instruction": "a"}\n{"instruction": \n', "line 2: this is not JSON"),
    ("a.jsonl", b'{"instruction": "a"}\n\n[1]\n', "line 3: this is not a JSON object"),
    ("a.jsonl", b"\x7fELF\x02\x01\xff\xfe\n", "line 1: this is not JSON"),
    ("a.jsonl", b'{"instruction": "\\ud800"}\n', "line 1: this is not JSON"),
    ("a.jsonl", b'{"instruction": ' + b"7" * 5_000 + b"}\n", "line 1: this is not JSON"),
    ("a.jsonl", b"[" * 100_000, "line 1: this is not JSON"),
    ("a.jsonl", b'{"question": "a"}\n', "there is no column instruction, only question"),
    ("a.csv", b"", "the file is empty"),
    ("a.csv", b"instruction,output\n", "the file has no rows"),
    ("a.csv", b"instruction,output\na,b\nc,d,e\n", "line 3: there are 3 fields under a header of 2"),
    ("a.csv", b'instruction,output\na,b\n"c,d\n', "this is not CSV in UTF-8"),
    ("a.csv", "instruction\nGrüße\n".encode("latin-1"), "this is not CSV in UTF-8"),
    ("a.csv", b"\ninstruction,output,instruction\na,b,c\n", "the column 'instruction' stands there twice"),
    ("a.csv", b"question,output\na,b\n", "there is no column instruction, only question, output"),
    ("a.parquet", b"PAR1 but no more", "it cannot be read as a table"),
    ("a.parquet", parquet([{"question": "a"}]), "there is no column instruction, only question"),
    ("a.parquet", parquet([{"instruction": "a"}])[:-20], "it cannot be read as a table"),
]


@pytest.mark.parametrize(("name", "content", "says"), BROKEN)
def test_a_broken_file_stops_with_one_line_that_says_where(
    name: str, content: bytes, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UserError) as stopped:
        load_local_table(file, ["instruction"])
    assert says in str(stopped.value)
    assert str(file) in stopped.value.where
    assert str(stopped.value).isprintable()
    assert capfd.readouterr().err == ""


def test_a_missing_file_stops(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        load_local_table(tmp_path / "nowhere.csv", ["instruction"])


@pytest.mark.parametrize(
    ("dataset", "local"),
    [("data/mine.jsonl", True), ("mine.CSV", True), ("/abs/mine.parquet", True), ("mlabonne/llmtwin", False)],
)
def test_a_dataset_is_a_file_when_it_ends_like_one(dataset: str, local: bool) -> None:
    assert is_local_table(dataset) == local


# --- The Hub ---

CARD_WITH_SPLITS = b"""---
configs:
- config_name: default
  data_files:
  - {split: train, path: first.jsonl}
  - {split: test, path: second.jsonl}
---
# Data
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with running_hub() as running:
        use_hub(running, monkeypatch, tmp_path)
        yield running
        close_session()


def resolved(server: HubServer, tmp_path: Path, files: dict[str, bytes]) -> Resolved:
    server.hub.add("dataset", "team/data", files)
    return hub.resolve_dataset("team/data", "main", None, Pins(tmp_path / "pins.json"))


@pytest.mark.parametrize(
    "files",
    [
        {"data/test-00000-of-00001.parquet": parquet(ROWS), "data/train-00000-of-00001.parquet": parquet(ROWS[:1])},
        {"test.jsonl": json_lines(ROWS), "train.jsonl": json_lines(ROWS[:1])},
        {"first.jsonl": json_lines(ROWS[:1]), "second.jsonl": json_lines(ROWS), "README.md": CARD_WITH_SPLITS},
    ],
    ids=["parquet", "JSON Lines", "splits named in the card"],
)
def test_a_split_of_a_hub_dataset_is_read(files: dict[str, bytes], server: HubServer, tmp_path: Path) -> None:
    data = resolved(server, tmp_path, files)
    assert load_hub_table(data, "test", ["instruction"]) == [{"instruction": row["instruction"]} for row in ROWS]


def test_the_pinned_commit_is_read_after_the_branch_has_moved(server: HubServer, tmp_path: Path) -> None:
    data = resolved(server, tmp_path, {"test.jsonl": json_lines(ROWS)})
    server.hub.repositories["dataset", "team/data"].commit({"test.jsonl": json_lines(ROWS[:1])})
    assert len(load_hub_table(data, "test", ["instruction"])) == 2


def test_what_was_read_once_is_read_offline(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = resolved(server, tmp_path, {"test.parquet": parquet(ROWS)})
    online = load_hub_table(data, "test", ["instruction"])
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(server.requests)
    assert load_hub_table(data, "test", ["instruction"]) == online
    assert len(server.requests) == asked


def test_a_missing_split_names_those_there_are(server: HubServer, tmp_path: Path) -> None:
    data = resolved(server, tmp_path, {"train.jsonl": json_lines(ROWS), "validation.jsonl": json_lines(ROWS)})
    with pytest.raises(UserError, match="dataset team/data: there is no split test, only train, validation"):
        load_hub_table(data, "test", ["instruction"])


def test_a_missing_column_names_those_there_are(server: HubServer, tmp_path: Path) -> None:
    data = resolved(server, tmp_path, {"test.jsonl": json_lines(ROWS)})
    with pytest.raises(UserError, match="there is no column answer, only instruction, output, source"):
        load_hub_table(data, "test", ["instruction", "answer"])


def test_code_in_a_dataset_is_not_run(server: HubServer, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    script = f"open({str(mark)!r}, 'w').close()\n".encode()
    data = resolved(server, tmp_path, {"data.py": script, "data/data.py": script, "test.jsonl": json_lines(ROWS)})
    assert len(load_hub_table(data, "test", ["instruction"])) == 2
    assert not mark.exists()


def test_a_broken_file_of_a_hub_dataset_stops(server: HubServer, tmp_path: Path) -> None:
    data = resolved(server, tmp_path, {"test.parquet": b"no parquet"})
    with pytest.raises(UserError, match="dataset team/data: it cannot be read as a table"):
        load_hub_table(data, "test", ["instruction"])


# --- Encodings ---


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    for name, text in (("a.csv", "id,answer\r\n001,x\r\n"), ("a.jsonl", '{"id": "001", "answer": "x"}\r\n')):
        (tmp_path / name).write_bytes(text.encode("utf-8-sig"))
        for columns in (None, ["id", "answer"]):
            assert load_local_table(tmp_path / name, columns) == [{"id": "001", "answer": "x"}]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_file_in_utf_16_is_named_as_such(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("id,answer\n1,x\n", encoding="utf-16")
    with pytest.raises(UserError, match="it is written in UTF-16; save it in UTF-8"):
        load_local_table(tmp_path / name, None)


def test_wanted_columns_come_where_they_are_there(tmp_path: Path) -> None:
    for name, text in (("a.csv", "q,input\nWhy?,x\n"), ("a.jsonl", '{"q": "Why?", "input": "x"}\n')):
        (tmp_path / name).write_text(text)
        assert load_local_table(tmp_path / name, ["q"], wanted=("input", "context")) == [{"q": "Why?", "input": "x"}]


# --- Subsets ---

SUBSETS = b"""---
configs:
- config_name: easy
  data_files: [{split: test, path: easy.jsonl}]
- config_name: hard
  data_files: [{split: test, path: hard.jsonl}]
---
"""


def test_a_subset_is_chosen_by_name_and_one_that_is_not_named_or_not_there_is_asked_for(
    server: HubServer, tmp_path: Path
) -> None:
    files = {"README.md": SUBSETS, "easy.jsonl": b'{"q": "1 + 1?"}\n', "hard.jsonl": b'{"q": "Why?"}\n'}
    two = resolved(server, tmp_path, files)
    assert load_hub_table(two, "test", ["q"], subset="hard") == [{"q": "Why?"}]
    with pytest.raises(UserError, match=r"it has 2 subsets: easy, hard; name one in questions\.subset"):
        load_hub_table(two, "test", ["q"])
    with pytest.raises(UserError, match=r"there is no subset medium, only easy, hard; correct questions\.subset"):
        load_hub_table(two, "test", ["q"], subset="medium")


def test_a_text_file_has_names_above_and_tabs_between_its_fields(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_bytes('\ufefflabel\toutput\r\n2\t"Ja", it\'s 007\r\n\r\n\tNA\r\n'.encode())
    rows: list[dict[str, Any]] = [{"label": "2", "output": '"Ja", it\'s 007'}, {"label": None, "output": "NA"}]
    assert load_local_table(path, None) == rows
    assert load_local_table(path, ["output"]) == [{"output": row["output"]} for row in rows]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"output\n", "the file has no rows"),
        (b"output\tlabel\na\t1\nb\n", "rows.txt, row 2: there are 1 fields under 2 names"),
        (b"output\toutput\na\tb\n", "the column 'output' stands there twice"),
        (b"output\n\xff\xfe\n", "this is no text in UTF-8"),
        (b"\n\n", "the file has no rows"),
    ],
)
def test_a_text_file_that_is_no_table_is_one_clear_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "rows.txt").write_bytes(content)
    with pytest.raises(UserError, match=said):
        load_local_table(tmp_path / "rows.txt", None)
