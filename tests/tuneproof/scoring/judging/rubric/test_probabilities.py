import math
from typing import Any

import pytest

from tuneproof.scoring.judging.rubric.probabilities import expected_scores, score_probabilities
from tuneproof.settings.evidence.judging import Criterion


def scaled(*steps: float) -> Criterion:
    return Criterion(question="Is it good?", scale={step: f"Step {step}." for step in steps})


QUALITY = {"quality": scaled(1, 2, 3)}
CRITERIA = {"accuracy": scaled(1, 2, 3), "style": scaled(1, 2, 3)}
HALVES = {"quality": scaled(0, 0.5, 1)}
TENS = {"quality": scaled(*range(1, 11))}


def token(text: str, **top: float) -> dict[str, Any]:
    alternatives = [{"token": name.strip("_"), "logprob": math.log(share)} for name, share in top.items()]
    return {"token": text, "logprob": -0.1, "top_logprobs": alternatives}


def spelled(*tokens: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    return list(tokens), "".join(entry["token"] for entry in tokens)


def test_the_expected_score_weighs_each_step_by_its_probability() -> None:
    logprobs, text = spelled(
        token('{"quality": {"score":'), token(" "), token("3", _3=0.6, _2=0.3, _7=0.1), token("}}")
    )
    probabilities = score_probabilities(logprobs, text, QUALITY)
    assert probabilities is not None
    assert probabilities["quality"] == pytest.approx({"1": 0.0, "2": 1 / 3, "3": 2 / 3})
    assert expected_scores(logprobs, text, QUALITY) == pytest.approx({"quality": 2 / 3 * 3 + 1 / 3 * 2})


def test_alternatives_that_spell_the_same_step_count_together() -> None:
    alternatives = [{"token": text, "logprob": math.log(0.25)} for text in ("3", " 3", "2", "1}")]
    score = {"token": " 3", "logprob": -1.0, "top_logprobs": alternatives}
    logprobs, text = spelled(token('{"quality": {"score":'), score, token("}}"))
    assert expected_scores(logprobs, text, QUALITY) == pytest.approx({"quality": 0.5 * 3 + 0.25 * 2 + 0.25 * 1})


def test_a_score_inside_an_analysis_is_not_taken_for_the_score() -> None:
    analysis = '{"quality": {"analysis": "he wrote \\"score\\": 1 {", "score": '
    logprobs, text = spelled(token(analysis), token("2", _2=1.0), token("}}"))
    assert expected_scores(logprobs, text, QUALITY) == pytest.approx({"quality": 2.0})
    nested = '{"other": {"score": 1}, "quality": {"more": {"score": 1}, "score": '
    logprobs, text = spelled(token(nested), token("3", _3=1.0), token("}}"))
    assert expected_scores(logprobs, text, QUALITY) == pytest.approx({"quality": 3.0})


@pytest.mark.parametrize(
    ("logprobs", "text", "criteria"),
    [
        (None, '{"quality": {"score": 3}}', QUALITY),
        ([], '{"quality": {"score": 3}}', QUALITY),
        ([token('{"quality": {"score": 3}}')], None, QUALITY),
        ([token('{"quality": {"score": 3}}')], "another text", QUALITY),
        (*spelled(token('{"quality": {"score": '), token("3"), token("}}")), QUALITY),
        (*spelled(token('{"quality": {"score": '), token("3", _9=0.9), token("}}")), QUALITY),
        (*spelled(token('{"quality": {"score": '), token("0", _0=1.0), token(".5", _5=1.0), token("}}")), HALVES),
        (*spelled(token('{"quality": {"score": '), token("1", _1=0.5, _2=0.5), token("}}")), TENS),
        (*spelled(token("no JSON "), token("3", _3=1.0)), QUALITY),
        (*spelled(token('{"quality": {"score": '), token("3", _3=1.0), token("}} {}")), QUALITY),
    ],
    ids=["none", "empty", "no text", "other text", "no alternatives", "off scale", "split", "1 or 10", "prose", "two"],
)
def test_no_expected_score_is_guessed(logprobs: Any, text: str | None, criteria: Any) -> None:
    assert expected_scores(logprobs, text, criteria) is None


def test_one_and_ten_are_told_apart_where_ten_is_one_token() -> None:
    logprobs, text = spelled(token('{"quality": {"score": '), token("1", _1=0.5, _10=0.5), token("}}"))
    assert expected_scores(logprobs, text, TENS) == pytest.approx({"quality": 5.5})


def test_one_criterion_without_probabilities_leaves_all_without() -> None:
    start, between = '{"accuracy": {"score": ', '}, "style": {"score": '
    logprobs, text = spelled(token(start), token("3", _3=1.0), token(between), token("2"), token("}}"))
    assert expected_scores(logprobs, text, CRITERIA) is None


def test_a_token_that_ends_the_reply_but_is_no_part_of_it_does_no_harm() -> None:
    logprobs, text = spelled(token('{"quality": {"score": '), token("3", _3=1.0), token("}}"))
    assert expected_scores([*logprobs, token("</s>")], text, QUALITY) == pytest.approx({"quality": 3.0})
