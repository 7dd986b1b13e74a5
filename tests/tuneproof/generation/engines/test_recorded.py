import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.tuneproof.generation.engines.workspaces import Workspace, answered, make_workspace, rendered, texts_of
from tuneproof.common.errors import UserError
from tuneproof.generation.engines import recorded as engine


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    made = make_workspace(tmp_path / "workspace", questions=5)
    made.change(engine="recorded", id=None, prompt=None, path=str(tmp_path / "answers.jsonl"))
    return made


def rows_for(workspace: Workspace, column: str = "id") -> list[dict[str, Any]]:
    return [{column: getattr(one, column), "answer": f"Answer to {one.id}"} for one in workspace.questions]


def write(rows: list[dict[str, Any]], name: str = "answers.jsonl") -> None:
    if name.endswith(".jsonl"):
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name.endswith(".csv"):
        with Path(name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), name)


@pytest.mark.parametrize("column", ["id", "instruction"])
@pytest.mark.parametrize("name", ["answers.jsonl", "answers.csv", "answers.parquet"])
def test_answers_are_matched_by_id_or_instruction_in_any_order(workspace: Workspace, column: str, name: str) -> None:
    workspace.change(path=name)
    write(rows_for(workspace, column)[::-1], name)
    saved = answered(engine, workspace.job(), workspace.questions)
    assert texts_of(saved) == {(one.id, 0): f"Answer to {one.id}" for one in workspace.questions}
    assert [request.id for request, _ in saved] == [one.id for one in workspace.questions]
    assert {result.finish_reason for _, result in saved} == {"stop"}


def test_samples_are_told_apart_and_counted_from_0(workspace: Workspace) -> None:
    workspace.change(sampling={"samples": 2})
    rows = [row | {"sample": sample, "answer": f"{sample}"} for row in rows_for(workspace) for sample in (1, 0)]
    write(rows)
    saved = texts_of(answered(engine, workspace.job(), workspace.questions))
    assert saved == {(one.id, sample): f"{sample}" for one in workspace.questions for sample in (0, 1)}


def test_a_cut_answer_stays_marked_and_an_empty_one_is_an_answer(workspace: Workspace) -> None:
    rows = rows_for(workspace)
    rows[0] |= {"finish_reason": "length"}
    rows[1] |= {"answer": "", "finish_reason": "stop"}
    write(rows)
    saved = answered(engine, workspace.job(), workspace.questions)
    assert [result.finish_reason for _, result in saved] == ["length", "stop", "stop", "stop", "stop"]
    assert saved[1][1].answer == ""


def test_missing_answers_are_counted_and_the_first_named(workspace: Workspace) -> None:
    write(rows_for(workspace)[:1])
    with pytest.raises(UserError) as error:
        rendered(engine, workspace.job(), workspace.questions)
    line = str(error.value)
    assert "4 of 5 answers are missing" in line
    assert "'Question 1: why does the loss rise?" in line
    assert "Question 4" not in line
    assert "\n" not in line


def test_an_answer_that_is_null_is_missing(workspace: Workspace) -> None:
    rows = rows_for(workspace)
    rows[1]["answer"] = None
    write(rows)
    with pytest.raises(UserError, match=r"1 of 5 answers are missing, such as those to 'Question 1.*null is none"):
        rendered(engine, workspace.job(), workspace.questions)


def test_an_answer_that_ended_in_an_error_is_one(workspace: Workspace) -> None:
    rows = rows_for(workspace)
    rows[0] |= {"answer": None, "finish_reason": "error", "error": "the server was down"}
    rows[1] |= {"answer": "Withheld.", "finish_reason": "content_filter"}
    write(rows)
    results = [result for _, result in answered(engine, workspace.job(), workspace.questions)]
    assert [result.finish_reason for result in results] == ["error", "error", "stop", "stop", "stop"]
    assert [result.error for result in results[:2]] == [
        "the server was down", "the row's finish_reason is content_filter",
    ]  # fmt: skip
    assert results[1].answer == ""


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.csv", "answers.parquet"])
def test_ids_that_are_not_the_questions_are_the_users_own(
    workspace: Workspace, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.change(path=name)
    write([{"id": f"row-{number}", **row} for number, row in enumerate(rows_for(workspace, "instruction"))], name)
    saved = answered(engine, workspace.job(), workspace.questions)
    assert texts_of(saved) == {(one.id, 0): f"Answer to {one.id}" for one in workspace.questions}
    assert "no id of answers" in capsys.readouterr().err


def test_an_answer_that_is_a_date_is_a_text(workspace: Workspace) -> None:
    write([row | {"answer": "2024-01-01"} for row in rows_for(workspace)])
    assert set(texts_of(answered(engine, workspace.job(), workspace.questions)).values()) == {"2024-01-01"}


def test_another_recorded_answer_has_another_key_and_the_same_one_the_same(workspace: Workspace) -> None:
    rows = rows_for(workspace)
    write(rows)
    before = [request.key for request in rendered(engine, workspace.job(), workspace.questions)]
    rows[2]["answer"] = "Corrected."
    write([*rows, {"id": "of no question", "answer": "x"}])
    after = [request.key for request in rendered(engine, workspace.job(), workspace.questions)]
    assert [place for place in range(5) if before[place] != after[place]] == [2]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"id": "q", "answer": "a"}, {"id": "q", "answer": "b"}], "row 2: this id was answered above"),
        ([{"id": "q", "text": "a"}], "its columns are id, text; give it the columns `answer`"),
        ([{"question": "q", "answer": "a"}], "give it the columns `answer`, and `id` or `instruction`"),
        ([{"id": None, "answer": "a"}], "row 1: its id is empty"),
        ([{"id": "q", "answer": 3}], "row 1: its answer is no text"),
        ([{"id": "q", "answer": "a", "finish_reason": "weird"}], "row 1: its finish_reason is 'weird'; write one of"),
        ([{"id": "q", "answer": "a", "finish_reason": 3}], "row 1: its finish_reason is '3'; write one of"),
        ([{"id": "q", "answer": "a", "sample": "²"}], "row 1: its sample is '²'; count samples from 0"),
        ([{"id": "q", "answer": "a", "sample": "9" * 5000}], "row 1: its sample is '9999"),
        ([{"id": "q", "answer": "a", "sample": "first"}], "row 1: its sample is 'first'; count samples from 0"),
    ],
)
def test_a_faulty_file_is_one_line_that_names_the_row(
    workspace: Workspace, rows: list[dict[str, Any]], words: str
) -> None:
    write(rows)
    with pytest.raises(UserError, match=r"answers\.jsonl") as error:
        rendered(engine, workspace.job(), workspace.questions)
    assert words in str(error.value)


def test_a_file_that_is_not_there_is_one_line(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        rendered(engine, workspace.job(), workspace.questions)


def test_other_line_ends_in_the_file_are_the_same_instruction(workspace: Workspace) -> None:
    workspace.ask(["First line.\nSecond line.", "Another."])
    write([{"instruction": "First line.\r\nSecond line.", "answer": "A"}, {"instruction": "Another.", "answer": "B"}])
    texts = [result.answer for _, result in answered(engine, workspace.job(), workspace.questions)]
    assert texts == ["A", "B"]


def test_instructions_that_differ_by_white_space_only_are_said_to(workspace: Workspace) -> None:
    workspace.ask(["Why  so?", "How?"])
    write([{"instruction": "Why so?", "answer": "A"}, {"instruction": "How?", "answer": "B"}])
    with pytest.raises(UserError, match=r"1 of 2 answers are missing.*1 of them are there with other white space"):
        rendered(engine, workspace.job(), workspace.questions)


def test_an_input_in_the_file_belongs_to_what_is_matched(workspace: Workspace) -> None:
    workspace.ask(["Sum up."])
    questions = [workspace.questions[0].model_copy(update={"id": text, "input": text}) for text in ("one", "two")]
    write([{"instruction": "Sum up.", "input": text, "answer": f"A {text}"} for text in ("two", "one")])
    requests = rendered(engine, workspace.job(), questions)
    assert len({request.key for request in requests}) == 2


def test_columns_may_be_called_as_the_file_calls_them(workspace: Workspace) -> None:
    workspace.change(answer_column="output", instruction_column="prompt")
    write(
        [{"prompt": one.instruction, "output": f"Answer to {one.id}"} for one in workspace.questions], "answers.jsonl"
    )
    saved = texts_of(answered(engine, workspace.job(), workspace.questions))
    assert saved == {(one.id, 0): f"Answer to {one.id}" for one in workspace.questions}


def test_a_missing_column_names_the_settings_that_name_it(workspace: Workspace) -> None:
    workspace.change(answer_column="output", instruction_column="prompt")
    write([{"question": one.instruction, "text": "An answer"} for one in workspace.questions])
    with pytest.raises(UserError, match="give it the columns `output`, and `id` or `prompt`, or name its own"):
        rendered(engine, workspace.job(), workspace.questions)
