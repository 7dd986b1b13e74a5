"""Benchmarks as a source of scores: by item instead of by question, paired by the item's task and document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuneproof.common.errors import UserError
from tuneproof.records.documents.benchmark_summary import TaskSummary
from tuneproof.records.handovers import BENCHMARKS, benchmark_summary
from tuneproof.records.rows import Benchmark
from tuneproof.results.analysis.criteria import Scored
from tuneproof.results.analysis.reading.sources import check_scale
from tuneproof.results.details.run import Criterion
from tuneproof.settings.evidence.benchmarks import Benchmarks
from tuneproof.settings.params import Params
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.limits.strata import equal_task_weights

AGAIN = "run `dvc repro --single-item --force benchmark`, then `dvc repro`"
Item = tuple[str, str]  # a task of the harness and a document


@dataclass(frozen=True)
class Measured:
    """One model's benchmarks: what the harness says, and by criterion the items and their scores in order."""

    said: dict[str, TaskSummary]
    items: dict[str, list[Item]]
    scores: dict[str, Array]

    @property
    def weights(self) -> dict[str, Array]:
        """What each item counts, for groups of tasks; 1 on average."""
        found = {name: item_weights([task for task, _ in items], self.said[name]) for name, items in self.items.items()}
        return {name: weights for name, weights in found.items() if weights is not None}


def item_weights(tasks: Sequence[str], said: TaskSummary) -> Array | None:
    """What each item counts, by its task, in a group's mean; None where all are of one task."""
    if len(set(tasks)) < 2:
        return None
    return np.ones(len(tasks)) if said.weights == "items" else equal_task_weights(tasks)


def asked(params: Params) -> Params:
    """The settings without benchmarks where the embedded world leaves them out, for want of the harness."""
    if not params.benchmark.tasks:
        return params
    left_out = [benchmark_summary(model).read().left_out for model in params.models]
    if not any(left_out):
        return params
    if not all(left_out):
        raise UserError(str(BENCHMARKS.directory), "the benchmarks of some models are left out", AGAIN)
    nothing = params.model_copy(update={"benchmark": Benchmarks()})
    return nothing.model_copy(update={"decision": params.decision.of_known(nothing.criteria)})


def read_benchmarks(params: Params) -> dict[str, Measured]:
    """Every model's benchmarks; none where no task is set.

    Raises a UserError where two models had other items, or were scored by another state of a task.
    """
    if not params.benchmark.tasks:
        return {}
    found = {model: read_one(model, params.benchmark) for model in params.models}
    baseline = found[params.baseline]
    for model, one in found.items():
        where = str(BENCHMARKS.path(model))
        for name, items in one.items.items():
            if one.said[name].contents != baseline.said[name].contents:
                raise UserError(where, f"the task {name} was another one when the baseline was asked", AGAIN)
            if items != baseline.items[name]:
                raise UserError(where, f"its items of {name} are not the baseline's, so they cannot be paired", AGAIN)
    return found


def read_one(model: str, settings: Benchmarks) -> Measured:
    """One model's benchmarks. Raises a UserError for what was asked otherwise than the settings say."""
    path, said = BENCHMARKS.path(model), benchmark_summary(model).read().tasks
    rows: dict[str, list[Benchmark]] = {name: [] for name in settings.tasks}
    for row in BENCHMARKS.iterate(model):
        rows.setdefault(row.criterion, []).append(row)
    for name in settings.tasks:
        if name not in said or not rows[name]:
            raise UserError(
                str(path), f"it has nothing for {name}, so it was made by other settings", "run `dvc repro`"
            )
    scores = {name: scores_of(model, rows[name], said[name].metric) for name in settings.tasks}
    for name, (low, high) in settings.ranges.items():
        check_scale(path, name, scores[name], Criterion(source="", low=low, high=high, step=high - low, role="shown"))
    items = {name: [(row.task, row.id) for row in rows[name]] for name in settings.tasks}
    return Measured({name: said[name] for name in settings.tasks}, items, scores)


def scores_of(model: str, rows: Sequence[Benchmark], metric: str) -> Array:
    """The counting metric of every item. Raises a UserError for an item without it."""
    scores = [row.scores.get(metric) for row in rows]
    if None in scores:
        found = f"the item {rows[scores.index(None)].id[:40]} has no {metric[:40]}"
        raise UserError(str(BENCHMARKS.path(model)), found, AGAIN)
    return np.array(scores, dtype=np.float64)


def reaches(measured: Mapping[str, Measured]) -> dict[str, float]:
    """By criterion what an item counts at most; 1 but for groups whose tasks count alike and differ in size."""
    first = next(iter(measured.values()), None)
    return {name: float(weights.max()) for name, weights in first.weights.items()} if first else {}


def add_benchmarks(scored: Mapping[str, Scored], measured: Mapping[str, Measured]) -> None:
    """Makes every task a criterion like any other, over units of its own."""
    for model, one in measured.items():
        scored[model].scores.update(one.scores)
        scored[model].weights.update(one.weights)
        scored[model].tasks.update({name: [task for task, _ in items] for name, items in one.items.items()})
