"""Has the harness put a model to its tasks, and believes of the result only what holds when it is counted again."""

import inspect
import json
import logging
import math
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line, warn
from tuneproof.common.files import file_sha256
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary, TaskSummary
from tuneproof.records.keys import content_key
from tuneproof.records.rows import Benchmark
from tuneproof.scoring.benchmarks.asking import RecordedModel
from tuneproof.scoring.benchmarks.items import rows_of, said, templates_compiled_once
from tuneproof.scoring.benchmarks.tasks import Asked
from tuneproof.settings.evidence.benchmarks import Benchmarks

CHOICES_OF_ONE = ("acc", "acc_norm")  # metrics that are right where the one right choice is the likeliest
AS_GOOD_AS_EQUAL = 1e-9  # the harness adds the same numbers in another order
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True)
class Evaluated:
    """A model's rows, task by task in the harness's order of items, and what the harness says of each task."""

    rows: list[Benchmark]
    summary: BenchmarkSummary

    def with_task(self, name: str, rows: Sequence[Benchmark], task: TaskSummary) -> "Evaluated":
        """The same with one more criterion."""
        summary = self.summary.model_copy(update={"tasks": self.summary.tasks | {name: task}})
        return Evaluated([*self.rows, *rows], summary)


def harness_name() -> str:
    """The harness with its version, which is part of every key."""
    from importlib.metadata import version

    return f"lm_eval {version('lm_eval')}"


def evaluate(tasks: Sequence[Asked], model: RecordedModel, settings: Benchmarks) -> Evaluated:
    """Puts a model to the tasks. Raises a UserError for what is no result."""
    rows, summaries, documents = list[Benchmark](), dict[str, TaskSummary](), dict[str, dict[str, Any]]()
    for asked in tasks:
        result = results_of(asked, model, settings)
        with templates_compiled_once():
            found = list(rows_of(asked, result["samples"]))
        document = own_document(result)
        contents = {name: content_of(part, document["configs"][name]) for name, part in asked.parts.items()}
        summaries[asked.name] = summary_of(asked, result, found).model_copy(update={"contents": contents})
        documents[asked.name] = document
        rows += found
    said = BenchmarkSummary(
        harness=harness_name(), tasks=summaries, documents=documents,
        chat_template=settings.chat_template, seed=settings.seed,
    )  # fmt: skip
    return Evaluated(rows, said)


def results_of(asked: Asked, model: RecordedModel, settings: Benchmarks) -> Mapping[str, Any]:
    """What the harness gives for one criterion's tasks, every sample among it."""
    from lm_eval import evaluator

    group = asked.task not in asked.parts
    seed_everything(settings.seed)
    where = f"benchmark.tasks.{asked.name}"
    with told_of_cuts(where):
        try:
            result: Mapping[str, Any] = evaluator.evaluate(
                lm=model,
                task_dict={"tasks": dict(asked.parts), "groups": {asked.task: asked.group} if group else {}},
                samples={part: range(limit) for part, limit in asked.limits.items()},
                apply_chat_template=settings.chat_template,
                fewshot_as_multiturn=settings.chat_template,
                bootstrap_iters=1,  # a mean's standard error has a formula
            )
        except UserError:
            raise
        except Exception as error:  # functions of the task's own, filters and metrics raise whatever they raise
            found = f"the harness fails ({one_line(f'{type(error).__name__}: {error}')})"
            raise UserError(where, found, "correct the task, or leave it out") from error
    check_complete(asked, result)
    return result


def seed_everything(seed: int | None) -> None:
    """Seeds what the harness seeds, with its own seeds where none is set."""
    import numpy
    from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED
    from lm_eval.utils import set_torch_seed

    random.seed(DEFAULT_RANDOM_SEED if seed is None else seed)
    numpy.random.seed(DEFAULT_OTHER_SEED if seed is None else seed)
    set_torch_seed(DEFAULT_OTHER_SEED if seed is None else seed)


@contextmanager
def told_of_cuts(where: str) -> Iterator[None]:
    """Tells how many items were longer than the model reads, of which the harness drops the beginning."""
    counts = Counter[str]()

    class Count(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            counts["cut"] += "truncat" in record.getMessage().lower()

    logger, counting = logging.getLogger("lm_eval"), Count()
    logger.addHandler(counting)
    was, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(counting)
        logger.propagate = was
    if counts["cut"]:
        warn(f"{where}: items were longer than the model reads, and lost their beginning (told {counts['cut']} times)")


def check_complete(asked: Asked, result: Mapping[str, Any]) -> None:
    """Raises a UserError for a task without result, for fewer samples than items, and where the model said nothing.

    The harness itself tells of none of these.
    """
    where = f"benchmark.tasks.{asked.name}"
    for part, limit in asked.limits.items():
        samples = [one for one in result["samples"].get(part, ()) if one["filter"] == asked.filter]
        if part not in result["results"] or not samples:
            raise UserError(where, f"the harness has no result for {part}", "run again, or leave the task out")
        counted = result["n-samples"].get(part, {}).get("effective", 0)
        if len(samples) < limit or counted < limit:
            found = f"the harness has {min(len(samples), counted)} results for the {limit} items of {part}"
            raise UserError(where, found, "run again, or leave the task out")
        if asked.parts[part].OUTPUT_TYPE == "generate_until" and not any(said(one).strip() for one in samples):
            found = f"every response to {part} is empty, which is no result"
            raise UserError(where, found, "check the model, its chat template and where the task ends a response")


def summary_of(asked: Asked, result: Mapping[str, Any], rows: Sequence[Benchmark]) -> TaskSummary:
    """What the harness says of one criterion. Raises a UserError where that is no mean of its own items."""
    said_of, key = result["results"][asked.task], f"{asked.metric},{asked.filter}"
    error = said_of.get(f"{asked.metric}_stderr,{asked.filter}")
    if key not in said_of:
        found = f"the harness has no {asked.measure} for {asked.task}"
        raise UserError(f"benchmark.tasks.{asked.name}", found, "name another metric")
    summary = TaskSummary(
        task=asked.task,
        metric=asked.measure,
        mean=float(said_of[key]) * (-1 if asked.turned else 1),
        standard_error=float(error) if isinstance(error, int | float) and math.isfinite(error) else None,
        items=len(rows),
        weights=asked.weights,
        versions={name: str(part.VERSION) for name, part in asked.parts.items()},
        num_fewshot={name: int(result["n-shot"].get(name) or 0) for name in asked.parts},
        chance=chance_of(asked, result["samples"]),
    )
    counted = mean_of(rows, asked, result["samples"])
    if counted is None or abs(counted - summary.mean) > AS_GOOD_AS_EQUAL:
        found = f"the harness says {summary.mean:g} for {asked.measure}, and the mean over its items is "
        found += "not known" if counted is None else f"{counted:g}"
        raise UserError(f"benchmark.tasks.{asked.name}", found, "name a metric that is a mean over items")
    return summary


def chance_of(asked: Asked, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> float | None:
    """The mean that guessing would have, weighed as the task's; None where not every item is a choice of one."""
    choices = all(is_choice_of_one(part, samples[name]) for name, part in asked.parts.items())
    if asked.metric not in CHOICES_OF_ONE or not choices:
        return None
    by_task = [
        [1 / len(part.doc_to_choice(one["doc"])) for one in samples[name] if one["filter"] == asked.filter]
        for name, part in asked.parts.items()
    ]
    if asked.weights == "tasks":
        return math.fsum(math.fsum(shares) / len(shares) for shares in by_task) / len(by_task)
    return math.fsum(map(math.fsum, by_task)) / sum(map(len, by_task))


def is_choice_of_one(part: Any, samples: Sequence[Mapping[str, Any]]) -> bool:
    """Whether each item has one right choice, and the harness itself says which was chosen."""
    if part.OUTPUT_TYPE != "multiple_choice" or part.config.process_results is not None:
        return False
    return all(isinstance(part.doc_to_target(one["doc"]), int | str) for one in samples)


def content_of(part: Any, described: Mapping[str, Any]) -> str:
    """The hash of all that a task makes of items and responses: what the harness tells of it, and its functions' files.

    No request's key holds it, for what it changes in a request stands there; scores that differ in it do not compare.
    """
    files = {inspect.getsourcefile(one) for one in functions_in(vars(part.config))}
    return content_key({"task": described, "functions": sorted(file_sha256(Path(file)) for file in files if file)})


def functions_in(value: Any) -> Iterator[Callable[..., Any]]:
    """The functions of Python within a task's configuration."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from functions_in(one)
    elif inspect.isfunction(value) or inspect.isclass(value):
        yield value


def own_document(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the harness's results file holds of this, with the hash of each task's items, as its tracker makes it.

    Addresses in memory, as which it writes some functions, would differ in every run, and paths on every machine.
    """
    from lm_eval.utils import handle_non_serializable, hash_string

    hashes = {
        name: hash_string("".join(one["doc_hash"] + one["prompt_hash"] + one["target_hash"] for one in samples))
        for name, samples in result["samples"].items()
    }
    kept = {name: value for name, value in result.items() if name not in ("samples", "config")}
    text = json.dumps(kept | {"task_hashes": hashes}, default=handle_non_serializable, ensure_ascii=False)
    document: dict[str, Any] = json.loads(ADDRESS.sub("", text), parse_constant=lambda _: None)
    for config in document["configs"].values():
        (config.get("metadata") or {}).pop("config_source", None)
    return document


def mean_of(
    rows: Sequence[Benchmark], asked: Asked, samples: Mapping[str, Sequence[Mapping[str, Any]]]
) -> float | None:
    """The mean as the harness averages: over items, bytes, or a group's tasks; None where an item has no number."""
    if asked.weights == "bytes":
        pairs = [one[asked.metric] for part in samples.values() for one in part if one["filter"] == asked.filter]
        return math.fsum(float(pair[0]) for pair in pairs) / sum(int(pair[1]) for pair in pairs) / math.log(2)
    by_task: dict[str, list[float]] = {}
    for row in rows:
        score = row.scores.get(asked.measure)
        if score is None:
            return None
        by_task.setdefault(row.task, []).append(score)
    if asked.weights == "items":
        return math.fsum(score for scores in by_task.values() for score in scores) / len(rows)
    return math.fsum(math.fsum(scores) / len(scores) for scores in by_task.values()) / len(by_task)


def quiet_harness() -> None:
    """Has the harness and what it stands on print nothing of their own; before any of them is imported."""
    os.environ["TQDM_DISABLE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    logging.getLogger("lm_eval").setLevel(logging.WARNING)
