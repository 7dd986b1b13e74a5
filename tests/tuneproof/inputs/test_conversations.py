"""Conversations as datasets have them: what is read of them, and a line for everything that is wrong."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.common.errors import UserError
from tuneproof.inputs.questions import read_questions
from tuneproof.records.keys import sha256_hex
from tuneproof.records.rows import Question
from tuneproof.settings.inputs import Questions
from tuneproof.sources.tables import load_local_table

MESSAGES = Questions(dataset="d", messages_column="messages", reference_column=None)
TURNS = Questions(dataset="d", turns_column="turns", reference_column="reference")
SYSTEM, ASK, ANSWER, ASK_ON, ANSWER_ON = (
    {"role": role, "content": content}
    for role, content in [
        ("system", "Be brief."), ("user", "Name a colour."), ("assistant", "Red."), ("user", "Another."),
        ("assistant", "Blue."),
    ]
)  # fmt: skip


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def of_messages(*messages: Any) -> Question:
    [question] = read_questions("d", [{"messages": list(messages)}], MESSAGES)
    return question


def of_turns(turns: Any, reference: Any = None) -> Question:
    [question] = read_questions("d", [{"turns": turns, "reference": reference}], TURNS)
    return question


def history(question: Question) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in question.history or ()]


def test_the_last_user_message_is_asked_what_stands_before_is_history_and_what_comes_after_the_reference() -> None:
    question = of_messages(SYSTEM, ASK, ANSWER, ASK_ON, ANSWER_ON)
    assert (question.instruction, question.reference) == ("Another.", "Blue.")
    assert history(question) == [("system", "Be brief."), ("user", "Name a colour."), ("assistant", "Red.")]
    assert (question.turns, question.references) == (["Another."], ["Blue."])


def test_sharegpt_says_the_same_in_other_words() -> None:
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    messages = (SYSTEM, ASK, ANSWER, ASK_ON, ANSWER_ON)
    other = [{"from": names[message["role"]], "value": message["content"]} for message in messages]
    assert of_messages(*other) == of_messages(*messages)


def test_one_user_message_is_a_question_like_any_other_with_the_same_id_and_row() -> None:
    [plain] = read_questions("d", [{"instruction": "Name a colour.", "output": "Red."}], Questions(dataset="d"))
    assert of_messages(ASK, ANSWER) == of_turns(["Name a colour."], ["Red."]) == plain
    assert plain.id == sha256_hex("Name a colour.\nRed.")[:12]
    assert list(plain.model_dump()) == ["id", "instruction", "reference", "tags"]


def test_turns_are_asked_one_after_the_other_each_with_its_reference() -> None:
    question = of_turns(["Name a colour.", "Another."], ["Red.", None])
    assert (question.instruction, question.reference) == ("Name a colour.", "Red.")
    assert (question.history, question.turns) == ([], ["Name a colour.", "Another."])
    assert [question.at(turn).reference for turn in (0, 1)] == ["Red.", None]
    assert of_turns(["Name a colour.", "Another."]).references == [None, None]


def test_ids_hold_history_and_turns_so_that_equal_last_messages_do_not_collide() -> None:
    asked = [
        of_messages(ASK_ON), of_messages(SYSTEM, ASK_ON), of_messages(ASK, ANSWER, ASK_ON),
        of_messages(ASK, ANSWER_ON, ASK_ON), of_messages(SYSTEM, ASK, ANSWER, ASK_ON), of_turns(["Another.", "More."]),
        of_turns(["Another.", "Less."]), of_turns(["Another.", "Less."], [None, "Green."]),
    ]  # fmt: skip
    assert len({question.id for question in asked}) == len(asked)
    rows = [{"messages": [SYSTEM, ASK_ON]}, {"messages": [ASK, ANSWER, ASK_ON]}, {"messages": [SYSTEM, ASK_ON]}]
    assert len(read_questions("d", rows, MESSAGES)) == 2, "only a repeat of the whole conversation is one"


def test_what_was_found_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    read_questions("d", [{"messages": [SYSTEM, ASK, ANSWER]}, {"messages": [ASK, ANSWER, ASK_ON]}], MESSAGES)
    found = "validate: d, column messages: OpenAI's messages, 2 of 1 turn; 2 with history, 1 with a system message, "
    assert capsys.readouterr().err == f"{found}1 with a reference\n"


SAID_FIRST = ("system", "Be brief.")
MEANINGS: list[tuple[str, list[Any], tuple[list[tuple[str, str]], str, str | None]]] = [
    ("a reference", [ASK, ANSWER], ([], "Name a colour.", "Red.")),
    ("an empty system message says nothing", [said("system", " "), ASK], ([], "Name a colour.", None)),
    ("so does one without content", [{"role": "system"}, ASK], ([], "Name a colour.", None)),
    ("a developer is the system", [SYSTEM | {"role": "developer"}, ASK], ([SAID_FIRST], ASK["content"], None)),
    ("parts are joined", [said("user", [{"type": "text", "text": "Name "}, "it."])], ([], "Name it.", None)),
    ("nulls of a table are nothing", [ASK | {"from": None, "tool_calls": None}], ([], ASK["content"], None)),
    ("other fields are not read", [ASK | {"weight": 1, "name": "x"}, ANSWER], ([], ASK["content"], "Red.")),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "meant"), [case[1:] for case in MEANINGS], ids=[case[0] for case in MEANINGS])
def test_what_looks_odd_and_has_a_meaning(messages: list[Any], meant: tuple[Any, ...]) -> None:
    question = of_messages(*messages)
    assert (history(question), question.instruction, question.reference) == meant


IMAGE = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "http://x"}}]
MALFORMED: list[Any] = [
    (None, "row 1, messages: it holds no messages; fill it in or remove the row"),
    ("", "row 1, messages: it holds no messages"),
    ([], "row 1, messages: it holds no messages"),
    ("Why?", "row 1, messages: it is no list of messages; name a column that holds lists of messages"),
    ({"role": "user"}, "row 1, messages: it is no list of messages"),
    (7, "row 1, messages: it is no list of messages"),
    pytest.param("[" * 100_000, "row 1, messages: it is no list of messages", id="nested too deeply"),
    (["Why?"], "row 1, messages, message 1: it is no object; write it as"),
    ([None], "row 1, messages, message 1: it is no object"),
    ([{"content": "Why?"}], "row 1, messages, message 1: it has no `role` (ShareGPT: no `from`)"),
    ([ASK | {"from": "human"}], "row 1, messages, message 1: it has both a `role` and a `from`"),
    ([said("critic", "No.")], "row 1, messages, message 1: there is no role 'critic'; write system, user or assistant"),
    ([said("User", "Why?")], "row 1, messages, message 1: there is no role 'User'"),
    ([{"role": 3, "content": "Why?"}], "row 1, messages, message 1: there is no role '3'"),
    ([ASK, said("tool", "4")], "row 1, messages, message 2: it is a tool's (tool); remove the row"),
    ([{"from": "observation", "value": "4"}], "row 1, messages, message 1: it is a tool's (observation)"),
    ([ASK, ANSWER | {"tool_calls": [{}]}], "row 1, messages, message 2: it calls a tool; remove the row"),
    ([ASK, said("assistant", None)], "row 1, messages, message 2: it is empty; fill it in or remove the row"),
    ([said("user", "")], "row 1, messages, message 1: it is empty"),
    ([said("user", " \n")], "row 1, messages, message 1: it is empty"),
    ([said("user", [])], "row 1, messages, message 1: it is empty"),
    ([{"role": "user", "value": "Why?"}], "row 1, messages, message 1: it is empty"),
    ([said("user", 7)], "row 1, messages, message 1: it is a int, no text"),
    ([said("user", IMAGE)], "row 1, messages, message 1: a part of it is no text but image_url; remove the row"),
    ([said("user", [{"text": "Why?"}])], "row 1, messages, message 1: a part of it is no text but None"),
    ([said("user", [{"type": "text"}])], "row 1, messages, message 1: a part of it has no text"),
    ([ASK, ASK_ON], "row 1, messages: messages 1 and 2 are both the user's; join them or remove the row"),
    ([SYSTEM, ASK, ANSWER, ANSWER_ON], "row 1, messages: messages 3 and 4 are both the assistant's"),
    ([ANSWER, ASK], "row 1, messages: the assistant speaks first; begin with the user's message"),
    ([SYSTEM, ANSWER], "row 1, messages: the assistant speaks first"),
    ([ASK, SYSTEM], "row 1, messages: a system message stands behind another message"),
    ([SYSTEM, SYSTEM, ASK], "row 1, messages: a system message stands behind another message"),
    ([SYSTEM], "row 1, messages: no user says anything in it; remove the row"),
]
MALFORMED_TURNS: list[tuple[Any, Any, str]] = [
    (None, None, "row 1, turns: it holds no turns"),
    ("Why?", None, "row 1, turns: it is no list of turns"),
    (["Why?", ""], None, "row 1, turns, turn 2: it is empty"),
    (["Why?", 3], None, "row 1, turns, turn 2: it is a int, no text"),
    (["Why?", "How?"], "Because.", "row 1, turns: it has 2 turns and 1 references; give a list with a reference for"),
    (["Why?", "How?"], ["Because."], "row 1, turns: it has 2 turns and 1 references"),
    (["Why?"], ["Because.", "So."], "row 1, turns: it has 1 turns and 2 references"),
    (["Why?"], [{"text": "Because."}], "row 1, turns: a reference is a dict, no text"),
]


@pytest.mark.parametrize(("messages", "line"), MALFORMED)
def test_a_malformed_conversation_is_one_line_that_says_where(messages: Any, line: str) -> None:
    with pytest.raises(UserError) as told:
        read_questions("d", [{"messages": messages}], MESSAGES)
    assert str(told.value).startswith(f"d, {line}")


@pytest.mark.parametrize(("turns", "reference", "line"), MALFORMED_TURNS)
def test_malformed_turns_are_one_line_that_says_where(turns: Any, reference: Any, line: str) -> None:
    with pytest.raises(UserError) as told:
        of_turns(turns, reference)
    assert str(told.value).startswith(f"d, {line}")


def test_two_references_that_differ_are_refused_and_two_that_are_equal_are_one() -> None:
    both = MESSAGES.model_copy(update={"reference_column": "output"})
    [question] = read_questions("d", [{"messages": [ASK, ANSWER], "output": "Red."}], both)
    assert question.reference == "Red."
    with pytest.raises(UserError, match="it has two references"):
        read_questions("d", [{"messages": [ASK, ANSWER], "output": "Blue."}], both)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_messages_come_from_any_file(tmp_path: Path, suffix: str) -> None:
    rows = [{"messages": [SYSTEM, ASK, ANSWER, ASK_ON]}, {"messages": [ASK, ANSWER]}]
    path = tmp_path / f"chats{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["messages"], *([json.dumps(row["messages"])] for row in rows)])
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    first, second = read_questions("d", load_local_table(path, ["messages"]), MESSAGES)
    assert history(first) == [("system", "Be brief."), ("user", "Name a colour."), ("assistant", "Red.")]
    assert (first.instruction, second.instruction, second.reference) == ("Another.", "Name a colour.", "Red.")
    assert not second.is_conversation


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "from", "value", "type", "text"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_whatever_stands_there_is_a_conversation_or_one_line(value: Any) -> None:
    for chosen, row in [(MESSAGES, {"messages": value}), (TURNS, {"turns": value, "reference": value})]:
        try:
            [question] = read_questions("d", [row], chosen)
        except UserError as told:
            assert str(told).startswith("d, row 1")
        else:
            assert question.all_turns and all(turn.strip() for turn in question.all_turns)
