"""What the report's answer browser shows: questions with every model's answers, scores and analyses, within a size.

The texts come from datasets, models and judges, so they are data to a page and never markup or code.
"""

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tuneproof.records.handovers import ANSWERS, CHECKS, COMPARISONS, JUDGEMENTS, Handover
from tuneproof.records.rows import Answer, Check, Comparison, Judgement, Question, Reply
from tuneproof.results.analysis.exploring.kinds import tags_of
from tuneproof.results.details.model import Details
from tuneproof.results.report.labels import Labels

DATA_BYTES = 13_000_000  # the page has a cap of 15 MB; the rest is style, script and charts
BYTES_PER_ANSWER = 1_600  # with less room for an answer and its analyses, questions are left out: 2,000 x 4 still fit
LONGEST_TEXTS = (100_000, 50_000, 20_000, 10_000, 6_000, 4_000, 3_000, 2_000, 1_500, 1_000, 700, 500, 300)

# Control characters, embeddings and overrides of text direction, invisible fillers, lone surrogates and tags.
# Left alone: tab, newline, and the joiners and direction marks that scripts and emoji need.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
SCRIPT_DIRECTORY = Path(__file__).parent / "templates" / "script"
SCRIPT_PARTS = (
    "elements", "scores", "filters", "address", "markdown", "words", "question", "list", "downloads", "browser",
)  # fmt: skip
SCRIPT_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


AnyRow = TypeVar("AnyRow", Answer, Judgement, Comparison, Check)
Scores = dict[str, int | float] | None  # of one answer


@dataclass(frozen=True)
class Browser:
    """The browser's data as JSON that may stand in a script element, and what of the run is in it."""

    json: str
    questions: int
    of_questions: int
    longest_text: int | None  # characters of a text that are shown; None where none is cut


def visible(text: str) -> str:
    """A text in which no character is invisible or turns the direction of what follows: `⟨U+202E⟩`."""
    return INVISIBLE.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text.replace("\r\n", "\n"))


def script_json(value: Any) -> str:
    """JSON that can neither end the script element it stands in nor start anything in it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(SCRIPT_ESCAPES)


def page_script() -> str:
    """The browser's script, put together from its parts, which see each other and nothing else sees."""
    parts = [(SCRIPT_DIRECTORY / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPT_PARTS]
    return "\n".join(['"use strict";', "(() => {", *parts, "})();", ""])


def answer_browser(
    models: Sequence[Details], questions: Sequence[Question], labels: Labels, most_bytes: int = DATA_BYTES
) -> Browser:
    """Everything to read, the questions on which the models differ most first; cut and left out as the size demands."""
    answers_per_question = sum(details.samples for details in models)
    room = max(most_bytes // (BYTES_PER_ANSWER * max(answers_per_question, 1)), 1)
    kept = {question.id for question in questions}
    if len(questions) > room:  # those on the first screen have their answers here
        kept = {*most_disputed(models, room), *(loss.question for details in models for loss in details.losses)}
    rows = question_rows(models, questions, kept, labels)
    head = {
        "models": [details.model for details in models],
        "baseline": models[0].run.baseline,
        "criteria": [
            {
                "name": name,
                "steps": [float(step) for step in criterion.scale],
                "counts_from": models[0].run.criteria[name].counts_from,
            }
            for name, criterion in models[0].run.rubric.items()
        ],
        "checks": [
            {"name": name, "steps": list(models[0].run.criteria[name].ends), "counts_from": 0.0}
            for name in checked_criteria(models[0])
        ],
    }
    return fitted(head, rows, len(questions), most_bytes)


def fitted(head: Mapping[str, Any], rows: list[dict[str, Any]], of_questions: int, most_bytes: int) -> Browser:
    """The data within its size: long texts are cut first, then the least disputed questions are left out."""
    while True:
        for longest in (None, *LONGEST_TEXTS):
            text = script_json({**head, "questions": [shortened(row, longest) for row in rows] if longest else rows})
            if len(text.encode()) <= most_bytes or len(rows) < 2:
                return Browser(text, len(rows), of_questions, longest)
        rows = rows[: len(rows) // 2]


def shortened(value: Any, longest: int) -> Any:
    """The same with every longer text as a pair: its beginning, and how many characters are missing."""
    if isinstance(value, str):
        return value if len(value) <= longest else [value[:longest], len(value) - longest]
    if isinstance(value, list):
        return [shortened(item, longest) for item in value]
    if isinstance(value, dict):
        return {key: item if key == "id" else shortened(item, longest) for key, item in value.items()}
    return value


def most_disputed(models: Sequence[Details], count: int) -> list[str]:
    """The ids of the questions whose scores differ most between the models."""
    scores: dict[str, list[list[Scores]]] = {}
    for place, details in enumerate(models):
        for judgement in JUDGEMENTS.iterate(details.model):
            scores.setdefault(judgement.id, [[] for _ in models])[place].append(judgement.scores)
    disputes = {question: sum(spreads(models[0], by_model)) for question, by_model in scores.items()}
    return sorted(disputes, key=lambda question: -disputes[question])[:count]


def spreads(details: Details, scores: Sequence[Sequence[Scores]]) -> list[float]:
    """Per criterion how far apart the models' scores of one question are, as a share of the scale."""
    found = []
    for name, criterion in details.run.rubric.items():
        means = [mean for mean in (question_mean(of_model, name) for of_model in scores) if mean is not None]
        lowest, highest = criterion.ends
        found.append(round((max(means) - min(means)) / (highest - lowest), 4) if means else 0.0)
    return found


def question_mean(samples: Iterable[Scores], criterion: str) -> float | None:
    """The mean score of one question's samples."""
    scores = [scores[criterion] for scores in samples if scores is not None]
    return sum(scores) / len(scores) if scores else None


def checked_criteria(details: Details) -> list[str]:
    """The criteria that programs score."""
    return [name for name, criterion in details.run.criteria.items() if criterion.source == "check"]


def question_rows(
    models: Sequence[Details], questions: Sequence[Question], kept: set[str], labels: Labels
) -> list[dict[str, Any]]:
    """The kept questions with all that belongs to them, the most disputed first."""
    parts = [ModelRows(details, kept, labels) for details in models]
    rows = []
    for number, (question, tags) in enumerate(zip(questions, tags_of(questions), strict=True), start=1):
        if question.id not in kept:
            continue
        scores = [[row.scores for row in part.judgements.get(question.id, [])] for part in parts]
        opinions = [part.opinions(question) for part in parts]
        rows.append(
            {
                "id": visible(question.id),
                "number": number,
                "instruction": visible(question.asked),
                "reference": None if question.reference is None else visible(question.reference),
                "tags": [[visible(name), visible(value)] for name, value in tags.items()],
                **conversation_parts(question),
                "spreads": spreads(models[0], scores),
                "answers": [part.answer_rows(question) for part in parts],
                "pairs": [[pair_row(row) for row in part.comparisons.get(question.id, [])] for part in parts],
            }
            | ({"opinions": opinions} if any(opinions) else {})
        )
    return sorted(rows, key=lambda row: (-sum(row["spreads"]), row["number"]))


class ModelRows:
    """One model's rows of the kept questions, by question."""

    def __init__(self, details: Details, kept: Container[str], labels: Labels) -> None:
        """Reads them. A run without comparisons or checks may have no file of these."""
        self.model, self.labels = details.model, labels
        self.criteria, self.checked = list(details.run.rubric), checked_criteria(details)
        self.answers = by_question(ANSWERS, self.model, kept)
        self.judgements = by_question(JUDGEMENTS, self.model, kept)
        self.comparisons = by_question(COMPARISONS, self.model, kept)
        self.checks = by_question(CHECKS, self.model, kept) if self.checked else {}

    def answer_rows(self, question: Question) -> list[dict[str, Any]]:
        """The answers to one question, a row per sample and turn."""
        judged = {(row.sample, row.turn): row for row in self.judgements.get(question.id, [])}
        checks = {(row.sample, row.turn): row for row in self.checks.get(question.id, [])}
        rows = []
        for answer in self.answers.get(question.id, []):
            place = answer.sample, answer.turn
            row = answer_row(answer, judged.get(place), self.criteria)
            if place in checks:
                row["checks"] = [check_pair(checks[place], name) for name in self.checked]
            people = self.labels.of_answer(question, answer)
            if people:
                row["people"] = [
                    {
                        "rater": label.rater,
                        "scores": [(label.scores or {}).get(name) for name in self.criteria],
                        "note": visible(label.note or ""),
                    }
                    for label in people
                ]
            rows.append(row)
        return rows

    def opinions(self, question: Question) -> list[dict[str, Any]]:
        """What people preferred, this model's answer or the baseline's."""
        return [
            {"rater": label.rater, "preference": preference, "note": visible(label.note or "")}
            for label, preference in self.labels.of_pairs(self.model, question)
        ]


def by_question(handover: Handover[AnyRow], model: str, kept: Container[str]) -> dict[str, list[AnyRow]]:
    """A model's rows of the kept questions. A run without comparisons may have no file of them."""
    found: dict[str, list[AnyRow]] = {}
    if handover.kind in (Comparison, Check) and not handover.path(model).is_file():
        return found
    for row in handover.iterate(model):
        if row.id in kept:
            found.setdefault(row.id, []).append(row)
    return found


def conversation_parts(question: Question) -> dict[str, Any]:
    """What a conversation has besides its first turn; nothing of another question."""
    if not question.is_conversation:
        return {}
    return {
        "history": [[message.role, visible(message.content)] for message in question.history or ()],
        "turns": [visible(text) for text in question.all_turns],
        "references": [None if text is None else visible(text) for text in question.references or ()],
    }


def answer_row(answer: Answer, judgement: Judgement | None, criteria: Sequence[str]) -> dict[str, Any]:
    """One answer with its scores, what each judge wrote, and why there is no score where there is none."""
    usable = [reply for reply in judgement.replies if reply.scores is not None] if judgement else []
    row: dict[str, Any] = {
        "text": visible(answer.answer),
        "characters": len(answer.answer),
        "finish": answer.finish_reason,
        "status": judgement.status if judgement else "not judged" if answer.turn is None else "see the last turn",
        "cut": bool(judgement and judgement.answer_cut),
        "scores": in_order(judgement.scores if judgement else None, criteria),
    }
    if answer.turn is not None:
        row["turn"] = answer.turn
    if judgement is None or judgement.status != "ok":
        row["why"] = reasons(answer, judgement.replies if judgement else [])
        return row
    row["judges"] = [
        {
            "name": visible(reply.judge),
            "scores": in_order(reply.scores, criteria),
            "analyses": [visible((reply.analyses or {}).get(name, "")) for name in criteria],
        }
        for reply in usable
    ]
    return row


def check_pair(check: Check, criterion: str) -> list[Any]:
    """A check's score and its reason."""
    return [check.scores.get(criterion), visible(check.reasons.get(criterion, ""))]


def in_order(scores: Mapping[str, float] | None, criteria: Sequence[str]) -> list[float] | None:
    """The scores in the order of the criteria."""
    return None if scores is None else [scores[name] for name in criteria]


def reasons(answer: Answer, replies: Sequence[Reply]) -> list[str]:
    """Why an answer has no score: what went wrong in making it, or the judge's last words."""
    last = replies[-1:]
    said = [answer.error, *(reply.error for reply in last), *(reply.reply for reply in last)]
    return [visible(text) for text in said if text]


def pair_row(comparison: Comparison) -> dict[str, Any]:
    """The preference in one order, with what every judge wrote, or the last one's words where there is none."""
    said = [text for reply in comparison.replies for text in (reply.analyses or {}).values() if text]
    unusable = [text for reply in comparison.replies[-1:] for text in (reply.error, reply.reply) if text]
    turn = {} if comparison.turn is None else {"turn": comparison.turn}
    return turn | {
        "sample": comparison.sample,
        "order": comparison.order,
        "status": comparison.status,
        "preference": comparison.preference,
        "text": visible("\n\n".join(said if comparison.status == "ok" else unusable)),
    }
