"""Hostile answers end in a value or a reason, in bounded time."""

import time
from typing import Any

import pytest

from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.tuneproof.scoring.checks.cases import found, question
from tuneproof.scoring.checks import finding
from tuneproof.scoring.checks.finding import SECONDS_AT_MOST
from tuneproof.scoring.checks.preparing import prepare
from tuneproof.settings.evidence.checks import Checks

KINDS: dict[str, dict[str, Any]] = {
    "json": {"kind": "json", "schema": {"type": "array", "uniqueItems": True}},
    "regex": {"kind": "regex", "pattern": r"^(\w+\s?)*$"},
    "contains": {"kind": "contains", "texts": ["Paris"], "ignore_case": True},
    "ends_with": {"kind": "ends_with", "text": "Paris", "ignore_case": True},
    "words": {"kind": "words", "at_most": 10},
    "sentences": {"kind": "sentences", "at_most": 10},
    "language": {"kind": "language", "language": "en"},
    "python": {"kind": "python_parses"},
    "repetition": {"kind": "repetition"},
    "refusal": {"kind": "refusal"},
    "finish": {"kind": "finish"},
    "exact": {"kind": "exact_match"},
    "number": {"kind": "number_match"},
    "token_f1": {"kind": "token_f1"},
    "rouge_l": {"kind": "rougeL"},
    "bleu": {"kind": "bleu"},
    "chrf": {"kind": "chrf"},
    "strict": {"kind": "ifeval"},
    "loose": {"kind": "ifeval", "strict": False},
}
MEGABYTE = 1_000_000
TEXTS = (
    *HOSTILE_TEXTS,
    "",
    "word " * (MEGABYTE // 5),
    "w" * MEGABYTE,
    " ".join(map(str, range(MEGABYTE // 6))),
    "?!…" * (MEGABYTE // 3),
    "[" * MEGABYTE,
    "(" * 5_000 + ")" * 5_000,
    "-" * MEGABYTE + "1",
    "[" + "{}," * (MEGABYTE // 30) + "{}]",
    "a" * 5_000 + "!",
    "```python\n" * 10_000,
    "x = " + "-" * 50_000 + "1",
    "." * MEGABYTE,
    "1," * (MEGABYTE // 2),
)
INSTRUCTIONS: list[dict[str, Any]] = [
    {"kind": "instruction", "id": name, "kwargs": {}}
    for name in ("detectable_format:title", "detectable_format:json_format", "startend:quotation",
                 "detectable_format:number_highlighted_sections", "detectable_content:number_placeholders",
                 "length_constraints:number_sentences", "change_case:english_capital",
                 "length_constraints:nth_paragraph_first_word")
]  # fmt: skip
SECONDS_ALLOWED = 0.3  # of the processor's time, in place of more: the bound is what is tested
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    prepare(Checks.model_validate(KINDS), {})


@pytest.mark.parametrize("name", KINDS)
def test_a_hostile_answer_ends_in_a_value_or_a_reason(name: str) -> None:
    asked = question("Paris, the city of 2 million " * 50, INSTRUCTIONS)
    started = time.monotonic()
    for text in TEXTS:
        value, reason = found(
            text, asked, seconds=SECONDS_ALLOWED if name == "regex" else SECONDS_AT_MOST, **KINDS[name]
        )
        assert reason, text[:40]
        assert "\n" not in reason
        assert value is None or 0 <= value <= (100 if name in ("bleu", "chrf") else 1)
    assert time.monotonic() - started < PATIENCE_SECONDS


def test_a_pattern_that_backtracks_for_ever_is_ended() -> None:
    with pytest.raises(finding.TookTooLongError), finding.bounded(SECONDS_ALLOWED):
        found_for_ever()


def found_for_ever() -> None:
    import re

    re.search(r"^(a+)+$", "a" * 5_000 + "!")


def test_what_swallows_the_first_alarm_meets_the_next() -> None:
    with pytest.raises(finding.TookTooLongError), finding.bounded(SECONDS_ALLOWED):
        try:
            found_for_ever()
        except BaseException:
            found_for_ever()


def test_a_check_that_takes_too_long_gives_no_score_and_says_so() -> None:
    pattern = r"^(a+)+$"
    schema = {"type": "string", "pattern": pattern}
    for text, settings in (
        ("a" * 5_000 + "!", {"kind": "regex", "pattern": pattern}),
        (f'"{"a" * 5_000}!"', {"kind": "json", "schema": schema}),
    ):
        assert found(text, seconds=SECONDS_ALLOWED, **settings) == (None, "it took too long")


def test_an_answer_and_a_reference_of_a_megabyte_each_are_compared_or_refused() -> None:
    text = " ".join(map(str, range(MEGABYTE // 6)))
    for kind in ("exact_match", "number_match", "token_f1", "rouge1", "rougeL", "bleu", "chrf"):
        assert found(text, question(text[::-1]), kind=kind).reason
