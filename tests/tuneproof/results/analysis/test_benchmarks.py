"""Groups of tasks that differ in size, through aggregate: what counts alike in the harness counts alike here."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.made_up.benchmark_rows import write_benchmarks
from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.records.handovers import BENCHMARKS, DETAILS_DIRECTORY
from tuneproof.results.details.model import Details, read_details
from tuneproof.statistics.intervals import (
    PAIRED_GROUP_METHOD,
    WIDENED_GROUP_METHOD,
    difference_interval,
    one_sided_limits,
)
from tuneproof.statistics.limits.strata import equal_task_weights

SHARES = {"sft": 0.55, "dpo": 0.35, "baseline": 0.5}


@pytest.fixture
def by_task(tmp_path: Path) -> Path:
    """An aggregated run whose group has a task of 60 and one of 40 items, which count alike, and is a guard."""
    write_run(tmp_path, Shape(questions=40))
    write_benchmarks(tmp_path, SHARES, mmlu_weights="tasks")
    params = yaml.safe_load((tmp_path / "params.yaml").read_text())
    params["decision"]["must_not_drop"] = {"mmlu": 0.2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    done = run_here(tmp_path, "aggregate.py")
    assert done.returncode == 0, done.stderr
    return tmp_path


def details(root: Path, model: str) -> Details:
    return read_details(root / DETAILS_DIRECTORY / f"{model}.json")


def mean_of_tasks(root: Path, model: str) -> float:
    """The mean of the two tasks' means, from the rows."""
    rows = [row for row in BENCHMARKS.read(model, root) if row.criterion == "mmlu"]
    tasks = {row.task for row in rows}
    means = []
    for task in sorted(tasks):
        scores = [row.scores["acc"] or 0 for row in rows if row.task == task]
        means.append(sum(scores) / len(scores))
    return sum(means) / len(means)


def test_means_and_gains_are_those_of_tasks_that_count_alike(by_task: Path) -> None:
    for model in ("sft", "dpo"):
        found = details(by_task, model).criteria["mmlu"]
        own, baseline = mean_of_tasks(by_task, model), mean_of_tasks(by_task, "baseline")
        assert found.mean == pytest.approx(own, rel=1e-5)
        assert found.gain == pytest.approx(own - baseline, rel=1e-5)
        assert found.gain_low is not None and found.gain_high is not None
        assert found.gain_low < own - baseline < found.gain_high
        assert found.gain_method in (PAIRED_GROUP_METHOD, WIDENED_GROUP_METHOD)


def test_gains_and_guards_vary_by_what_varies_within_the_tasks(by_task: Path) -> None:
    found = details(by_task, "dpo")
    rows = {model: BENCHMARKS.read(model, by_task) for model in ("dpo", "baseline")}
    own, baseline = ([row for row in one if row.criterion == "mmlu"] for one in rows.values())
    gains = np.array([(a.scores["acc"] or 0) - (b.scores["acc"] or 0) for a, b in zip(own, baseline, strict=True)])
    tasks = [row.task for row in own]
    counted, scale = gains * equal_task_weights(tasks), (0.0, 1.25)
    expected = difference_interval(counted, 0.05, scale, tasks)
    measured = found.criteria["mmlu"]
    assert (measured.gain_low, measured.gain_high) == pytest.approx((expected.low, expected.high), rel=1e-5)
    assert found.decision is not None
    guard = found.decision.guards["mmlu"]
    assert (guard.low, guard.high) == pytest.approx(one_sided_limits(counted, 0.05, scale, tasks), rel=1e-5)


def test_an_item_may_count_for_more_than_the_scale_is_long(by_task: Path) -> None:
    measured = details(by_task, "sft").run.criteria["mmlu"]
    assert (measured.low, measured.high) == (0, 1)
    assert measured.of_differences == (0, 1.25)  # 100 items / (2 tasks * 40 items)


def test_its_guard_is_held_to_the_weighted_gain(by_task: Path) -> None:
    found = details(by_task, "dpo")
    assert found.decision is not None
    guard = found.decision.guards["mmlu"]
    assert guard.questions == 100
    assert guard.difference == pytest.approx(found.criteria["mmlu"].gain, rel=1e-5)
    assert guard.low is not None and guard.high is not None
    assert guard.low < mean_of_tasks(by_task, "dpo") - mean_of_tasks(by_task, "baseline") < guard.high
