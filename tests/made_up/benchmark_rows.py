"""Benchmarks of a made-up run: one task that is a guard, and a group of two tasks that decides nothing."""

import random
from pathlib import Path
from typing import Any, Literal

import yaml

from tuneproof.common.files import write_text
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary, TaskSummary
from tuneproof.records.files import record_text, write_rows
from tuneproof.records.handovers import BENCHMARKS, benchmark_summary
from tuneproof.records.rows import Benchmark

TASKS = {"gsm8k": {"gsm8k": 120}, "mmlu": {"mmlu_anatomy": 60, "mmlu_virology": 40}}
METRICS = {"gsm8k": "exact_match,strict-match", "mmlu": "acc"}


def write_benchmarks(
    root: Path,
    right: dict[str, float],
    text: str = "It is 42.",
    margin: float = 0.1,
    mmlu_weights: Literal["items", "tasks"] = "items",
) -> None:
    """Writes rows for models that get this share of items right, all of them more of the same easy items."""
    params: dict[str, Any] = yaml.safe_load((root / "params.yaml").read_text())
    params |= {"benchmark": {"tasks": {name: {} for name in TASKS}}, "decision": {"must_not_drop": {"gsm8k": margin}}}
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for model, share in right.items():
        rows = [row for name in TASKS for row in rows_of(name, share, text)]
        write_rows(root / BENCHMARKS.path(model), rows)
        said = {name: summary(name, [row for row in rows if row.criterion == name], mmlu_weights) for name in TASKS}
        record = BenchmarkSummary(harness="lm_eval 0.4.13", tasks=said)
        write_text(root / benchmark_summary(model).path, record_text(record))


def rows_of(name: str, share: float, text: str) -> list[Benchmark]:
    """One criterion's rows; which items are right is drawn alike for all models, so that pairs go together."""
    rows, drawn = [], random.Random(name)
    for task, items in TASKS[name].items():
        for number in range(items):
            score = float(0.7 * drawn.random() + 0.3 * random.Random(f"{share}{name}{number}").random() < share)
            rows.append(Benchmark(
                id=f"{number:016x}", criterion=name, task=task, task_version="1.0", scores={METRICS[name]: score},
                question=f"Question {number} of {task}? {text}", target=text, response=text if score else f"No. {text}",
            ))  # fmt: skip
    return rows


def summary(name: str, rows: list[Benchmark], mmlu_weights: Literal["items", "tasks"]) -> TaskSummary:
    """What the harness would say of them."""
    by_task = {task: [row.scores[METRICS[name]] or 0 for row in rows if row.task == task] for task in TASKS[name]}
    weights = mmlu_weights if len(by_task) > 1 else "items"
    parts = list(by_task.values()) if weights == "tasks" else [[score for one in by_task.values() for score in one]]
    mean = sum(sum(scores) / len(scores) for scores in parts) / len(parts)
    return TaskSummary(
        task=name, metric=METRICS[name], mean=mean, standard_error=0.04, items=len(rows), weights=weights,
        versions=dict.fromkeys(TASKS[name], "1.0"), num_fewshot=dict.fromkeys(TASKS[name], 5),
        contents=dict.fromkeys(TASKS[name], "0" * 64),
    )  # fmt: skip
