"""This run's answers and pairs that people rated at random, each with what the judge made of it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tuneproof.records.documents.agreement import AnswerLabels, RandomLabels
from tuneproof.records.handovers import ANSWERS, COMPARISONS, JUDGEMENTS
from tuneproof.records.rows import Label, Question
from tuneproof.scoring.people.agreeing import Rated
from tuneproof.scoring.people.matching import Labelled, labelled_answers, labelled_pairs
from tuneproof.settings.params import Params
from tuneproof.statistics.corrected import FEWEST_LABELS
from tuneproof.statistics.win_rates import BothOrders, both_orders

Place = tuple[str, int]  # a question's id and a sample


@dataclass
class Gathered:
    """What people rated. The same answer of two models is one answer here, and a row of both in `rows`."""

    criteria: dict[str, list[Rated]] = field(default_factory=dict)
    pairs: list[Rated] = field(default_factory=list)
    rows: list[AnswerLabels] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


def gather(labels: Sequence[Label], questions: Mapping[str, Question], params: Params) -> Gathered:
    """Everything that these labels say of this run; `params` are the world's."""
    gathered = Gathered()
    for model in params.models:
        of_answers = by_place(labelled_answers(model, labels, questions, params))
        if of_answers:
            add_answers(gathered, model, of_answers, list(params.judge.criteria))
        if params.compare.enabled and model != params.baseline:
            of_pairs = by_place(labelled_pairs(model, labels, questions, params))
            if of_pairs:
                add_pairs(gathered, model, of_pairs, params.baseline)
    return gathered


def by_place(labelled: Iterable[Labelled]) -> dict[Place, list[Labelled]]:
    """Labels by the answer that they are about."""
    found: dict[Place, list[Labelled]] = {}
    for one in labelled:
        found.setdefault((one.id, one.sample), []).append(one)
    return found


def add_answers(
    gathered: Gathered, model: str, labelled: Mapping[Place, Sequence[Labelled]], criteria: Sequence[str]
) -> None:
    """Adds one model's labelled answers."""
    judged = {
        (row.id, row.sample): row.scores or {} for row in JUDGEMENTS.iterate(model) if (row.id, row.sample) in labelled
    }
    lengths = lengths_of(model, labelled)
    for place, labels in labelled.items():
        new = labels[0].label.key not in gathered.keys
        gathered.keys |= {one.label.key for one in labels}
        means = {}
        for name in criteria:
            ratings = {
                one.label.rater: float(one.label.scores[name])
                for one in labels
                if one.label.scores and name in one.label.scores
            }
            if not ratings:
                continue
            means[name] = math.fsum(ratings.values()) / len(ratings)
            if new:
                judge = float(judged.get(place, {}).get(name, math.nan))
                gathered.criteria.setdefault(name, []).append(Rated(place[0], ratings, judge, lengths[place]))
        if means:
            gathered.rows.append(
                AnswerLabels(
                    model=model, id=place[0], sample=place[1], scores=dict(means), preference=None, raters=len(labels)
                )
            )


def add_pairs(gathered: Gathered, model: str, labelled: Mapping[Place, Sequence[Labelled]], baseline: str) -> None:
    """Adds one model's labelled pairs; the judge's preference is the mean over both orders."""
    orders: dict[Place, list[float | None]] = {}
    for row in COMPARISONS.iterate(model):
        if (row.id, row.sample) in labelled:
            orders.setdefault((row.id, row.sample), []).append(row.preference)
    ours, theirs = lengths_of(model, labelled), lengths_of(baseline, labelled)
    for place, labels in labelled.items():
        ratings = {one.label.rater: one.preference for one in labels if one.preference is not None}
        judged = [one for one in orders.get(place, []) if one is not None]
        judge = math.fsum(judged) / 2 if len(judged) == 2 else math.nan
        mean = math.fsum(ratings.values()) / len(ratings)
        gathered.keys |= {one.label.key for one in labels}
        gathered.pairs.append(Rated(place[0], ratings, judge, ours[place] - theirs[place]))
        gathered.rows.append(
            AnswerLabels(model=model, id=place[0], sample=place[1], scores=None, preference=mean, raters=len(ratings))
        )


def lengths_of(model: str, places: Mapping[Place, object]) -> dict[Place, float]:
    """The lengths, in characters, of some of a model's answers."""
    return {
        (row.id, row.sample): float(len(row.answer)) for row in ANSWERS.iterate(model) if (row.id, row.sample) in places
    }


def read_orders(model: str) -> BothOrders:
    """A model's comparisons with the baseline, both orders of each; none where there is no file."""
    if not COMPARISONS.path(model).is_file():
        return both_orders([])
    rows = ((row.id, (row.sample, row.turn), row.order, row.preference) for row in COMPARISONS.iterate(model))
    return both_orders(rows)


def random_labels(labels: Sequence[Label], gathered: Gathered, models: Sequence[str]) -> RandomLabels:
    """How many labels may correct scores, and how many are missing."""
    counts = {model: len({row.id for row in gathered.rows if row.model == model and row.scores}) for model in models}
    return RandomLabels(
        needed=FEWEST_LABELS,
        questions=counts,
        missing={model: max(FEWEST_LABELS - count, 0) for model, count in counts.items()},
        no_longer_here=len({label.key for label in labels} - gathered.keys),
    )
