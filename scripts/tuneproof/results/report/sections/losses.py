"""Where each model loses: how often by criterion, and its worst questions with what the judge said of its answer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneproof.records.handovers import ANSWERS, CHECKS, JUDGEMENTS
from tuneproof.records.rows import Judgement, Question
from tuneproof.results.details.changes import Loss
from tuneproof.results.details.model import Details
from tuneproof.results.report.sections.answers import beginning
from tuneproof.results.report.showing import minus, one_line
from tuneproof.results.words.figures import listed, score_forms

LONGEST_QUESTION = 160  # characters on the first screen; the browser has all of them
LONGEST_REASON = 320
Place = tuple[int, int | None]  # of an answer among those to its question: sample and turn


@dataclass(frozen=True)
class Worst:
    """One of a model's worst questions: what was asked, both scores by criterion, and why by the judge or a program."""

    id: str
    asked: str
    scores: list[tuple[str, float | None, float | None]]  # criterion, the baseline's, the model's
    fell: list[str]  # the criteria in which it got worse, what fell farthest first
    reasons: list[tuple[str, str, str]]  # criterion, what was said of the model's answer, and of the baseline's
    answers: list[tuple[str, str]]  # whose, with the criteria where it is not one for all; and how it begins


def score_formats(worst: Mapping[str, Sequence[Worst]]) -> dict[str, str]:
    """How the scores of each criterion are written, so that all of the first screen have as many decimals."""
    scores = [three for of_model in worst.values() for one in of_model for three in one.scores]
    return score_forms((name, score) for name, *both in scores for score in both if score is not None)


def score_text(score: float, form: str, ends: tuple[float, float]) -> str:
    """A score of its criterion's form; both ends of a scale from 0 to 1 are written 0 and 1, as a no and a yes."""
    return f"{score:.0f}" if ends == (0, 1) and score in ends else form % score


def change_text(before: float, after: float, form: str, ends: tuple[float, float]) -> str:
    """How far a score went, with a real minus sign; 0 where it stayed."""
    change = after - before
    said = f"{'-' if change < 0 else '+'}{score_text(abs(change), form, ends)}"
    return minus(said) if float(said) else "0"


@dataclass(frozen=True)
class Said:
    """What was said of one answer on one criterion; nothing by a judge that gives scores alone."""

    place: Place
    reason: str


def worst_questions(models: Sequence[Details], questions: Sequence[Question]) -> dict[str, list[Worst]]:
    """Every compared model's worst questions, the worst first."""
    asked = {question.id: question.asked for question in questions}
    return {details.model: worst_of(details, asked) for details in models if not details.is_baseline}


def worst_of(details: Details, asked: Mapping[str, str]) -> list[Worst]:
    """One model's worst questions."""
    baseline = details.run.baseline
    wanted = {loss.question for loss in details.losses}
    checked = any(details.run.criteria[name].source == "check" for loss in details.losses for name in loss.model)
    said, beside = reasons(details.model, wanted, 1, checked), reasons(baseline, wanted, -1, checked)
    begun = {model: beginnings(details, model) for model in (details.model, baseline)}
    return [
        Worst(
            id=loss.question,
            asked=one_line(asked.get(loss.question, ""), LONGEST_QUESTION),
            scores=[(name, loss.baseline.get(name), loss.model.get(name)) for name in {**loss.baseline, **loss.model}],
            fell=loss.fell,
            reasons=[
                (name, one_line(text, LONGEST_REASON), one_line(said_of(beside, loss, name), LONGEST_REASON))
                for name in loss.fell
                if (text := said_of(said, loss, name).strip())
            ],
            answers=[
                *shown_answers(details.model, loss, said, begun[details.model]),
                *shown_answers(baseline, loss, beside, begun[baseline]),
            ],
        )
        for loss in details.losses
    ]


def said_of(said: Mapping[tuple[str, str], Said], loss: Loss, criterion: str) -> str:
    """What was said of the answer to a lost question; empty where nothing was."""
    found = said.get((loss.question, criterion))
    return found.reason if found else ""


def shown_answers(
    model: str,
    loss: Loss,
    said: Mapping[tuple[str, str], Said],
    begun: Mapping[tuple[str, Place], str],
) -> list[tuple[str, str]]:
    """How the answers begin that the reasons are about, each once, and named by its criteria where they are several."""
    by_place: dict[Place, list[str]] = {}
    for name in loss.fell:
        if found := said.get((loss.question, name)):
            by_place.setdefault(found.place, []).append(name)
    return [
        (model if len(by_place) == 1 else f"{model}, {listed(names)}", begun.get((loss.question, place), ""))
        for place, names in by_place.items()
    ]


def reasons(
    model: str, wanted: Collection[str], sign: int, checked: bool, root: Path = Path()
) -> dict[tuple[str, str], Said]:
    """Why a model's answers to these questions were scored as they were, by question and criterion.

    Of several samples and turns that of the lowest one; that of the highest one where `sign` is -1. One that has a
    reason comes before one that has none. `checked` reads the reasons of programs too, where there are any.
    """
    found, rank = dict[tuple[str, str], Said](), dict[tuple[str, str], tuple[bool, float]]()

    def take(question: str, name: str, score: float, said: Said) -> None:
        here = (not said.reason, sign * score)
        if here < rank.get((question, name), (True, float("inf"))):
            rank[question, name], found[question, name] = here, said

    for row in JUDGEMENTS.iterate(model, root) if wanted else ():
        for name, score in (row.scores or {}).items() if row.id in wanted else ():
            take(row.id, name, score, Said((row.sample, row.turn), analysis(row, name)))
    for check in CHECKS.iterate(model, root) if checked and wanted else ():
        for name, value in (check.scores or {}).items() if check.id in wanted else ():
            if value is not None:
                take(check.id, name, value, Said((check.sample, check.turn), check.reasons.get(name, "")))
    return found


def beginnings(details: Details, model: str) -> dict[tuple[str, Place], str]:
    """How a model's answers to the worst questions begin, in one line; what it thought before them is left out."""
    wanted = {loss.question for loss in details.losses}
    rows = ANSWERS.iterate(model) if wanted else ()
    return {(row.id, (row.sample, row.turn)): beginning(row) for row in rows if row.id in wanted}


def analysis(row: Judgement, criterion: str) -> str:
    """What the first judge with a usable reply wrote on one criterion."""
    texts = ((reply.analyses or {}).get(criterion, "") for reply in row.replies if reply.scores is not None)
    return next(filter(None, texts), "")
