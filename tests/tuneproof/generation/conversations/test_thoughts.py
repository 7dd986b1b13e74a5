import pytest

from tuneproof.generation.conversations.thoughts import ONLY_THOUGHT, TAGS, shown, split_thought
from tuneproof.records.rows import Answer, Result

CHANNELS = "<|channel|>analysis<|message|>"


@pytest.mark.parametrize(("opening", "closing"), TAGS)
def test_a_leading_thought_is_taken_off_whole(opening: str, closing: str) -> None:
    thought = f"\n{opening}\nTwo and two.\n{closing}\n\n"
    assert split_thought(thought + "Four.\n") == (thought, "Four.\n")


@pytest.mark.parametrize(("text", "prompt", "answer"), [
    ("Two and two.\n</think>\n\nFour.", "", "Four."),
    ("Two and two.</think>Four.", "<|Assistant|><think>\n", "Four."),
    ("Two and two", "<|Assistant|><think>\n", ""),
    ("<think>Two and", "", ""),
    (f"{CHANNELS}Two.<|end|><|start|>assistant<|channel|>final<|message|>Four.<|return|>", "", "Four."),
    (f"{CHANNELS}Two.<|end|><|start|>assistant<|channel|>commentary<|message|>Hm.", "", ""),
    ("<|channel|>final<|message|>Four.", "", "Four."),
    ("analysisTwo and two.assistantfinalFour.", "", "Four."),
])  # fmt: skip
def test_every_known_form_of_a_thought_ends_where_the_answer_begins(text: str, prompt: str, answer: str) -> None:
    thought, rest = split_thought(text, prompt)
    assert rest == answer
    assert text.startswith(thought)
    assert thought


@pytest.mark.parametrize("text", [
    "", "Four.", "The tag <think> opens a thought, </think> ends it.", "A model ends its thought with </think> always.",
    "analysis of the data shows four", "Four. <think>Really?</think>", "```\n<think>\na\n</think>\n```",
])  # fmt: skip
def test_what_only_speaks_of_thoughts_stays(text: str) -> None:
    assert split_thought(text) == ("", text)


def test_what_is_stripped_stands_beside_the_answer_and_only_there() -> None:
    result = Result(answer="<think>Two.</think>Four.", finish_reason="stop")
    assert shown(result, "", "keep") is result
    stripped = shown(result, "", "strip")
    assert (stripped.answer, stripped.thinking, stripped.finish_reason) == ("Four.", "<think>Two.</think>", "stop")
    plain = Result(answer="Four.", finish_reason="stop")
    assert "thinking" not in shown(plain, "", "strip").model_dump()
    assert "thinking" not in plain.model_dump_json()
    row = Answer(
        id="q", sample=0, prompt="", answer="", finish_reason="stop", error=None, prompt_tokens=None,
        answer_tokens=None, key="k",
    )  # fmt: skip
    assert row.model_dump_json().endswith('"key":"k"}')
    assert row.model_copy(update={"thinking": "x"}).model_dump_json().endswith('"key":"k","thinking":"x"}')


def test_a_thought_without_an_answer_is_an_error_row() -> None:
    stripped = shown(Result(answer="<think>Two and", finish_reason="length"), "", "strip")
    assert (stripped.answer, stripped.finish_reason, stripped.error) == ("", "error", ONLY_THOUGHT)
    assert stripped.thinking == "<think>Two and"


@pytest.mark.parametrize("text", ["<think>Two.</think>\n\nFour.", "<think>Two and"])
def test_a_thought_that_was_cut_off_is_put_back_where_it_is_to_be_kept(text: str) -> None:
    raw = Result(answer=text, finish_reason="stop" if "Four" in text else "length")
    stripped = shown(raw, "", "strip")
    assert stripped != raw
    assert shown(stripped, "", "strip") == stripped
    assert shown(stripped, "", "keep") == raw


def test_a_thought_that_the_server_told_apart_stays_apart() -> None:
    told = Result(answer="Four.", finish_reason="stop", thinking="Two and two.")
    assert shown(told, "", "keep") == shown(told, "", "strip") == told
