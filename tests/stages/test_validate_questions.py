"""The questions that validate writes: from any format, each once, each with its id, conversations among them."""

import csv

import pytest

from tests.conftest import Project
from tests.made_up.local_world import QUESTIONS, questions, write_questions


def test_the_same_questions_come_from_json_lines_csv_and_parquet(local: Project) -> None:
    import pyarrow
    import pyarrow.parquet

    with (local.root / "questions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["instruction", "output", "topic"])
        writer.writeheader()
        writer.writerows(QUESTIONS)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(QUESTIONS), local.root / "questions.parquet")
    found = []
    for name in ("questions.jsonl", "questions.csv", "questions.parquet"):
        local.set(questions__dataset=name, questions__tag_columns=["topic"])
        local.run_ok("validate.py")
        found.append(questions(local))
    assert found[0] == found[1] == found[2]
    assert found[0][0]["tags"] == {"topic": "basics"}


def test_ids_stay_when_rows_are_inserted(local: Project) -> None:
    local.run_ok("validate.py")
    before = [question["id"] for question in questions(local)]
    write_questions(local, [QUESTIONS[0], {"instruction": "New?", "output": "Yes."}, QUESTIONS[1]])
    local.run_ok("validate.py")
    after = [question["id"] for question in questions(local)]
    assert [after[0], after[2]] == before


@pytest.mark.parametrize("id_column", [None, "name"])
def test_a_question_that_stands_there_several_times_counts_once(local: Project, id_column: str | None) -> None:
    rows = [*QUESTIONS, QUESTIONS[0] | {"output": "Something else."}, *QUESTIONS * 3]
    write_questions(local, [row | {"name": f"row {number}"} for number, row in enumerate(rows)])
    local.set(questions__id_column=id_column)
    said = local.run_ok("validate.py")
    assert len(questions(local)) == len(QUESTIONS) + 1
    assert f"left out {3 * len(QUESTIONS)} rows that repeat an earlier question and its reference (rows 4, 5, " in said
    local.set(questions__limit=3)
    local.run_ok("validate.py")
    assert len(questions(local)) == 3


def test_different_questions_have_different_ids(local: Project) -> None:
    write_questions(local, [{"instruction": "a", "output": "b"}, {"instruction": "a\nb", "output": None}])
    local.run_ok("validate.py")
    assert len({question["id"] for question in questions(local)}) == 2


def test_a_null_reference_stays_null(local: Project) -> None:
    write_questions(local, [{"instruction": "Why?", "output": None}])
    local.run_ok("validate.py")
    assert questions(local)[0]["reference"] is None


CHATS = [
    {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}, *more], "topic": "t"}
    for text, more in [("Is it?", []), ("Is it so?", [{"role": "user", "content": "And why?"}])]
]


def test_conversations_are_refused_where_a_model_is_asked_in_alpaca_s_format(local: Project) -> None:
    write_questions(local, CHATS)
    local.set(questions__messages_column="messages", questions__reference_column=None)
    line = local.error_line("validate.py")
    assert line.startswith("error: model sft: `prompt: alpaca` takes one turn only, and 1 questions have several")
    local.set(models__sft__prompt="chat")
    local.run_ok("validate.py")
    plain, talk = questions(local)
    assert list(plain) == ["id", "instruction", "reference", "tags"]
    assert list(talk) == ["id", "instruction", "reference", "tags", "history", "turns", "references"]
    assert (talk["instruction"], talk["turns"], talk["references"]) == ("And why?", ["And why?"], [None])


def test_a_system_message_of_a_question_beside_one_of_a_model_is_refused(local: Project) -> None:
    system = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it?"}]}
    write_questions(local, [system])
    local.set(questions__messages_column="messages", questions__reference_column=None)
    local.set(models__sft__prompt="chat", models__sft__system="Be kind.")
    assert "model sft: 1 questions have a system message, and the model's `system` is" in local.error_line(
        "validate.py"
    )


def test_messages_without_a_conversation_among_them_are_the_same_questions(local: Project) -> None:
    write_questions(local, [{"instruction": "Is it?", "output": "Yes."}])
    local.run_ok("validate.py")
    before = (local.root / "data" / "questions.jsonl").read_bytes()
    write_questions(local, CHATS[:1])
    local.set(questions__messages_column="messages", questions__reference_column=None)
    assert "column messages: OpenAI's messages, 1 of 1 turn" in local.run_ok("validate.py")
    assert (local.root / "data" / "questions.jsonl").read_bytes() == before
