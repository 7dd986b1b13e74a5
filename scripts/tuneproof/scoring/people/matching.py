"""Labels beside the answers of the present run: one that comes again, from whichever model, is labelled already."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from tuneproof.common.errors import UserError
from tuneproof.records.handovers import ANSWERS, HERE
from tuneproof.records.keys import answer_label_key, pair_label_key
from tuneproof.records.rows import Answer, Label, Question
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.params import Params

Questions = Mapping[str, Question]


@dataclass(frozen=True)
class Labelled:
    """A label and an answer of this run that it is about; of a pair, the model's answer beside the baseline's.

    `preference` is 1 where the model's answer is the better one, None where it is no pair.
    """

    model: str
    id: str
    sample: int
    label: Label
    preference: float | None = None


def labelled_answers(
    model: str, labels: Sequence[Label], questions: Questions, params: Params, root: Path = HERE
) -> Iterator[Labelled]:
    """A model's answers with what each rater said of them, in the answers' order; `params` are the world's."""
    by_key, rubric = labels_by_key(labels, "answer"), rubric_of(params.judge.criteria)
    for answer, question in ratable(model, questions, root) if by_key else ():
        key = answer_label_key(question.asked, question.reference, answer.answer, rubric)
        for label in by_key.get(key, ()):
            yield Labelled(model, answer.id, answer.sample, label)


def labelled_pairs(
    model: str, labels: Sequence[Label], questions: Questions, params: Params, root: Path = HERE
) -> Iterator[Labelled]:
    """A model's answers beside the baseline's with what each rater preferred, in the answers' order."""
    by_key = labels_by_key(labels, "pair")
    for one, other, question in ratable_pairs(model, params.baseline, questions, root) if by_key else ():
        for turned in (False, True):
            first, second = (other, one) if turned else (one, other)
            key = pair_label_key(
                question.asked, question.reference, first.answer, second.answer, params.compare.criteria
            )
            for label in by_key.get(key, ()):
                if label.preference is not None:
                    preference = 1 - label.preference if turned else label.preference
                    yield Labelled(model, one.id, one.sample, label, preference)


def labels_by_key(labels: Sequence[Label], kind: str) -> dict[str, list[Label]]:
    """The labels of one kind, those of one key together."""
    found: dict[str, list[Label]] = {}
    for label in labels:
        if label.kind == kind:
            found.setdefault(label.key, []).append(label)
    return found


def ratable(model: str, questions: Questions, root: Path = HERE) -> Iterator[tuple[Answer, Question]]:
    """A model's answers that a person can be asked about, each with its question: those with a text.

    Raises a UserError for an answer whose question is not there.
    """
    for answer in ANSWERS.iterate(model, root):
        if has_text(answer):
            yield answer, question_of(answer, questions)


def ratable_pairs(
    model: str, baseline: str, questions: Questions, root: Path = HERE
) -> Iterator[tuple[Answer, Answer, Question]]:
    """A model's answers beside the baseline's, each with its question, where both have a text and these differ.

    Raises a UserError where the two are not of the same questions.
    """
    for one, other in zip_longest(ANSWERS.iterate(model, root), ANSWERS.iterate(baseline, root)):
        if one is None or other is None or (one.id, one.sample) != (other.id, other.sample):
            found = f"the answers of {model} and {baseline} are not of the same questions"
            raise UserError(f"model {model}", found, "run `dvc repro`")
        if has_text(one) and has_text(other) and one.answer != other.answer:
            yield one, other, question_of(one, questions)


def has_text(answer: Answer) -> bool:
    """Whether there is anything to rate: a person is shown one question and its answer, no turn of a conversation."""
    return answer.finish_reason != "error" and bool(answer.answer.strip()) and answer.turn is None


def question_of(answer: Answer, questions: Questions) -> Question:
    """An answer's question; raises a UserError where there is none."""
    if answer.id not in questions:
        remedy = "run `dvc repro`: the questions changed after these answers were generated"
        raise UserError(f"answer {answer.id[:40]}", "its question is not in data/questions.jsonl", remedy)
    return questions[answer.id]
