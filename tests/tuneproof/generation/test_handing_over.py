import json
from pathlib import Path

import pytest

from tests.tuneproof.generation.engines.workspaces import make_workspace
from tuneproof.common.errors import UserError
from tuneproof.generation import handing_over as finished_rows
from tuneproof.generation.handing_over import FinishedRow, handed_over
from tuneproof.records.rows import Result

RESULT = Result(answer="Ja, \u2713\n", finish_reason="stop")


def read(directory: Path) -> list[list[str]]:
    """The keys of each part, in order."""
    parts = [part.read_text(encoding="utf-8").splitlines() for part in sorted(directory.iterdir())]
    return [[FinishedRow[Result].model_validate_json(line).key for line in lines] for lines in parts]


def test_the_first_row_is_handed_over_at_once_and_the_rest_at_the_end(tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    with handed_over(rows) as hand_over:
        hand_over("1", RESULT)
        assert read(rows) == [["1"]]
        hand_over("2", RESULT)
        hand_over("3", RESULT)
    assert read(rows) == [["1"], ["2", "3"]]
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_rows_are_handed_over_every_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished_rows, "SECONDS_BETWEEN_PARTS", 0)
    with handed_over(tmp_path) as hand_over:
        for key in "123":
            hand_over(key, RESULT)
    assert read(tmp_path) == [["1"], ["2"], ["3"]]


def test_what_fails_or_is_interrupted_hands_over_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), handed_over(tmp_path) as hand_over:
        hand_over("1", RESULT)
        hand_over("2", RESULT)
        raise KeyboardInterrupt
    assert read(tmp_path) == [["1"], ["2"]]


def test_parts_of_an_earlier_run_stay(tmp_path: Path) -> None:
    for key in "12":
        with handed_over(tmp_path) as hand_over:
            hand_over(key, RESULT)
    assert read(tmp_path) == [["1"], ["2"]]


def test_without_a_directory_nothing_is_written() -> None:
    with handed_over(None) as hand_over:
        hand_over("1", RESULT)


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="finished rows cannot be written to it"),
        handed_over(tmp_path / "file") as give,
    ):
        give("1", RESULT)


def test_generate_makes_only_the_chosen_rows_and_writes_no_out(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    workspace.run_ok("generate.py", "sft")
    expected = {answer.key: answer.answer for answer in workspace.answers()}
    (workspace.root / "data/answers/sft.jsonl").unlink()
    (workspace.root / ".cache/ledger.sqlite").unlink()
    chosen = sorted(expected)[:3]
    (workspace.root / "open.jsonl").write_text("".join(json.dumps({"key": key}) + "\n" for key in chosen))
    rows = tmp_path / "rows"
    said = workspace.run_ok("generate.py", "sft", "--only", "open.jsonl", "--rows", str(rows))
    assert "generated 3 of 3 answers" in said
    lines = [line for part in sorted(rows.iterdir()) for line in part.read_text(encoding="utf-8").splitlines()]
    found = [FinishedRow[Result].model_validate_json(line) for line in lines]
    assert {row.key: row.result.answer for row in found} == {key: expected[key] for key in chosen}
    assert not (workspace.root / "data/answers/sft.jsonl").exists()


def test_a_row_whose_prompt_is_rendered_otherwise_here_stops_before_anything_is_generated(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    (workspace.root / "open.jsonl").write_text('{"key": "of another prompt"}\n')
    line = workspace.error_line("generate.py", "sft", "--only", "open.jsonl")
    assert "1 of 1 prompts are rendered otherwise here" in line
