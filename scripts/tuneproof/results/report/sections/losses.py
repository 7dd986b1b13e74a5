"""Where each model loses: its worst questions, what was said of both answers, and what speaks for or against it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tuneproof.records.handovers import ANSWERS, LABELLED
from tuneproof.records.rows import Question
from tuneproof.results.details.changes import Loss
from tuneproof.results.details.model import Details
from tuneproof.results.report.sections.answers import beginning
from tuneproof.results.report.sections.reasons import LONGEST_REASON, Place, Said, reasons
from tuneproof.results.report.showing import minus, one_line
from tuneproof.results.words.figures import listed, plain_name, score_forms

LONGEST_QUESTION = 160  # characters on the first screen; the browser has all of them
Scores = tuple[str, float | None, float | None]  # criterion, the baseline's, the model's
Begun = dict[tuple[str, Place], tuple[str, str]]  # by question and place: an answer, and how it begins
Rated = Mapping[tuple[str, str, str], float]  # by model, question and criterion, what people gave


@dataclass(frozen=True)
class Worst:
    """One of a model's worst questions: what was asked, both scores by criterion, and why by the judge or a program."""

    id: str
    asked: str
    scores: list[Scores]  # of the claim
    fell: list[str]  # the criteria in which it got worse, what fell farthest first
    # By criterion, what was said of the model's answer, and of the baseline's.
    reasons: list[tuple[str, str, str]] = field(default_factory=list)
    # Whose, with the criteria where it is not one for all, and how it begins.
    answers: list[tuple[str, str]] = field(default_factory=list)
    others: list[Scores] = field(default_factory=list)  # of programs, where they differ: each is another witness
    judged: list[Scores] = field(default_factory=list)  # the judge's, on what the claim leaves out
    people: list[Scores] = field(default_factory=list)  # what people gave, where they rated either answer
    preference: float | None = None  # the judge's where it saw both answers


@dataclass(frozen=True)
class Seen:
    """What the files hold of all models' worst questions."""

    asked: Mapping[str, str]
    answers: Mapping[str, Begun]  # by model
    rated: Rated
    beside: Mapping[tuple[str, str], Said]  # of the baseline's answers


def score_formats(worst: Mapping[str, Sequence[Worst]]) -> dict[str, str]:
    """How the scores of each criterion are written, so that all of the first screen have as many decimals."""
    scores = [
        three for of_model in worst.values() for one in of_model for three in (*one.scores, *one.others, *one.judged)
    ]
    return score_forms((name, score) for name, *both in scores for score in both if score is not None)


def score_text(score: float, form: str, ends: tuple[float, float]) -> str:
    """A score of its criterion's form; both ends of a scale from 0 to 1 are written 0 and 1, as a no and a yes."""
    return f"{score:.0f}" if ends == (0, 1) and score in ends else form % score


def change_text(before: float, after: float, form: str, ends: tuple[float, float]) -> str:
    """How far a score went, between both as they are written, with a real minus sign; 0 where these are the same."""
    change = float(score_text(after, form, ends)) - float(score_text(before, form, ends))
    said = f"{'-' if change < 0 else '+'}{score_text(abs(change), form, ends)}"
    return minus(said) if float(said) else "0"


def worst_questions(models: Sequence[Details], questions: Sequence[Question]) -> dict[str, list[Worst]]:
    """Every compared model's worst questions, the worst first."""
    compared = [details for details in models if not details.is_baseline]
    wanted = {loss.question for details in compared for loss in details.losses}
    baseline, checked = models[0].run.baseline, by_programs(compared)
    seen = Seen(
        asked={question.id: question.asked for question in questions if question.id in wanted},
        answers={details.model: beginnings(details.model, wanted) for details in models},
        rated=rated(wanted),
        beside=reasons(baseline, wanted, -1, checked),
    )
    return {details.model: worst_of(details, seen, checked) for details in compared}


def lost_to(models: Sequence[Details], questions: Sequence[Question]) -> dict[tuple[str, str], list[Worst]]:
    """The questions on which a model lost most to the one named before it, by both: what was asked and both scores."""
    asked = {question.id: question.asked for question in questions}
    return {
        (details.model, other): [
            Worst(
                id=loss.question,
                asked=one_line(asked.get(loss.question, ""), LONGEST_QUESTION),
                scores=[three for three in of_both(loss) if three[0] in details.run.by_question],
                fell=loss.fell,
            )
            for loss in found.worst
        ]
        for details in models
        for other, found in details.lost_to.items()
    }


def by_programs(compared: Sequence[Details]) -> bool:
    """Whether any question was lost by a program's score."""
    fallen = {name for details in compared for loss in details.losses for name in loss.fell}
    return any(compared[0].run.criteria[name].source == "check" for name in fallen)


def worst_of(details: Details, seen: Seen, checked: bool) -> list[Worst]:
    """One model's worst questions."""
    run, baseline = details.run, details.run.baseline
    said = reasons(details.model, {loss.question for loss in details.losses}, 1, checked)
    return [
        Worst(
            id=loss.question,
            asked=one_line(seen.asked.get(loss.question, ""), LONGEST_QUESTION),
            scores=[three for three in of_both(loss) if three[0] in run.by_question],
            fell=loss.fell,
            reasons=[
                (name, one_line(text, LONGEST_REASON), one_line(said_of(seen.beside, loss, name), LONGEST_REASON))
                for name in loss.fell
                if (text := said_of(said, loss, name).strip())
            ],
            answers=[
                *shown_answers(details.model, loss, said, seen.answers),
                *shown_answers(baseline, loss, seen.beside, seen.answers),
            ],
            others=beside_the_claim(details, loss, "check"),
            judged=beside_the_claim(details, loss, "judge"),
            people=people_of(details, loss, seen.rated),
            preference=loss.preference,
        )
        for loss in details.losses
    ]


def of_both(loss: Loss) -> Iterator[Scores]:
    """Every criterion with both scores."""
    for name in {**loss.baseline, **loss.model}:
        yield name, loss.baseline.get(name), loss.model.get(name)


def beside_the_claim(details: Details, loss: Loss, source: str) -> list[Scores]:
    """What one source scored on criteria that the claim leaves out, where both scores differ."""
    criteria, claimed = details.run.criteria, details.run.by_question
    names = [name for name, one in criteria.items() if one.source == source and name not in claimed]
    return [three for three in of_both(loss) if three[0] in names and differs(*three[1:])]


def differs(before: float | None, after: float | None) -> bool:
    """Whether two scores are not the same as they are written."""
    return (before is None) != (after is None) or (before is not None and f"{before:.2f}" != f"{after:.2f}")


def people_of(details: Details, loss: Loss, given: Rated) -> list[Scores]:
    """What people gave both answers to a lost question, by criterion of the judge's; without what nobody rated."""
    before, after = (
        {name: given.get((model, loss.question, name)) for name in details.run.rubric}
        for model in (details.run.baseline, details.model)
    )
    return [(name, before[name], after[name]) for name in before if (before[name], after[name]) != (None, None)]


def rated(wanted: set[str]) -> dict[tuple[str, str, str], float]:
    """What people gave the answers to these questions, where they were asked about them at random; means of samples."""
    gathered: dict[tuple[str, str, str], list[float]] = {}
    for row in LABELLED.iterate() if LABELLED.path.is_file() else ():
        for name, score in (row.scores or {}).items() if row.id in wanted else ():
            gathered.setdefault((row.model, row.id, name), []).append(float(score))
    return {key: sum(scores) / len(scores) for key, scores in gathered.items()}


def said_of(said: Mapping[tuple[str, str], Said], loss: Loss, criterion: str) -> str:
    """What was said of the answer to a lost question; empty where nothing was."""
    found = said.get((loss.question, criterion))
    return found.reason if found else ""


def shown_answers(
    model: str, loss: Loss, said: Mapping[tuple[str, str], Said], answers: Mapping[str, Begun]
) -> list[tuple[str, str]]:
    """How the answers begin that the reasons are about, each once, and whose they are.

    An answer is named by its criteria where they are several, and by the other models that gave the very same.
    """
    by_place: dict[Place, list[str]] = {}
    for name in loss.fell:
        if found := said.get((loss.question, name)):
            by_place.setdefault(found.place, []).append(name)
    shown = []
    for place, names in by_place.items():
        text, begins = answers[model].get((loss.question, place), ("", ""))
        same = [
            plain_name(other)
            for other, given in answers.items()
            if other != model and text and given.get((loss.question, place), ("", ""))[0] == text
        ]
        who = model if len(by_place) == 1 else f"{model}, {listed(names)}"
        shown.append((f"{who} (word for word as {listed(same)})" if same else who, begins))
    return shown


def beginnings(model: str, wanted: set[str]) -> Begun:
    """A model's answers to these questions, each with how it begins in one line; without what it thought before."""
    rows = ANSWERS.iterate(model) if wanted else ()
    return {(row.id, (row.sample, row.turn)): (row.answer, beginning(row)) for row in rows if row.id in wanted}
