from typing import Any

import pytest

from tuneproof.generation.conversations.prompts import alpaca_prompt
from tuneproof.inputs.questions import read_questions
from tuneproof.records.keys import sha256_hex
from tuneproof.settings.inputs import Questions

PLAIN = Questions(dataset="d")
WITH_INPUT = Questions(dataset="d", input_column="input")


def row(instruction: str = "Translate.", **fields: Any) -> dict[str, Any]:
    return {"instruction": instruction, "output": "Bonjour.", **fields}


def test_an_input_is_a_part_of_the_question_its_id_and_what_is_asked() -> None:
    plain, given = read_questions("d", [row(), row(input="Good day.")], WITH_INPUT)
    assert plain.input is None and plain.asked == "Translate."
    assert given.input == "Good day." and given.asked == "Translate.\n\nGood day."
    assert plain.id != given.id
    assert '"input"' not in plain.model_dump_json()


def test_questions_without_an_input_keep_their_ids_and_rows() -> None:
    [question] = read_questions("d", [row()], PLAIN)
    assert question.id == sha256_hex("Translate.\nBonjour.")[:12]
    assert list(question.model_dump()) == ["id", "instruction", "reference", "tags"]


def test_rows_that_differ_in_their_input_only_are_two_questions(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(input="One."), row(input="Two."), row(input="One.")]
    assert [question.input for question in read_questions("d", rows, WITH_INPUT)] == ["One.", "Two."]
    assert "left out 1 rows" in capsys.readouterr().err


@pytest.mark.parametrize("column", ["input", "context"])
def test_a_filled_column_that_no_setting_reads_is_warned_of(column: str, capsys: pytest.CaptureFixture[str]) -> None:
    read_questions("d", [row(), row("Sum up.", **{column: "A long text."})], PLAIN)
    said = capsys.readouterr().err
    assert f"the column '{column}', filled in 1 of 2 rows, is not asked" in said
    assert f"questions.input_column: {column}" in said


def test_an_empty_column_and_one_that_is_read_are_not_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    read_questions("d", [row(input=" "), row("Sum up.", input=None)], PLAIN)
    read_questions("d", [row(input="Good day.")], WITH_INPUT)
    assert capsys.readouterr().err == ""


def test_the_alpaca_format_has_a_preamble_and_a_heading_of_its_own_for_an_input() -> None:
    prompt = alpaca_prompt("Translate.", None, "Good day.")
    assert "paired with an input that provides further context" in prompt
    assert prompt.endswith("### Instruction:\nTranslate.\n\n### Input:\nGood day.\n\n### Response:\n")
