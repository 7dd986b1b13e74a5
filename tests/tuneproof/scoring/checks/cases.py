"""Answers and questions to check."""

from typing import Any

from tuneproof.records.rows import Answer, FinishReason, Question
from tuneproof.scoring.checks.checking import Case
from tuneproof.scoring.checks.finding import SECONDS_AT_MOST, Finding
from tuneproof.settings.evidence.checks import read_check


def question(reference: str | None = "Paris", checks: list[dict[str, Any]] | None = None, number: int = 1) -> Question:
    return Question(id=f"q{number}", instruction="What is the capital?", reference=reference, checks=checks)


def answer(text: str, finish_reason: FinishReason = "stop", number: int = 1) -> Answer:
    return Answer(
        id=f"q{number}", sample=0, prompt="What is the capital?", answer=text, finish_reason=finish_reason,
        error="too long" if finish_reason == "error" else None, prompt_tokens=4, answer_tokens=len(text), key=text[:20],
    )  # fmt: skip


def found(
    text: str,
    asked: Question | None = None,
    /,
    finish_reason: FinishReason = "stop",
    seconds: float = SECONDS_AT_MOST,
    **settings: Any,
) -> Finding:
    """What a check finds in a text within so many seconds of the processor's time."""
    return Case(answer(text, finish_reason), asked or question(), seconds).check(read_check(settings))
