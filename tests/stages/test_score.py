"""Scoring a table: CSV, JSON Lines and parquet in, the same rows with scores out, whole or not at all."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.evaluators import TOPICS, trained
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.serving import ACCURACY, STYLE
from tests.running import run_here
from tuneproof.scoring.evaluator import load

ROWS: list[dict[str, Any]] = [
    {"id": str(place), "input": "Why?", "output": f"It keeps {text} busy.", "ground_truth": "So." * (place % 2) or None}
    for place, text in enumerate(HOSTILE_TEXTS[:8] * 5)
]  # fmt: skip


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def read_table(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("name", "written"), [("a.csv", "a.scored.csv"), ("a.jsonl", "a.scored.jsonl"),
                                               ("a.parquet", "a.scored.jsonl")])  # fmt: skip
def test_every_row_comes_back_in_order_with_its_scores(tmp_path: Path, name: str, written: str) -> None:
    write_table(tmp_path / name, ROWS)
    done = run_here(tmp_path, "score.py", "--evaluator", ACCURACY, "--evaluator", STYLE, name)
    assert done.returncode == 0, done.stderr
    assert f"score: {len(ROWS)} rows of {name} by accuracy, style" in done.stderr
    assert done.stderr.splitlines()[-1] == f"score: wrote {written}"
    found = read_table(tmp_path / written)
    assert [row["id"] for row in found] == [row["id"] for row in ROWS]
    assert [row["output"] for row in found] == [row["output"] for row in ROWS]
    for criterion, folder in (("accuracy", ACCURACY), ("style", STYLE)):
        scored = list(load(folder).score_table(ROWS))
        assert [float(row[f"{criterion}_probability"]) for row in found] == [one.probability for one in scored]
        assert [float(row[f"{criterion}_score"]) for row in found] == [one.score for one in scored]
        assert [row[f"{criterion}_label"] for row in found] == [one.label for one in scored]


def test_columns_may_be_called_otherwise_and_classes_without_order_have_no_score(tmp_path: Path) -> None:
    trained(tmp_path / "topic", TOPICS, criterion="topic")
    write_table(tmp_path / "a.jsonl", [{"answer": "Dinner, with salt.", "question": "What?"}])
    named = ("--column", "output=answer", "--column", "input=question")
    done = run_here(tmp_path, "score.py", "--evaluator", "topic", *named, "a.jsonl", "--output", "b/c.csv")
    assert done.returncode == 0, done.stderr
    (row,) = read_table(tmp_path / "b" / "c.csv")
    assert list(row) == ["answer", "question", "topic_probability", "topic_score", "topic_label"]
    assert row["topic_score"] == ""
    assert row["topic_label"] in TOPICS.names


@pytest.mark.parametrize(
    ("rows", "arguments", "said"),
    [
        ([{"output": "a"}, {"output": None}], (), "a.jsonl, row 2: it has no output; give every row"),
        ([{"output": "a"}] * 40 + [{"output": 3}], (), "a.jsonl, row 41: its output is no text; give every row"),
        ([{"output": "a", "input": []}], (), "a.jsonl, row 1: its input is no text; give every row"),
        ([{"answer": "a"}], (), "a.jsonl: there is no column output, only answer; name the columns with --column"),
        ([{"output": "a"}], ("--column", "input=q"), "a.jsonl: there is no column q, only output; name the columns"),
        ([{"output": "a", "accuracy_score": 1}], (), "a.jsonl: it has a column accuracy_score already; rename"),
        ([{"output": "a"}], ("--output", "b.parquet"), "--output b.parquet: it is in no format that is written here"),
        ([{"output": "a"}], ("--output", "a.jsonl"), "--output a.jsonl: this is the table itself; name another file"),
        ([{"output": "a"}], ("--evaluator", ACCURACY), "another evaluator of accuracy is named already; score with"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_named_in_one_line_and_nothing_is_written(
    tmp_path: Path, rows: list[dict[str, Any]], arguments: tuple[str, ...], said: str
) -> None:
    table = write_table(tmp_path / "a.jsonl", rows)
    before = table.read_bytes()
    done = run_here(tmp_path, "score.py", "--evaluator", ACCURACY, "a.jsonl", *arguments)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir() if path.name != ".cache"] == ["a.jsonl"]
    assert table.read_bytes() == before


def test_a_text_file_is_scored_too(tmp_path: Path) -> None:
    (tmp_path / "answers.txt").write_text("output\nIt keeps the GPU busy.\nNo idea.\n")
    assert run_here(tmp_path, "score.py", "--evaluator", ACCURACY, "answers.txt").returncode == 0
    rows = read_table(tmp_path / "answers.scored.jsonl")
    assert [row["accuracy_score"] for row in rows] == [
        load(ACCURACY).score(output=row["output"]).score for row in rows
    ]  # fmt: skip
