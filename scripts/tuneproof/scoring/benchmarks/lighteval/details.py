"""What one run of lighteval wrote: its results as JSON, and a Parquet file of details for each of its tasks."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError

AVERAGE = "_average"  # ends the name of what lighteval adds for tasks with parts


@dataclass(frozen=True)
class Item:
    """One item of a task: what was asked, what was wanted and said, and its metrics that are numbers."""

    place: int  # in the task's dataset
    question: str
    choices: list[str]
    gold: list[int]
    target: str
    response: str
    scores: dict[str, float | None]


@dataclass(frozen=True)
class Details:
    """The items, results and version of each task by its name with the number of examples, as in `gsm8k|5`.

    `higher_is_better` has every metric that a result has, in the task's own order.
    """

    items: dict[str, list[Item]]
    results: dict[str, dict[str, Any]]
    versions: dict[str, str]
    higher_is_better: dict[str, bool]


def read_details(where: str, output: Path, model: str) -> Details:
    """Reads what a run wrote. Raises a UserError for a task without items, and where a model said nothing at all."""
    import pyarrow.parquet

    document = json.loads(one_file(where, output / "results" / model, "results_*.json").read_bytes())
    items = {}
    for path in sorted((output / "details" / model).glob("*/details_*.parquet")):
        name = path.stem.removeprefix("details_").rpartition("_")[0]
        rows = pyarrow.parquet.read_table(path).to_pylist()
        check_said_something(where, name, [row["model_response"]["text"] for row in rows])
        items[name] = sorted(map(item_of, rows), key=lambda item: item.place)
    expected = [name for name in document["results"] if name != "all" and AVERAGE not in name]
    if not items or set(expected) != set(items):
        raise UserError(where, f"lighteval has no details of {', '.join(expected) or 'any task'}", "run again")
    tasks = document["config_tasks"]
    return Details(
        items=items,
        results=document["results"],
        versions={name: str(tasks[name]["version"]) for name in items},
        higher_is_better=dict(metrics_of(tasks[next(iter(items))], document["results"][next(iter(items))])),
    )


def one_file(where: str, folder: Path, pattern: str) -> Path:
    """The one file of a run. Raises a UserError where there is none."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise UserError(where, "lighteval wrote no results", "run again, or leave the task out")
    return found[-1]


def metrics_of(task: Mapping[str, Any], results: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """The metrics of a task, and whether more is better in each; one of lighteval's may have several names."""
    for metric in task["metrics"]:
        names, more = metric["metric_name"], metric["higher_is_better"]
        for name in names if isinstance(names, list) else [names]:
            if name in results:
                yield name, bool(more.get(name, True) if isinstance(more, dict) else more)


def item_of(row: Mapping[str, Any]) -> Item:
    """One item out of its details."""
    doc, response = row["doc"], row["model_response"]
    choices = [str(choice) for choice in doc["choices"] or ()]
    gold = doc["gold_index"] if isinstance(doc["gold_index"], list) else [doc["gold_index"]]
    return Item(
        place=int(doc["id"]),
        question=str(doc["query"]),
        choices=choices,
        gold=gold,
        target="\n".join(choices[place].strip() for place in gold if 0 <= place < len(choices)),
        response=said(choices, response),
        scores={name: number(value) for name, value in row["metric"].items()},
    )


def said(choices: Sequence[str], response: Mapping[str, Any]) -> str:
    """What a model generated, or the choice that it finds likeliest."""
    texts = response["text_post_processed"] or response["text"]
    if texts:
        return str(texts[0])
    likelihoods = list(response["logprobs"] or ())[: len(choices)]
    return choices[likelihoods.index(max(likelihoods))].strip() if likelihoods and choices else ""


def number(value: object) -> float | None:
    """A metric's value where it is a number."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def check_said_something(where: str, name: str, texts: Sequence[Sequence[str] | None]) -> None:
    """Raises a UserError for a task without items, and for one to which every generated text is empty."""
    if not texts:
        raise UserError(where, f"lighteval has no items for {name}", "run again, or leave the task out")
    generated = [text for some in texts for text in some or ()]
    if generated and not any(text.strip() for text in generated):
        found = f"every response to {name} is empty, which is no result"
        raise UserError(where, found, "check the model, its chat template and where the task ends a response")
