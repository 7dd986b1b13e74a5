"""The two runs that the gate compares: what is read of each, whether they measure the same, and what they share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.records.handovers import ANSWERS, JUDGEMENTS, QUESTIONS
from tuneproof.records.rows import Check, Judgement, Question
from tuneproof.results.analysis.reading.sources import HANDOVERS
from tuneproof.results.details.run import RunDetails
from tuneproof.results.gate.items import Asked, NotComparableError, read_items
from tuneproof.results.words.notes import RUN_KINDS
from tuneproof.statistics.differences import question_means

Scores = dict[str, dict[str, float]]  # criterion -> question id -> mean score


@dataclass(frozen=True)
class Side:
    """One run: its questions by id, and every model's scores and answers; benchmarks that decide, by criterion."""

    questions: dict[str, Question]
    scores: dict[str, Scores]
    answers: dict[str, dict[str, list[str]]]  # model -> question id -> its samples
    benchmarks: dict[str, dict[str, Asked]]  # criterion -> model

    @classmethod
    def read(cls, root: Path, models: Sequence[str], benchmarks: Sequence[str]) -> "Side":
        """Reads a run from a project's folder, or from a folder with copies of its files."""
        questions = QUESTIONS.iterate(root)
        scores: dict[str, Scores] = {}
        answers: dict[str, dict[str, list[str]]] = {}
        for model in models:
            scores[model] = scores_by_criterion(JUDGEMENTS.iterate(model, root))
            for handover in HANDOVERS.values():
                if (root / handover.path(model)).is_file():
                    scores[model] |= scores_by_criterion(handover.iterate(model, root))
            texts = answers.setdefault(model, {})
            for row in ANSWERS.iterate(model, root):
                texts.setdefault(row.id, []).append(row.answer)
        items = read_items(root, models, benchmarks)
        return cls({question.id: question for question in questions}, scores, answers, items)


@dataclass(frozen=True)
class Pairing:
    """The questions that are the same in both runs, and how many of either are not."""

    questions: list[str]
    unpaired: int


def scores_by_criterion(judgements: Iterable[Judgement | Check]) -> Scores:
    """The mean score of every question, by criterion."""
    rows: dict[str, list[tuple[str, float | None]]] = {}
    for judgement in judgements:
        for criterion, score in (judgement.scores or {}).items():
            rows.setdefault(criterion, []).append((judgement.id, score))
    return {criterion: question_means(scores) for criterion, scores in rows.items()}


def refuse_incomparable(now: RunDetails, before: RunDetails) -> None:
    """Raises a UserError that says why two runs' scores do not measure the same."""
    reasons = []
    if now.run != before.run:
        reasons.append(f"this is a {RUN_KINDS[now.run]}, that a {RUN_KINDS[before.run]}")
    if (now.judge.backend, now.judge.judges, now.judge.content) != (
        before.judge.backend, before.judge.judges, before.judge.content,
    ):  # fmt: skip
        reasons.append("the judge differs")
    changed = sorted(
        name
        for name in now.judge_settings.keys() | before.judge_settings.keys()
        if now.judge_settings.get(name) != before.judge_settings.get(name)
    )
    if changed:
        reasons.append(f"the judge's settings differ ({', '.join(changed)})")
    reasons += rubric_changes(now, before)
    if reasons:
        remedy = "judge that revision's answers by today's judge and rubric (judging alone costs no generation)"
        raise NotComparableError("not comparable", "; ".join(reasons), remedy)


def rubric_changes(now: RunDetails, before: RunDetails) -> list[str]:
    """How the rubrics differ, criterion by criterion."""
    changes = []
    for name in [*now.rubric, *(name for name in before.rubric if name not in now.rubric)]:
        if name not in now.rubric or name not in before.rubric:
            changes.append(f"the criterion {name} is only in {'this' if name in now.rubric else 'that'} run")
        elif now.rubric[name].ends != before.rubric[name].ends:
            changes.append(f"the scale of {name} differs")
        elif now.rubric[name] != before.rubric[name]:
            changes.append(f"the wording of {name} differs")
    return [*changes, *scale_changes(now, before)]


def scale_changes(now: RunDetails, before: RunDetails) -> list[str]:
    """How the criteria of the other sources differ. One that only this run has is compared with nothing."""
    return [
        f"the scale of {name} differs"
        for name in compared_criteria(now)
        if name not in now.rubric and name in before.criteria and now.criteria[name].ends != before.criteria[name].ends
    ]


def compared_criteria(run: RunDetails) -> list[str]:
    """The criteria that the gate holds a run to: those that decide, and the judge's. A win rate has another rival."""
    return [name for name in run.deciding if run.criteria[name].source != "compare"]


def compared_benchmarks(run: RunDetails) -> list[str]:
    """Those of the criteria that are scored by item."""
    return [name for name in compared_criteria(run) if run.criteria[name].by_item]


def pair(here: Side, there: Side) -> Pairing:
    """Finds the questions with the same id, instruction and reference in both runs, in this run's order."""
    same = [
        key
        for key, question in here.questions.items()
        if key in there.questions and content(there.questions[key]) == content(question)
    ]
    return Pairing(same, len(here.questions.keys() | there.questions.keys()) - len(same))


def content(question: Question) -> dict[str, Any]:
    """What a question asks, in every turn, whatever its id and tags."""
    conversation = question.model_dump(include={"history", "turns", "references"})
    return conversation | {"asked": question.asked, "reference": question.reference}
