"""What the report's answer browser shows: questions with every model's answers, scores and analyses, within a size."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneproof.records.rows import Question
from tuneproof.results.details.model import Details
from tuneproof.results.report.browser.disputes import most_disputed
from tuneproof.results.report.browser.outcomes import checked_criteria
from tuneproof.results.report.browser.rows import question_rows
from tuneproof.results.report.browser.texts import script_json, visible
from tuneproof.results.report.labels import Labels

DATA_BYTES = 13_000_000  # the page has a cap of 15 MB; the rest is style, script and charts
BYTES_PER_ANSWER = 1_600  # with less room for an answer and its analyses, questions are left out: 2,000 x 4 still fit
LONGEST_TEXTS = (100_000, 50_000, 20_000, 10_000, 6_000, 4_000, 3_000, 2_000, 1_500, 1_000, 700, 500, 300)

NEVER_CUT = ("id", "outcomes")  # of a question: no text to read

Row = dict[str, Any]  # a question with all that belongs to it


@dataclass(frozen=True)
class Browser:
    """The browser's data as JSON that may stand in a script element, and what of the run is in it."""

    json: str
    questions: int
    of_questions: int
    longest_text: int | None  # characters of a text that are shown; None where none is cut


def answer_browser(
    models: Sequence[Details],
    questions: Sequence[Question],
    labels: Labels,
    linked: Collection[str] = (),
    most_bytes: int = DATA_BYTES,
) -> Browser:
    """Everything to read, the questions on which the models differ most first; cut and left out as the size demands.

    Those on the first screen have their answers here: a model's worst, and the `linked` ones by their ids.
    """
    needed = {*linked, *(loss.question for details in models for loss in details.losses)}
    answers_per_question = sum(details.samples for details in models)
    room = max(most_bytes // (BYTES_PER_ANSWER * max(answers_per_question, 1)), 1)
    kept = {question.id for question in questions}
    if len(questions) > room:
        kept = {*most_disputed(models, room), *needed}
    rows = question_rows(models, questions, kept, labels)
    head = {
        "models": [details.model for details in models],
        "baseline": models[0].run.baseline,
        "criteria": [
            {"name": name, "steps": [float(step) for step in criterion.scale]}
            for name, criterion in models[0].run.rubric.items()
        ],
        "checks": [
            {"name": name, "steps": list(models[0].run.criteria[name].ends)} for name in checked_criteria(models[0])
        ],
    }
    return fitted(head, rows, {visible(question) for question in needed}, len(questions), most_bytes)


def fitted(
    head: Mapping[str, Any], rows: list[Row], needed: Collection[str], of_questions: int, most_bytes: int
) -> Browser:
    """The data within its size: long texts are cut first, then the least disputed questions are left out."""
    while True:
        for longest in (None, *LONGEST_TEXTS):
            text = script_json({**head, "questions": [shortened(row, longest) for row in rows] if longest else rows})
            if len(text.encode()) <= most_bytes or len(rows) < 2:
                return Browser(text, len(rows), of_questions, longest)
        rows = fewer(rows, needed)


def fewer(rows: Sequence[Row], needed: Collection[str]) -> list[Row]:
    """About half of the questions: the least disputed go first, and the needed ones where no others are left."""
    others = [row["id"] for row in rows if row["id"] not in needed]
    if not others:
        return list(rows[: len(rows) // 2])
    left = {*others[: max(len(rows) // 2 - (len(rows) - len(others)), 0)]}
    return [row for row in rows if row["id"] in needed or row["id"] in left]


def shortened(value: Any, longest: int) -> Any:
    """The same with every longer text as a pair: its beginning, and how many characters are missing."""
    if isinstance(value, str):
        return value if len(value) <= longest else [value[:longest], len(value) - longest]
    if isinstance(value, list):
        return [shortened(item, longest) for item in value]
    if isinstance(value, dict):
        return {key: item if key in NEVER_CUT else shortened(item, longest) for key, item in value.items()}
    return value
