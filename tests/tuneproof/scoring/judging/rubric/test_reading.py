import doctest
import json
import math
import random
from dataclasses import dataclass
from typing import Any

import pytest

from tests.made_up.prose_replies import prose_replies
from tuneproof.scoring.judging.rubric import reading as verdicts
from tuneproof.scoring.judging.rubric.objects import LONGEST_REPLY_CHARACTERS
from tuneproof.scoring.judging.rubric.reading import (
    Reading,
    read_reply,
    reply_schema,
    response_format,
)


@dataclass
class Scale:
    scale: dict[int | float, str]
    question: str = "Is it good?"


CRITERIA = {
    "accuracy": Scale({1: "wrong", 2: "partly", 3: "right"}),
    "style": Scale({1: "stiff", 2: "flat", 3: "good"}),
}
HALVES = {"quality": Scale({0: "no", 0.5: "partly", 1: "yes"})}


def entry(score: Any, analysis: Any = "Because.") -> dict[str, Any]:
    return {"analysis": analysis, "score": score}


def reply(accuracy: Any = 3, style: Any = 2) -> str:
    return json.dumps({"accuracy": entry(accuracy), "style": entry(style)})


def read(text: str | None, refusal: str | None = None, finish_reason: str | None = "stop") -> Reading:
    return read_reply(text, refusal, finish_reason, CRITERIA)


def test_the_examples_in_the_docstrings_are_true() -> None:
    results = doctest.testmod(verdicts)
    assert results.attempted > 20
    assert results.failed == 0


def test_a_complete_reply_gives_every_score_and_analysis() -> None:
    reading = read(reply())
    assert reading == Reading("ok", {"accuracy": 3, "style": 2}, {"accuracy": "Because.", "style": "Because."}, None)


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{reply()}\n```",
        f"```\n{reply()}\n```",
        f"Here is my judgement: {reply()} I hope that it helps!",
        f"\ufeff\n\n  {reply()}",
        f"{reply()}\n{reply()}",
        f"<think>3? Or {{2}}? {reply(1, 1)}</think>\n{reply()}",
        reply().replace("Because.", "one\ntwo\tthree"),
        reply(3.0, 2.0),
        json.dumps({"accuracy": entry(3), "style": entry(2), "overall": 5}),
        json.dumps({"style": {"score": 2}, "accuracy": {"score": 3, "analysis": None}}),
        f"[{reply()}]",
        f"The set {{a, b}} aside: {reply()}",
        f"Here is my judgement in JSON format, as requested:\n\n{reply()}\n\nLet me know if you have any questions!",
        f"It defines a token. That is right, but stiff: accuracy 3.\n\n```json\n{reply()}\n```",
        f"<answer>{reply()}</answer>",
        f"{reply()}<|im_end|>",
        reply() + "}",
        reply().replace("Because.", "It writes <think> and </think> itself, and <|channel|>analysis."),
        f"Okay, 3? Or {{2}}? {reply(1, 1)} No.</think>\n{reply()}",
        f'A broken draft: {{"accuracy": 3, </think>\n{reply()}',
        f"[THINK]{reply(1, 1)}[/THINK]{reply()}",
        f"<think>{'{' * 5_000}</think>{reply()}",
        f"<|channel|>analysis<|message|>{reply(1, 1)}<|end|><|start|>assistant<|channel|>final<|message|>{reply()}",
        f"analysisWe need scores. {reply(1, 1)}assistantfinal{reply()}",
        f"<|channel|>final <|constrain|>json<|message|>{reply()}<|return|>",
    ],
)
def test_ugly_but_clear_replies_are_read(text: str) -> None:
    assert read(text).scores == {"accuracy": 3, "style": 2}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "empty"),
        ("", "empty"),
        (" \n\t", "empty"),
        ("3", "no JSON object"),
        ("[3, 2]", "no JSON object"),
        ("null", "no JSON object"),
        ("accuracy: 3, style: 2", "no JSON object"),
        ("<score>3</score>", "no JSON object"),
        ("NOT_ATTEMPTED", "no JSON object"),
        ("{'accuracy': {'score': 3}, 'style': {'score': 2}}", "no JSON object"),
        (reply()[:-1], "broken JSON: Expecting"),
        (json.dumps(reply()), "no JSON object"),
        ("{}", "accuracy is missing"),
        (json.dumps({"accuracy": entry(3)}), "style is missing"),
        (json.dumps({"Accuracy": entry(3), "style": entry(2)}), "accuracy is missing"),
        (json.dumps({"result": json.loads(reply())}), "accuracy is missing"),
        (json.dumps({"accuracy": 3, "style": 2}), "no object"),
        (json.dumps({"accuracy": [entry(3)], "style": entry(2)}), "no object"),
        (json.dumps({"accuracy": {"analysis": "Fine."}, "style": entry(2)}), "no score"),
        (json.dumps({"accuracy": {"score": {"score": 3}}, "style": entry(2)}), "no number"),
        (json.dumps({"accuracy": entry(3, ["a", "b"]), "style": entry(2)}), "no text"),
        (reply("3"), "no number"),
        (reply("three"), "no number"),
        (reply(True), "no number"),
        (reply(None), "no number"),
        (reply([3]), "no number"),
        (reply(0), "off its scale"),
        (reply(-1), "off its scale"),
        (reply(4), "off its scale"),
        (reply(99), "off its scale"),
        (reply(2.5), "off its scale"),
        (reply(2.9999999), "off its scale"),
        (reply().replace('"score": 3', '"score": 1e400'), "off its scale"),
        (reply().replace('"score": 3', '"score": ' + "9" * 5000), "cannot be read|off its scale"),
        (reply(math.nan), "NaN"),
        (reply(math.inf), "Infinity"),
        (reply(-math.inf), "Infinity"),
        (reply().replace('"score": 3', '"score": 3, "score": 1'), "twice"),
        (reply().replace('"style"', '"accuracy"'), "twice"),
        (f"{reply(1)} or rather {reply(3)}", "2 different"),
        (f"{{}} {reply()}", "2 different"),
        (f"Example: {reply(3, 3)}\nMine:\n```json\n{reply(1, 1)}\n```", "2 different"),
        ('{"a":' * 30_000, "nested too deeply"),
        ("[" * 100_000, "no JSON object"),
        ('{"accuracy": ' + "[" * 90_000 + "]" * 90_000 + "}", "nested too deeply"),
        ("{" * 100_000, "no JSON object"),
        ('{"' * 50_000 + reply(), "no JSON object"),
        ("x" * (LONGEST_REPLY_CHARACTERS + 1), "characters long"),
        ("\x00\x01\x02", "no JSON object"),
        (f"<think>3? {reply()}", "thought does not end"),
        (f"{reply()}<think>Or rather", "thought does not end"),
        (f"<|channel|>analysis<|message|>{reply()}", "thought does not end"),
        (f"{reply()}</think>", "no JSON object"),
        (f"it orders me to say {reply()}. I refuse; accuracy 1", "orders me"),
        (f"The answer ends with {reply()}", "quoted"),
        (f"The answer to grade says:\n{reply()}", "quoted"),
        (f'It is just "{reply()}"', "quoted"),
        (f"`{reply()}`", "quoted|follows"),
        (f"{reply()} But it is wrong.", "follows"),
        (f"{reply()} I hope that it helps, though accuracy is low.", "follows"),
        (f"Accuracy: 1/3. Style: {2}.\n{reply()}", "another score"),
        (f"I give a 1 for accuracy.\n{reply()}", "another score"),
        (f"I will not follow its orders.\n{reply()}", "I will not"),
        ('{"accuracy": {"score": 3} "style": {"score": 2}}', "broken JSON: Expecting ',' delimiter, at character 27"),
        (reply()[:40], "broken JSON: Unterminated string starting at, at character 39"),
        (f'{{"accuracy": {{"analysis": "It says </think>{reply(3, 3)}", "score": 1}}}}', "follows|quoted|broken"),
    ],
)
def test_unreadable_reply_is_not_a_score(text: str | None, reason: str) -> None:
    reading = read(text)
    assert reading.status == "unreadable"
    assert reading.scores is None
    assert reading.analyses is None
    assert reading.error is not None
    assert any(part in reading.error for part in reason.split("|")), reading.error


def test_a_reason_is_one_short_line_whatever_the_reply_holds() -> None:
    reading = read(reply("a\nb\x1b[31m\u202e" + "c" * 10_000))
    assert reading.error is not None
    assert len(reading.error) <= 200
    assert reading.error.isprintable()


@pytest.mark.parametrize("reason", [None, "", "error", "abort", "network_error", "tool_calls", "what?", "error: cut"])
def test_a_reply_that_ended_in_no_known_way_is_no_score(reason: str | None) -> None:
    reading = read(reply(), finish_reason=reason)
    assert (reading.status, reading.scores) == ("unreadable", None)
    assert "whether the reply is whole is unknown" in str(reading.error)


def test_no_score_comes_from_five_thousand_replies_in_prose() -> None:
    texts = set(prose_replies(5_000))
    assert len(texts) > 3_000
    assert [text for text in texts if read(text).scores is not None] == []


def test_a_refusal_is_a_refusal_even_with_a_score_in_it() -> None:
    assert read(reply(), refusal="I cannot judge\nthis.") == Reading("refused", error="I cannot judge this.")
    assert read(None, finish_reason="content_filter").status == "refused"


def test_a_reply_cut_at_the_limit_is_truncated_even_when_its_json_is_whole() -> None:
    for text in (reply(), reply()[:20], "", None):
        reading = read(text, finish_reason="length")
        assert (reading.status, reading.scores) == ("truncated", None)


def test_a_half_surrogate_in_an_analysis_can_be_saved() -> None:
    reading = read(r'{"accuracy": {"analysis": "\ud800!", "score": 1}, "style": {"score": 1}}')
    assert reading.analyses is not None
    assert reading.analyses["accuracy"].encode() == b"?!"


def test_scores_are_the_steps_of_the_scale_as_the_settings_write_them() -> None:
    reading = read_reply('{"quality": {"score": 1.0}}', None, "stop", HALVES)
    assert reading.scores == {"quality": 1}
    assert reading.scores is not None
    assert isinstance(reading.scores["quality"], int)
    assert read_reply('{"quality": {"score": 0.5}}', None, "stop", HALVES).scores == {"quality": 0.5}
    assert read_reply('{"quality": {"score": 0.50001}}', None, "stop", HALVES).scores is None


def test_a_spoiled_reply_never_gives_a_score_that_was_not_meant() -> None:
    """Cuts, doubles and swaps bytes of a good reply: what is read is on the scale, or nothing."""
    choose = random.Random(7)
    good = reply()
    for _ in range(3000):
        characters = list(good)
        for _ in range(choose.randint(1, 4)):
            place = choose.randrange(len(characters))
            action = choose.randrange(3)
            if action == 0:
                del characters[place]
            elif action == 1:
                characters.insert(place, choose.choice('{}[]",:0123456789eE-.\\ \n'))
            else:
                characters[place] = choose.choice('{}[]",:0123456789eE-.\\ \n')
        reading = read("".join(characters))
        assert reading.status in ("ok", "unreadable")
        if reading.scores is not None:
            assert set(reading.scores) == {"accuracy", "style"}
            assert set(reading.scores.values()) <= {1, 2, 3}


def test_the_schema_is_strict_and_asks_for_the_analysis_first() -> None:
    schema = reply_schema(CRITERIA, score_first=False)
    assert schema["required"] == ["accuracy", "style"]
    assert schema["additionalProperties"] is False
    accuracy = schema["properties"]["accuracy"]
    assert list(accuracy["properties"]) == accuracy["required"] == ["analysis", "score"]
    assert accuracy["additionalProperties"] is False
    assert accuracy["properties"]["score"] == {"type": "integer", "enum": [1, 2, 3]}


def test_the_schema_can_ask_for_the_score_first_and_for_halves() -> None:
    quality = reply_schema(HALVES, score_first=True)["properties"]["quality"]
    assert list(quality["properties"]) == quality["required"] == ["score", "analysis"]
    assert quality["properties"]["score"] == {"type": "number", "enum": [0, 0.5, 1]}


def test_each_format_asks_for_what_the_endpoint_can_promise() -> None:
    strict = response_format(CRITERIA, "json_schema", False)
    assert strict is not None
    assert strict["json_schema"]["strict"] is True
    assert strict["json_schema"]["schema"] == reply_schema(CRITERIA, False)
    assert response_format(CRITERIA, "json_object", False) == {"type": "json_object"}
    assert response_format(CRITERIA, "text", False) is None
