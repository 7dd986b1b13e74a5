"""What people said of the answers on the page: their labels, found again by the texts that they are about."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tuneproof.records.handovers import ANSWERS, read_labels
from tuneproof.records.keys import answer_label_key, pair_label_key
from tuneproof.records.rows import Answer, Label, Question
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.params import Params

Texts = dict[str, list[Answer]]  # a model's answers by question


@dataclass(frozen=True)
class Labels:
    """Labels by their key. Where there are none, nothing is looked up."""

    by_key: Mapping[str, list[Label]] = field(default_factory=dict)
    rubric: Any = None  # as the keys of labels take it
    preferred_by: str = ""  # the criteria by which pairs are compared
    baseline: str = ""
    answers: Mapping[str, Texts] = field(default_factory=dict)  # by model, where pairs were labelled

    def of_answer(self, question: Question, answer: Answer) -> list[Label]:
        """What each rater said of an answer."""
        if not self.by_key or answer.turn is not None:
            return []
        key = answer_label_key(question.asked, question.reference, answer.answer, self.rubric)
        return self.by_key.get(key, [])

    def of_pairs(self, model: str, question: Question) -> Iterator[tuple[Label, float]]:
        """What each rater preferred, and how: 1 is the model's answer, 0 the baseline's."""
        if not self.answers or model == self.baseline:
            return
        ours, theirs = (self.answers[name].get(question.id, []) for name in (model, self.baseline))
        for one, other in zip(ours, theirs, strict=False):
            for turned in (False, True):
                first, second = (other, one) if turned else (one, other)
                texts = (first.answer, second.answer)
                key = pair_label_key(question.asked, question.reference, *texts, self.preferred_by)
                for label in self.by_key.get(key, []):
                    if label.preference is not None and one.answer != other.answer:
                        yield label, 1 - label.preference if turned else label.preference


def read_page_labels(params: Params) -> Labels:
    """All labels given with this run's instructions; `params` are the world's. Raises a UserError for a broken line."""
    by_key: dict[str, list[Label]] = {}
    for label in read_labels(params.instructions):
        by_key.setdefault(label.key, []).append(label)
    pairs = any(label.kind == "pair" for labels in by_key.values() for label in labels)
    return Labels(
        by_key,
        rubric_of(params.judge.criteria),
        params.compare.criteria,
        params.baseline,
        {model: answers_by_question(model) for model in params.models} if pairs else {},
    )


def answers_by_question(model: str) -> Texts:
    """A model's answers that a person can be asked about."""
    found: Texts = {}
    for answer in ANSWERS.iterate(model):
        if answer.turn is None:
            found.setdefault(answer.id, []).append(answer)
    return found
