"""The questions of the answer browser with all that belongs to them, as JSON takes it."""

from collections.abc import Container, Mapping, Sequence
from typing import Any, TypeVar

from tuneproof.records.handovers import ANSWERS, CHECKS, COMPARISONS, JUDGEMENTS, Handover
from tuneproof.records.rows import Answer, Check, Comparison, Judgement, Question, Reply
from tuneproof.results.analysis.exploring.kinds import tags_of
from tuneproof.results.details.model import Details
from tuneproof.results.report.browser.disputes import spreads
from tuneproof.results.report.browser.outcomes import checked_criteria, outcome_letters
from tuneproof.results.report.browser.texts import visible
from tuneproof.results.report.labels import Labels

AnyRow = TypeVar("AnyRow", Answer, Judgement, Comparison, Check)


def question_rows(
    models: Sequence[Details], questions: Sequence[Question], kept: set[str], labels: Labels
) -> list[dict[str, Any]]:
    """The kept questions with all that belongs to them, the most disputed first."""
    parts = [ModelRows(details, kept, labels) for details in models]
    outcomes = outcome_letters(models, len(questions))
    rows = []
    of_all = zip(questions, tags_of(questions), outcomes, strict=True)
    for number, (question, tags, letters) in enumerate(of_all, start=1):
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
                "outcomes": letters,
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
