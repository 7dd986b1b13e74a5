"""Where each model loses: how often by criterion, and its worst questions with what the judge said of its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuneproof.records.handovers import CHECKS, JUDGEMENTS
from tuneproof.records.rows import Judgement, Question
from tuneproof.results.details.changes import Loss
from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RunDetails

LONGEST_QUESTION = 160  # characters on the first screen; the browser has all of them
LONGEST_REASON = 320
SMALLEST = 1e-5  # of a difference between scores, which have six digits here


@dataclass(frozen=True)
class Worst:
    """One of a model's worst questions: what was asked, both scores by criterion, and why by the judge or a program."""

    id: str
    asked: str
    scores: list[tuple[str, float | None, float | None]]  # criterion, the baseline's, the model's
    fell: list[str]  # the criteria in which it got worse, what fell farthest first
    reasons: list[tuple[str, str, str]]  # criterion, what was said of the model's answer, and of the baseline's


def worst_questions(models: Sequence[Details], questions: Sequence[Question]) -> dict[str, list[Worst]]:
    """Every compared model's worst questions, the worst first."""
    asked = {question.id: question.asked for question in questions}
    return {details.model: worst_of(details, asked) for details in models if not details.is_baseline}


def worst_of(details: Details, asked: Mapping[str, str]) -> list[Worst]:
    """One model's worst questions."""
    said, beside = reasons(details, details.model, 1), reasons(details, details.run.baseline, -1)
    return [
        Worst(
            id=loss.question,
            asked=cut(asked.get(loss.question, ""), LONGEST_QUESTION),
            scores=[(name, loss.baseline.get(name), loss.model.get(name)) for name in {**loss.baseline, **loss.model}],
            fell=lost_on(loss, details.run),
            reasons=[
                (name, cut(text, LONGEST_REASON), cut(beside.get((loss.question, name), ""), LONGEST_REASON))
                for name in lost_on(loss, details.run)
                if (text := said.get((loss.question, name), "").strip())
            ],
        )
        for loss in details.losses
    ]


def lost_on(loss: Loss, run: RunDetails) -> list[str]:
    """The criteria in which the model got worse, what fell farthest first."""
    falls = {name: loss.baseline[name] - score for name, score in loss.model.items() if name in loss.baseline}
    counts = [name for name in falls if falls[name] >= max(run.criteria[name].counts_from - SMALLEST, SMALLEST)]
    return sorted(counts, key=lambda name: -falls[name])


def reasons(details: Details, model: str, sign: int) -> dict[tuple[str, str], str]:
    """Why a model's answers to the worst questions were scored as they were, by question and criterion.

    Of several samples the lowest one's; the highest one's where `sign` is -1.
    """
    wanted = {loss.question for loss in details.losses}
    found, lowest = dict[tuple[str, str], str](), dict[tuple[str, str], float]()
    for row in JUDGEMENTS.iterate(model) if wanted else ():
        for name, score in (row.scores or {}).items() if row.id in wanted else ():
            if (text := analysis(row, name)) and sign * score < lowest.get((row.id, name), float("inf")):
                lowest[row.id, name], found[row.id, name] = sign * score, text
    checked = any(details.run.criteria[name].source == "check" for loss in details.losses for name in loss.model)
    for check in CHECKS.iterate(model) if checked else ():
        if check.id in wanted:
            found |= {(check.id, name): reason for name, reason in check.reasons.items()}
    return found


def analysis(row: Judgement, criterion: str) -> str:
    """What the first judge with a usable reply wrote on one criterion."""
    texts = ((reply.analyses or {}).get(criterion, "") for reply in row.replies if reply.scores is not None)
    return next(filter(None, texts), "")


def cut(text: str, longest: int) -> str:
    """A text as one line of bearable length."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[:longest].rstrip()}…"
