"""What the page says of a model's answers as they lie there: how they were asked for, and in how many questions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tuneproof.records.handovers import ANSWERS, JUDGEMENTS
from tuneproof.records.rows import Answer, Judgement, Question
from tuneproof.results.details.model import Details
from tuneproof.results.report.showing import one_line
from tuneproof.results.words.figures import plain_name

LONGEST_BEGINNING = 150  # characters of an answer outside of the browser
LONGEST_ASKED = 90  # characters of a question beside an answer
LONGEST_PROMPT = 1_500  # characters; all of it stands in data/answers

Counts = dict[tuple[str, str, str], int]  # questions by model, "finish" or "status", and what it is


def questions_with(models: Sequence[Details]) -> Counts:
    """How many questions have an answer that ended so, or that was judged so; only of models with several answers each.

    With one answer to each question the answers' own counts say it.
    """
    found: dict[tuple[str, str, str], set[str]] = {}
    for details in models:
        if sum(details.finish_reasons.values()) == details.questions:
            continue
        for answer in ANSWERS.iterate(details.model):
            found.setdefault((details.model, "finish", answer.finish_reason), set()).add(answer.id)
        for row in JUDGEMENTS.iterate(details.model):
            found.setdefault((details.model, "status", row.status), set()).add(row.id)
    return {key: len(ids) for key, ids in found.items()}


@dataclass(frozen=True)
class Telling:
    """An answer at one end of what the judge gave, by which a reader can judge the judge."""

    criterion: str
    model: str
    score: float
    question: str  # its id
    asked: str
    begins: str


def telling_answers(models: Sequence[Details], questions: Sequence[Question]) -> list[Telling]:
    """Where a mistake of the judge's would show first, by criterion.

    The answer of the model with the lowest mean that it scored highest, and the answer of the model with the highest
    mean that it scored lowest; of equal ones the first.
    """
    found, asked = [], {question.id: question.asked for question in questions}
    for name in models[0].run.rubric:
        scored = sorted((details for details in models if details.criteria[name].mean is not None), key=mean_of(name))
        ends = [(scored[0].model, -1), (scored[-1].model, 1)] if scored else []
        found += [telling for model, sign in ends if (telling := telling_answer(model, name, sign, asked))]
    return found


def mean_of(criterion: str) -> Callable[[Details], float]:
    """What models are sorted by: their mean in one criterion."""
    return lambda details: details.criteria[criterion].mean or 0


def telling_answer(model: str, criterion: str, sign: int, asked: Mapping[str, str]) -> Telling | None:
    """A model's answer with the lowest score where `sign` is 1, the highest where it is -1; None without scores."""
    best: tuple[float, Judgement] | None = None
    for row in JUDGEMENTS.iterate(model):
        score = (row.scores or {}).get(criterion)
        if score is not None and (best is None or sign * score < sign * best[0]):
            best = (score, row)
    if best is None:
        return None
    score, judged = best
    place = (judged.id, judged.sample, judged.turn)
    answer = next((row for row in ANSWERS.iterate(model) if (row.id, row.sample, row.turn) == place), None)
    question = one_line(asked.get(judged.id, ""), LONGEST_ASKED) or judged.id
    return Telling(criterion, model, score, judged.id, question, beginning(answer)) if answer else None


def beginning(answer: Answer) -> str:
    """How an answer begins, or why there is none."""
    if answer.finish_reason == "error":
        return f"(no answer: {one_line(answer.error or '', LONGEST_BEGINNING)})"
    return one_line(answer.answer, LONGEST_BEGINNING) or "(empty)"


def alike_sentence(model: str, other: str) -> str:
    """How many answers of two models are the same word for word; empty where none is."""
    given = {(row.id, row.sample, row.turn): row.answer for row in ANSWERS.iterate(other)}
    rows = [given.get((row.id, row.sample, row.turn)) == row.answer for row in ANSWERS.iterate(model) if row.answer]
    if not any(rows):
        return ""
    alike = f"{sum(rows):,} are word for word those of {plain_name(other)}"
    return f"Of {len(rows):,} answers of {plain_name(model)}, {alike}."


def first_prompt(model: str) -> str:
    """The first question as this model was asked it, whole with all that its prompt format adds."""
    prompt = next((answer.prompt for answer in ANSWERS.iterate(model)), "")
    return prompt if len(prompt) <= LONGEST_PROMPT else f"{prompt[:LONGEST_PROMPT]}…"
