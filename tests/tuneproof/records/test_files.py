from pathlib import Path

import pytest

from tuneproof.common.errors import UserError
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.records.files import iterate_rows, read_record, read_rows, write_rows
from tuneproof.records.rows import Answer, Question

ROWS = [
    Question(id="1", instruction="a\u2028b \U0001f600", reference=None, tags={}),
    Question(id="2", instruction="c", reference="d"),
]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", ROWS)
    assert read_rows(tmp_path / "rows.jsonl", Question, made_by="x") == ROWS


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder belongs")
    with pytest.raises(UserError, match="it cannot be written"):
        write_rows(tmp_path / "data" / "rows.jsonl", ROWS)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        '{"id": "1"}',
        '{"id": 1, "instruction": "x", "reference": null}',
        "\\xff",
        '{"id": "1", "instruction": "\\ud800", "reference": null}',
    ],
)
def test_a_broken_row_is_named_by_its_line(line: str, tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(ROWS[1].model_dump_json() + "\n" + line + "\n")
    with pytest.raises(UserError, match=r"questions\.jsonl, line 2: this is no question"):
        read_rows(path, Question, made_by="validate.py")


def test_a_missing_file_names_the_stage_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run `dvc repro` or `python scripts/generate.py sft` first"):
        list(iterate_rows(tmp_path / "sft.jsonl", Answer, made_by="generate.py sft"))


def test_a_folder_in_a_files_place_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it cannot be read"):
        list(iterate_rows(tmp_path, Answer, made_by="generate.py sft"))
    with pytest.raises(UserError, match="it cannot be read"):
        read_record(tmp_path, ResolvedModel, made_by="validate.py")


def test_a_broken_record_is_named_in_words(tmp_path: Path) -> None:
    (tmp_path / "sft.json").write_text("{}")
    with pytest.raises(UserError, match="this is no resolved model: model: "):
        read_record(tmp_path / "sft.json", ResolvedModel, made_by="validate.py")
