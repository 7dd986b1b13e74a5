"""Plays lighteval's command line: reads the task's items beside its file, and writes results and details as it does.

The first of four choices is always the likeliest. A task named `raises`, `says_nothing` or `sleeps` does so.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

VERSION = "0.13.0"
DATE = "2026-11-26T17-50-25.572388"
NORMALISED = "acc:logprob_normalization=LogProbCharNorm()"
TASK = """from pathlib import Path

from lighteval.metrics.metrics import Metrics
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc


def prompt(line, task_name=None):
    choices = [f" {choice}" for choice in line["choices"]]
    query = f"Question: {line['question']}\\nAnswer:"
    return Doc(task_name=task_name, query=query, choices=choices, gold_index=line["answer"])


TASKS_TABLE = [
    LightevalTaskConfig(
        name="NAME", prompt_function=prompt, hf_repo=str(Path(__file__).parent / "NAME"), hf_subset="default",
        hf_avail_splits=["test"], evaluation_splits=["test"], metrics=[Metrics.loglikelihood_acc], version=3,
    )
]
"""


def write_lighteval_task(root: Path, name: str = "choice") -> None:
    """The same items as tests/made_up/benchmark_tasks.py has written for lm-eval, as a task of lighteval."""
    (root / "tasks" / f"{name}.py").write_text(TASK.replace("NAME", name))
    (root / "tasks" / name).mkdir()
    (root / "tasks" / f"{name}.jsonl").rename(root / "tasks" / name / "test.jsonl")


def install(root: Path, command: str | None = None) -> None:
    """Puts a Python where lighteval's is looked for: this one, or a real one."""
    python = root / ".venv-lighteval" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {command or f"{sys.executable} {__file__}"} "$@"\n')
    python.chmod(0o755)


def main(arguments: list[str]) -> int:
    """Answers the two commands that the stage gives."""
    if arguments[0] == "-c":
        print(VERSION)
        return 0
    told, task, custom = arguments[3], arguments[4], Path(arguments[arguments.index("--custom-tasks") + 1])
    files = sorted(path.name for path in Path("model").iterdir())
    seen = {"told": told, "arguments": arguments[4:], "files": files, "key": os.environ.get("OPENAI_API_KEY")}
    (custom.parent.parent / "seen.json").write_text(json.dumps(seen))
    name = task.partition("|")[0]
    if name == "sleeps":
        (custom.parent.parent / "process").write_text(str(os.getpid()))
        time.sleep(600)
    if name == "raises":
        print("╭─ error ─╮\n│ ValueError: Cannot find task raises │\n╰─╯")
        return 1
    items = [json.loads(line) for line in (custom.parent / name / "test.jsonl").read_text().splitlines()]
    write(task, [details(number, item, empty=name == "says_nothing") for number, item in enumerate(items)])
    return 0


def details(number: int, item: dict[str, Any], empty: bool) -> dict[str, Any]:
    """One item as lighteval describes it."""
    right = int(item["answer"] == 0)
    choices = [f" {choice}" for choice in item["choices"]]
    doc = {"id": str(number), "query": item["question"], "choices": choices, "gold_index": item["answer"]}
    response: dict[str, Any] = {"text": [], "text_post_processed": None, "logprobs": [-1.0, -2.0, -3.0, -4.0]}
    if empty:
        response = {"text": [" "], "text_post_processed": None, "logprobs": []}
    return {"doc": doc, "metric": {"acc": right, NORMALISED: right}, "model_response": response}


def write(task: str, rows: list[dict[str, Any]]) -> None:
    """Results and details, the items in another order than the task's, as lighteval shuffles them."""
    import pyarrow
    import pyarrow.parquet

    mean = sum(row["metric"]["acc"] for row in rows) / len(rows)
    found = {"acc": mean, "acc_stderr": 0.1, NORMALISED: mean}
    metrics = [{"metric_name": name, "higher_is_better": True} for name in ("acc", NORMALISED)]
    results = {
        "results": {task: found, "all": found}, "config_tasks": {task: {"metrics": metrics, "version": 3}},
    }  # fmt: skip
    place, folder = Path("out/results/model"), Path("out/details/model") / DATE
    place.mkdir(parents=True)
    folder.mkdir(parents=True)
    (place / f"results_{DATE}.json").write_text(json.dumps(results))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows[::-1]), folder / f"details_{task}_{DATE}.parquet")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
