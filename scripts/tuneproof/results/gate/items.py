"""Benchmarks in the gate: whether two runs asked them alike, and which items are the same in both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuneproof.common.errors import UserError
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary, TaskSummary
from tuneproof.records.handovers import BENCHMARKS, benchmark_summary
from tuneproof.records.rows import Benchmark
from tuneproof.results.analysis.benchmarks import item_weights
from tuneproof.statistics.distributions import Array


class NotComparableError(UserError):
    """Two runs whose scores do not measure the same, or that share too little."""


@dataclass(frozen=True)
class Asked:
    """One model's benchmark: what the harness says of its run and of this task, and the rows by document and task."""

    run: BenchmarkSummary
    said: TaskSummary
    rows: dict[str, Benchmark]

    @property
    def scores(self) -> dict[str, float]:
        """The metric that counts, by item, where it has a number."""
        scores = {item: row.scores.get(self.said.metric) for item, row in self.rows.items()}
        return {item: score for item, score in scores.items() if score is not None}


ByModel = Mapping[str, Asked]  # without the models that were not asked


@dataclass(frozen=True)
class SameItems:
    """The items of one benchmark that are the same in both runs for every model, and how many of either are not.

    `weights` is what each counts in a group's mean and `tasks` the number of its task; None where there is no group.
    """

    items: list[str]
    unpaired: int
    weights: Array | None = None
    tasks: Array | None = None

    @property
    def reach(self) -> float:
        """What an item counts at most."""
        return 1.0 if self.weights is None or not self.items else float(self.weights.max())


def read_items(root: Path, models: Sequence[str], criteria: Sequence[str]) -> dict[str, dict[str, Asked]]:
    """A run's benchmarks by criterion and model; a criterion that it does not have has no model."""
    found: dict[str, dict[str, Asked]] = {name: {} for name in criteria}
    for model in models:
        if not criteria or not (root / BENCHMARKS.path(model)).is_file():
            continue
        run, rows = benchmark_summary(model).read(root), dict[str, dict[str, Benchmark]]()
        for row in BENCHMARKS.iterate(model, root):
            rows.setdefault(row.criterion, {})[f"{row.id} {row.task}"] = row
        for name in criteria:
            if name in run.tasks and name in rows:
                found[name][model] = Asked(run, run.tasks[name], rows[name])
    return found


def refuse_asked_otherwise(now: Mapping[str, ByModel], before: Mapping[str, ByModel]) -> None:
    """Raises a UserError that says in what the two runs asked a benchmark otherwise."""
    differing = {
        f"{what} of {name} differs"
        for name, models in now.items()
        for model, asked in models.items()
        if model in before[name]
        for what in differences(asked, before[name][model])
    }
    if differing:
        remedy = "run the stage benchmark at that revision with today's harness, tasks and settings"
        raise NotComparableError("not comparable", "; ".join(sorted(differing)), remedy)


def differences(now: Asked, before: Asked) -> Iterator[str]:
    """What of all that a score depends on, besides item and model, is not the same."""
    pairs = {
        "the harness": (now.run.harness, before.run.harness),
        "the setting chat_template": (now.run.chat_template, before.run.chat_template),
        "the seed": (now.run.seed, before.run.seed),
        "the task": (now.said.task, before.said.task),
        "the task's version": (now.said.versions, before.said.versions),
        "the task's content": (now.said.contents, before.said.contents or now.said.contents),
        "the metric": (now.said.metric, before.said.metric),
        "the number of solved examples": (now.said.num_fewshot, before.said.num_fewshot),
        "the mean": (now.said.weights, before.said.weights),
    }
    return (what for what, (here, there) in pairs.items() if here != there)


def same_items(now: ByModel, before: ByModel) -> SameItems:
    """Pairs one benchmark's items: the same document of the same task, shown and to be answered alike."""
    rows = [asked.rows for asked in (*now.values(), *before.values())]
    every = dict.fromkeys(item for one in rows for item in one)
    if not now or now.keys() != before.keys():
        return SameItems([], len(every))
    shown = [{item: (row.question, row.target) for item, row in one.items()} for one in rows]
    items = [item for item in every if len({one.get(item) for one in shown}) == 1]
    said, tasks = next(iter(now.values())).said, [rows[0][item].task for item in items]
    weights = item_weights(tasks, said)
    numbers = None if weights is None else np.unique(tasks, return_inverse=True)[1].astype(np.float64)
    return SameItems(items, len(every) - len(items), weights, numbers)
