"""The gate's decision: two runs of the same models, paired by question or item, and whether one scores worse."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tuneproof.results.analysis.decisions import side_by_side, tasks_beside
from tuneproof.results.details.run import Criterion, RunDetails
from tuneproof.results.gate.changes import Change
from tuneproof.results.gate.items import SameItems
from tuneproof.results.gate.sides import Pairing, Side, compared_criteria
from tuneproof.settings.params import Gate
from tuneproof.statistics.differences import Difference, in_order, simultaneous_differences
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import Scale

Outcome = Literal["no regression", "regression", "cannot tell"]

ALPHA_SHARE = 0.5  # of decision.alpha: a gate is asked again and again, and a false alarm stops a release


@dataclass(frozen=True)
class Decision:
    """One model on one criterion.

    `difference` is None where nothing was scored in both, and where nothing changed: then there is nothing to infer.
    `lost` questions or items had a score in the other run and have none in this one.
    """

    model: str
    criterion: str
    difference: Difference | None
    changed: bool
    lost: int
    outcome: Outcome


@dataclass(frozen=True)
class Findings:
    """Everything that the gate found. `new` models were asked for and are only here, `gone` ones are only there.

    `unpaired` questions, and by benchmark `unpaired_items`, are not the same in both runs.
    `shipping` is what the plan says of the models here, whatever they were in the other run, `before`.
    """

    against: str
    run: RunDetails
    before: RunDetails
    shipping: list[str]
    gate: Gate
    questions: int
    unpaired: int
    unpaired_items: dict[str, int]
    new: list[str]
    gone: list[str]
    decisions: list[Decision]
    changes: list[Change]

    @property
    def outcome(self) -> Outcome:
        """What all decisions together say."""
        return combined(decision.outcome for decision in self.decisions)


def combined(outcomes: Iterable[Outcome]) -> Outcome:
    """A regression anywhere is one; without one, anything that cannot be told leaves the whole so."""
    seen = set(outcomes)
    if "regression" in seen:
        return "regression"
    return "cannot tell" if "cannot tell" in seen else "no regression"


@dataclass(frozen=True)
class Pairs:
    """One model on one criterion: its scores in the two runs, by question or item that both have; NaN without one.

    `weights` has what each of them counts, where that is not 1; `changed` says whether any score or text is another.
    """

    now: Array
    before: Array
    changed: bool
    weights: Array | None = None

    @property
    def differences(self) -> Array:
        """This run less the other."""
        values = self.now - self.before
        return values if self.weights is None else values * self.weights

    @property
    def lost(self) -> int:
        """How many had a score before and have none now."""
        return int(np.sum(np.isnan(self.now) & ~np.isnan(self.before)))


def compare(
    here: Side, there: Side, pairing: Pairing, items: Mapping[str, SameItems], run: RunDetails, gate: Gate
) -> list[Decision]:
    """Decides on every model and criterion, with intervals that hold together over all that changed."""
    pairs = {
        (model, name): item_pairs(model, name, here, there, items[name])
        if name in items
        else question_pairs(model, name, here, there, pairing)
        for model in here.scores
        for name in compared_criteria(run)
    }
    changed = {key: one.differences for key, one in pairs.items() if one.changed}
    groups = {name: one.tasks for name, one in items.items() if one.tasks is not None}
    differences = simultaneous_differences(
        side_by_side(run, changed),
        run.alpha * ALPHA_SHARE,
        {key: scale_of(run.criteria[key[1]], items.get(key[1])) for key in pairs},
        tasks_beside(run, changed, groups),
    )
    return [
        Decision(
            model=key[0],
            criterion=key[1],
            difference=differences.get(key),
            changed=one.changed,
            lost=one.lost,
            outcome=outcome_of(run, gate, key[1], one, differences.get(key)),
        )
        for key, one in pairs.items()
    ]


def outcome_of(run: RunDetails, gate: Gate, criterion: str, pairs: Pairs, difference: Difference | None) -> Outcome:
    """What is decided of one model on one criterion: nothing by a judge that is no better than chance."""
    if not pairs.changed:
        return "no regression"
    return "cannot tell" if criterion in run.withheld else decide(difference, run.min_questions, gate.of(criterion))


def question_pairs(model: str, criterion: str, here: Side, there: Side, pairing: Pairing) -> Pairs:
    """One model on one criterion of the run's questions."""
    now, before = (in_order(side.scores[model].get(criterion, {}), pairing.questions) for side in (here, there))
    texts = [[side.answers[model].get(question) for question in pairing.questions] for side in (here, there)]
    return Pairs(now, before, changed=texts[0] != texts[1] or not np.array_equal(now, before, equal_nan=True))


def item_pairs(model: str, criterion: str, here: Side, there: Side, same: SameItems) -> Pairs:
    """One model on one benchmark. Where nothing can be paired nothing can be said, so that counts as changed."""
    sides = [side.benchmarks[criterion].get(model) for side in (here, there)]
    now, before = (in_order(one.scores if one else {}, same.items) for one in sides)
    texts = [[one.rows[item].response for item in same.items] if one else [] for one in sides]
    changed = not same.items or texts[0] != texts[1] or not np.array_equal(now, before, equal_nan=True)
    return Pairs(now, before, changed, same.weights)


def scale_of(criterion: Criterion, same: SameItems | None) -> Scale:
    """Two ends as far apart as a difference can be, with what an item counts at most."""
    reach = same.reach if same else 1.0
    return criterion.low, criterion.low + reach * (criterion.high - criterion.low)


def decide(difference: Difference | None, min_questions: int, max_drop: float) -> Outcome:
    """Reads the outcome from a difference (this run less the other) and its interval."""
    if difference is None or difference.questions < min_questions:
        return "cannot tell"
    interval = difference.interval
    if interval.low > -max_drop:
        return "no regression"
    return "regression" if interval.high < 0 and interval.mean < -max_drop else "cannot tell"
