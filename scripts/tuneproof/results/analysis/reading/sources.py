"""Criteria from any source of scores: which there are, what each decides, and their rows as arrays.

A source beside the judge hands on rows like `Check`. One more source is a handover here, and its scales in
`Params.scales`.
"""

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tuneproof.common.errors import UserError
from tuneproof.records.handovers import CHECKS, Handover
from tuneproof.records.rows import Answer, Check
from tuneproof.results.details.run import Criterion, PlanDetails, Role
from tuneproof.settings.evidence.decision import Decision
from tuneproof.settings.params import Params
from tuneproof.statistics.distributions import Array

HANDOVERS: dict[str, Handover[Check]] = {"check": CHECKS}  # by source

RERUN = "run `dvc repro`: one of the two files is older than the other"


def run_criteria(params: Params, reaches: Mapping[str, float]) -> dict[str, Criterion]:
    """Every criterion of the run and what it decides: the claim's first, then the judge's and the other sources'.

    The win rate is one only where the plan names it; it is shown anyway. `reaches` has what an item counts at most, in
    benchmarks where that is not 1.
    """
    decision = params.decision
    found = {
        name: Criterion(
            source=source, low=low, high=high, step=step(params, source, name), role=role, reach=reaches.get(name, 1.0)
        )
        for source, scales in params.scales.items()
        for name, (low, high) in scales.items()
        if (role := role_of(decision, source, name)) != "shown" or source != "compare"
    }
    claimed = [name for name in decision.improves or () if name in found] if decision.in_order else []
    return {name: found[name] for name in [*claimed, *(name for name in found if name not in claimed)]}


def role_of(decision: Decision, source: str, name: str) -> Role:
    """What a criterion decides. Without a list of its own the claim is all of the judge's criteria."""
    if name in decision.improves if decision.improves is not None else source == "judge":
        return "improves"
    return "guard" if name in decision.must_not_drop else "shown"


def step(params: Params, source: str, name: str) -> float:
    """How far apart neighbouring scores are: on average for the judge's steps, the whole range of anything else."""
    low, high = params.scales[source][name]
    return (high - low) / (len(params.judge.criteria[name].scale) - 1) if source == "judge" else high - low


def plan_details(decision: Decision, criteria: Mapping[str, Criterion], earlier: Sequence[str]) -> PlanDetails | None:
    """The plan as it is recorded; None where there is none. `earlier` are the keys of plans that it came after."""
    if not decision.is_plan:
        return None
    claimed = [name for name, one in criteria.items() if one.role == "improves"]
    return PlanDetails(
        key=decision.key,
        improves=claimed,
        in_order=decision.in_order,
        must_not_drop=decision.must_not_drop,
        earlier=tuple(earlier),
    )


class SourceRows:
    """One source's rows of one model, taken one after the other beside the answers that they are about."""

    def __init__(self, source: str, model: str, criteria: Mapping[str, Criterion]) -> None:
        """Opens the file; raises a UserError where there is none."""
        handover = HANDOVERS[source]
        self.path = handover.path(model)
        self.criteria = {name: one for name, one in criteria.items() if one.source == source}
        self.statuses = Counter[str]()
        self._rows = handover.iterate(model)
        self._columns = {name: array("d") for name in self.criteria}

    def take(self, answer: Answer) -> None:
        """Takes the row of the next answer. Raises a UserError where the file holds another one, or other criteria."""
        row = next(self._rows, None)
        if row is None or (row.id, row.sample, row.turn) != (answer.id, answer.sample, answer.turn):
            found = f"there is no row where answer {answer.id[:40]}, sample {answer.sample}, has its place"
            raise UserError(str(self.path), found, RERUN)
        self.statuses[row.status] += 1
        for name, column in self._columns.items():
            if name not in row.scores:
                found = f"answer {answer.id[:40]} has nothing for {name}, so it was scored by other settings"
                raise UserError(str(self.path), found, "run `dvc repro`")
            score = row.scores[name]
            column.append(math.nan if score is None else score)

    def arrays(self) -> dict[str, Array]:
        """A score for each answer, NaN where there is none. Raises a UserError for a row too many, or off the scale."""
        if next(self._rows, None) is not None:
            raise UserError(str(self.path), "it holds more rows than there are answers", RERUN)
        columns = {name: np.array(column) for name, column in self._columns.items()}
        for name, values in columns.items():
            check_scale(self.path, name, values, self.criteria[name])
        return columns


def check_scale(path: Path, name: str, values: Array, criterion: Criterion) -> None:
    """Raises a UserError for a score that the criterion's scale does not have."""
    off = values[(values < criterion.low) | (values > criterion.high) | np.isinf(values)]
    if off.size:
        found = f"a score of {off[0]:g} for {name}, whose scale is {criterion.low:g} to {criterion.high:g}"
        raise UserError(str(path), found, "run `dvc repro`")
