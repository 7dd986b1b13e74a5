"""What an evaluator learns from: texts, the class that somebody gave them, and the question that they answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tuneproof.common.errors import UserError
from tuneproof.records.handovers import ANSWERS, JUDGEMENTS
from tuneproof.records.keys import content_key
from tuneproof.records.rows import Question
from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.settings.evidence.judging import Criterion
from tuneproof.statistics.distributions import Array

Source = Literal["judge", "data", "people", "made"]
Ratings = Mapping[tuple[str, int], Sequence[float]]  # what people gave, by question and sample


@dataclass(frozen=True)
class Classes:
    """The classes by name; on a scale the lowest first, with their numbers."""

    names: tuple[str, ...]
    steps: tuple[float, ...] | None

    @classmethod
    def of_criterion(cls, criterion: Criterion) -> "Classes":
        """A judge's scale."""
        steps = tuple(float(step) for step in criterion.scale)
        return cls(tuple(map(step_name, steps)), steps)

    def targets(self, labels: Sequence[str]) -> Array:
        """What each logit should be for these labels, rows x logits: 1 for high, 0 for low."""
        numbers = self.numbers(labels)[:, None]
        if self.steps is None:
            return np.asarray(numbers == np.arange(len(self.names)), dtype=float)
        return np.asarray(numbers > np.arange(len(self.names) - 1), dtype=float)

    def numbers(self, labels: Sequence[str]) -> Array:
        """The classes' numbers, from 0."""
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([place[label] for label in labels], dtype=float)

    def nearest(self, score: float) -> str:
        """The class whose step is nearest to a score, the higher of two."""
        steps = self.steps or ()
        return self.names[max(range(len(steps)), key=lambda place: (-abs(steps[place] - score), place))]


def step_name(step: float) -> str:
    """A step as a class is called: 1, not 1.0."""
    return f"{step:g}"


@dataclass(frozen=True)
class Example:
    """A labelled answer. `group` is its question: all its examples are learned from, or none.

    `ratings` are what each person gave where people did; `source` says whose label it is, `made` a made-up answer's.
    """

    texts: Texts
    group: str
    label: str
    weight: float = 1.0
    source: Source = "judge"
    ratings: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What identifies it, its label and its weight included."""
        texts = (self.texts.input, self.texts.output, self.texts.ground_truth)
        return content_key([*texts, self.group, self.label, self.weight, self.source])


def group_of(text: str) -> str:
    """A question's name among examples: its text, whatever its case and white space."""
    return " ".join(text.lower().split())


def judged_examples(
    model: str,
    criterion: str,
    classes: Classes,
    questions: Mapping[str, Question],
    ratings: Ratings,
    weights: Mapping[Source, float],
) -> Iterator[Example]:
    """A model's answers with the judge's scores, or people's where they rated one.

    An answer that neither of them scored teaches nothing and is left out. Raises a UserError where answers, judgements
    and questions are not of one run.
    """  # fmt: skip
    judged = {(row.id, row.sample): row.scores for row in JUDGEMENTS.iterate(model)}
    for answer in ANSWERS.iterate(model):
        question = questions.get(answer.id)
        if question is None:
            remedy = "run `dvc repro`: the questions changed after these answers were generated"
            raise UserError(f"answer {answer.id[:40]}", "its question is not there", remedy)
        if question.is_conversation:  # what it answers is more than the texts that an evaluator sees
            continue
        texts = Texts(question.asked, answer.answer, question.reference)
        given = ratings.get((answer.id, answer.sample), ())
        score = (judged.get((answer.id, answer.sample)) or {}).get(criterion)
        if given:
            label = classes.nearest(sum(given) / len(given))
            names = tuple(classes.nearest(each) for each in given)
            yield Example(texts, group_of(question.asked), label, weights["people"], "people", names)
        elif score is not None:
            yield Example(texts, group_of(question.asked), classes.nearest(score), weights["judge"], "judge")


def distinct(examples: Iterable[Example]) -> list[Example]:
    """Each answer to each question once: people's label before a file's, a file's before the judge's."""
    order: dict[Source, int] = {"people": 0, "data": 1, "judge": 2, "made": 3}
    kept: dict[tuple[str, Texts], Example] = {}
    for example in examples:
        there = kept.get((example.group, example.texts))
        if there is None or order[example.source] < order[there.source]:
            kept[example.group, example.texts] = example
    return list(kept.values())
