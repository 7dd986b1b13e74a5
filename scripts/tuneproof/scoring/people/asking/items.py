"""What people are asked: answers and pairs drawn at random by question, and those most worth a look."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tuneproof.records.keys import answer_label_key, content_key, pair_label_key
from tuneproof.scoring.people.asking.doubts import NO_DOUBTS, Doubts, read_doubts
from tuneproof.scoring.people.matching import Questions, ratable, ratable_pairs
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.params import Params

Kind = Literal["answer", "pair"]
Drawn = Literal["random", "chosen"]


@dataclass(frozen=True)
class Item:
    """One answer, or a model's and the baseline's beside each other, as a person is asked about it.

    It names no model. `keys` are those under which it may be labelled already: its own, and of a pair also the one
    of the same two answers turned around.
    """

    keys: tuple[str, ...]
    id: str
    kind: Kind
    question: str
    reference: str | None
    answers: tuple[str, ...]
    drawn: Drawn = "random"
    doubt: float = 0.0

    @property
    def key(self) -> str:
        """What a label of it is called by."""
        return self.keys[0]


def items_of_run(
    params: Params, questions: Questions, undecided: Collection[str] = (), further: Doubts = NO_DOUBTS
) -> list[Item]:
    """All that is asked of the present run, each once; `params` are the world's.

    For what is chosen `undecided` models weigh more, and `further` doubts add to the judge's own.

    Of the questions that are drawn, every model's answer is asked, so that gains have both sides. With the same seed
    more questions hold all of fewer.
    """
    people, models = params.people, list(params.models)
    others = [model for model in models if model != params.baseline]
    drawn = shuffled(questions, people.seed)
    for_answers = set(drawn[: math.ceil(people.sample / len(models))])
    for_pairs = set(drawn[: math.ceil(people.pairs / len(others))]) if others else set()
    doubts = read_doubts(params, undecided, further) if people.chosen else {}
    found: dict[str, Item] = {}
    candidates: dict[str, Item] = {}
    for item in every_item(params, questions, doubts):
        known = item.keys[-1] if item.keys[-1] in found else item.key
        if item.id in (for_answers if item.kind == "answer" else for_pairs):
            found.setdefault(known, item)
        elif item.doubt > 0 and (item.kind == "answer" or people.pairs):
            candidates.setdefault(known, item)
    worth = sorted((candidates[key] for key in candidates.keys() - found.keys()), key=lambda one: (-one.doubt, one.key))
    return [*found.values(), *(replace(item, drawn="chosen") for item in worth[: people.chosen])]


def shuffled(names: Mapping[str, object] | Sequence[str], seed: int) -> list[str]:
    """Names in an order drawn by the seed, in which each keeps its place whatever others there are."""
    return sorted(names, key=lambda name: content_key([seed, name]))


def every_item(params: Params, questions: Questions, doubts: Doubts) -> Iterator[Item]:
    """Every answer and pair of the run that can be asked, one sample of each question."""
    rubric, seed = rubric_of(params.judge.criteria), params.people.seed
    for model in params.models:
        samples = {(one.id, one.sample): (one, question) for one, question in ratable(model, questions)}
        for one, question in (samples[place] for place in one_of_each(samples, seed)):
            key = answer_label_key(question.asked, question.reference, one.answer, rubric)
            doubt = doubts.get((model, one.id, one.sample), 0.0)
            yield Item((key,), one.id, "answer", question.asked, question.reference, (one.answer,), doubt=doubt)
    for model in params.models if params.people.pairs else ():
        if model == params.baseline:
            continue
        pairs = {
            (one.id, one.sample): (one, other, question)
            for one, other, question in ratable_pairs(model, params.baseline, questions)
        }
        for one, other, question in (pairs[place] for place in one_of_each(pairs, seed)):
            asked = (question.asked, question.reference)
            keys = (
                pair_label_key(*asked, one.answer, other.answer, params.compare.criteria),
                pair_label_key(*asked, other.answer, one.answer, params.compare.criteria),
            )
            doubt = doubts.get((model, one.id, one.sample), 0.0)
            yield Item(keys, one.id, "pair", *asked, (one.answer, other.answer), doubt=doubt)


def one_of_each(places: Mapping[tuple[str, int], object], seed: int) -> list[tuple[str, int]]:
    """Of each question one sample that is there, drawn by the seed alike for every model."""
    samples: dict[str, list[int]] = {}
    for identity, sample in places:
        samples.setdefault(identity, []).append(sample)
    return [(identity, min(of, key=lambda one: content_key([seed, identity, one]))) for identity, of in samples.items()]


def in_order_of(rater: str, items: Sequence[Item]) -> list[Item]:
    """Items in a rater's own order, in which neither model nor draw shows."""
    return sorted(items, key=lambda item: content_key([rater, item.key]))
