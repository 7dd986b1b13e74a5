"""The gate's decision: two runs of the same models, paired by question, and whether one scores worse."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tuneproof.results.details import RunDetails
from tuneproof.results.gate.changes import Change
from tuneproof.results.gate.sides import Pairing, Side, compared_criteria
from tuneproof.settings.params import Gate
from tuneproof.statistics.differences import Difference, paired_differences, simultaneous_differences

Outcome = Literal["no regression", "regression", "cannot tell"]

ALPHA_SHARE = 0.5  # of decision.alpha: a gate is asked again and again, and a false alarm stops a release


@dataclass(frozen=True)
class Decision:
    """One model on one criterion.

    `difference` is None where nothing was scored in both, and where nothing changed: then there is nothing to infer.
    `lost` questions had a score in the other run and have none in this one.
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

    `shipping` is what the plan says of the models here, whatever they were in the other run, `before`.
    """

    against: str
    run: RunDetails
    before: RunDetails
    shipping: list[str]
    gate: Gate
    questions: int
    unpaired: int
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


def compare(here: Side, there: Side, pairing: Pairing, run: RunDetails, gate: Gate) -> list[Decision]:
    """Decides on every model and criterion, with intervals that hold together over all that changed."""
    keys = [(model, criterion) for model in here.scores for criterion in compared_criteria(run)]
    now = {key: here.scores[key[0]].get(key[1], {}) for key in keys}
    before = {key: there.scores[key[0]].get(key[1], {}) for key in keys}
    changed = {key for key in keys if has_changed(key[0], now[key], before[key], here, there, pairing)}
    differences = simultaneous_differences(
        {key: paired_differences(now[key], before[key], pairing.questions) for key in keys if key in changed},
        run.alpha * ALPHA_SHARE,
        {key: run.criteria[key[1]].ends for key in keys},
    )
    return [
        Decision(
            model=key[0],
            criterion=key[1],
            difference=differences.get(key),
            changed=key in changed,
            lost=sum(question in before[key] and question not in now[key] for question in pairing.questions),
            outcome=decide(differences.get(key), run.min_questions, gate.of(key[1]))
            if key in changed
            else "no regression",
        )
        for key in keys
    ]


def has_changed(
    model: str, now: dict[str, float], before: dict[str, float], here: Side, there: Side, pairing: Pairing
) -> bool:
    """Whether any answer to a common question, or any of its scores, is another than before."""
    return any(
        here.answers[model].get(question) != there.answers[model].get(question)
        or now.get(question) != before.get(question)
        for question in pairing.questions
    )


def decide(difference: Difference | None, min_questions: int, max_drop: float) -> Outcome:
    """Reads the outcome from a difference (this run less the other) and its interval."""
    if difference is None or difference.questions < min_questions:
        return "cannot tell"
    interval = difference.interval
    if interval.low > -max_drop:
        return "no regression"
    return "regression" if interval.high < 0 and interval.mean < -max_drop else "cannot tell"
