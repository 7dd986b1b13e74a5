"""Benchmarks in the two forms that leaderboards read: the Hub's evaluation results, and lm-eval's own results file.

The first is https://huggingface.co/docs/hub/eval-results, the second what `lm_eval.loggers.EvaluationTracker` writes.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tuneproof.common.errors import say
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary, TaskSummary
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.results.details.model import Details
from tuneproof.settings.params import Params
from tuneproof.sources.hub.pins import Pins

LM_EVAL = "lm_eval"
MODEL_SOURCES = {"vllm": "vllm", "endpoint": "local-completions"}  # lm-eval's names; transformers is `hf`
FILE_FORMATS = ("json", "csv", "parquet", "arrow", "text")  # of the library datasets: files that are on no Hub
DEFAULT_TASK = "default"
NO_FILE_NAME = re.compile(r"[\"<>:/|\\?*\[\]]+")  # as lm-eval names a model's folder
OF_THE_MODEL = ("groups", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples")


def evaluation_results(details: Details, summary: BenchmarkSummary, pins: Pins) -> list[dict[str, Any]]:
    """One entry for each task on a dataset of the Hub; tasks on files of this disk have no leaderboard.

    The dataset's commit is the pinned one. `value` is on the harness's own scale, and the notes say how it was asked.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    entries = []
    for name, task in details.benchmarks.items():
        place = dataset_of(summary.documents.get(name, {}), task)
        if place is None:
            continue
        dataset, subset = place
        pin = pins.get("dataset", dataset, "main")
        entries.append(
            EvalResultEntry(
                dataset_id=dataset,
                task_id=subset,
                value=round(task.mean, 6),
                dataset_revision=pin.sha if pin else None,
                notes=notes(summary.harness, task),
            )
        )
    return eval_result_entries_to_yaml(entries)


def dataset_of(document: Mapping[str, Any], task: TaskSummary) -> tuple[str, str] | None:
    """The dataset of the Hub that a task or all tasks of a group are on, and its subset; None where there is no one."""
    configs = [document.get("configs", {}).get(name, {}) for name in task.versions]
    datasets = {str(one.get("dataset_path") or "") for one in configs}
    subsets = {str(one.get("dataset_name") or DEFAULT_TASK) for one in configs}
    dataset = next(iter(datasets)) if len(datasets) == 1 else ""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", dataset) or dataset in FILE_FORMATS:
        return None
    return dataset, next(iter(subsets)) if len(subsets) == 1 else DEFAULT_TASK


def notes(harness: str, task: TaskSummary) -> str:
    """How a task was asked, in one line."""
    shots = ", ".join(sorted({f"{count}-shot" for count in task.num_fewshot.values()}))
    versions = ", ".join(sorted(set(task.versions.values())))
    error = "" if task.standard_error is None else f", standard error {task.standard_error:.4f}"
    asked = f"{harness.replace('_', '-')}, {task.task} version {versions}, {shots}"
    return f"{asked}, {task.metric}, {task.items} items{error}"


def results_document(
    details: Details, params: Params, summary: BenchmarkSummary, moment: datetime, revision: str
) -> dict[str, Any] | None:
    """All of a model's tasks as lm-eval's results file has them; None where another harness asked, or none.

    `moment` is when they were asked, `revision` the project's commit. What lm-eval would say of the machine is left
    out: the tasks may have been asked on several. A task that two criteria ask is the first one's.
    """
    if not summary.harness.startswith(f"{LM_EVAL} ") or not summary.documents:
        return None
    merged: dict[str, Any] = {"results": dict(parts(details.model, summary, "results"))}
    for part in OF_THE_MODEL:
        found = dict(parts(details.model, summary, part))
        if found or part != "groups":  # lm-eval has no key for groups where there are none
            merged[part] = found
    resolved, asked = details.resolved, params.benchmark
    source = MODEL_SOURCES.get(resolved.engine, "hf")
    name = resolved.adapter.id if resolved.adapter else resolved.id
    return merged | {
        "config": {
            "model": source, "model_args": model_arguments(resolved), "limit": asked.limit, "gen_kwargs": None,
            "fewshot_seed": asked.seed,
        },
        "git_hash": revision,
        "date": moment.timestamp(),
        "lm_eval_version": summary.harness.removeprefix(f"{LM_EVAL} "),
        "task_hashes": dict(parts(details.model, summary, "task_hashes")),
        "model_source": source,
        "model_name": name,
        "model_name_sanitized": folder_name(name),
        "system_instruction": None,
        "system_instruction_sha": None,
        "fewshot_as_multiturn": asked.chat_template,
        "chat_template": "the tokenizer's own" if asked.chat_template else None,
        "chat_template_sha": None,
    }  # fmt: skip


def parts(model: str, summary: BenchmarkSummary, part: str) -> Iterator[tuple[str, Any]]:
    """One part of the documents of all criteria, by the harness's names of tasks; the first one's where two have it."""
    seen = set[str]()
    for criterion, document in summary.documents.items():
        for name, value in document.get(part, {}).items():
            if name not in seen:
                yield name, value
            elif part == "results":
                say(
                    f"describe: {model} was asked {name} for another criterion than {criterion} too, which stands first"
                )
            seen.add(name)


def model_arguments(resolved: ResolvedModel) -> dict[str, str]:
    """The model as lm-eval's arguments name it."""
    named = {"pretrained": resolved.id, "revision": resolved.sha, "peft": resolved.adapter and resolved.adapter.id}
    return {name: value for name, value in named.items() if value}


def folder_name(model: str) -> str:
    """The folder of a model's results as lm-eval names it.

    >>> folder_name("meta-llama/Llama-3.1-8B")
    'meta-llama__Llama-3.1-8B'
    """
    return NO_FILE_NAME.sub("__", model)


def file_name(moment: datetime) -> str:
    """The name of a results file of that moment, as lm-eval has it.

    >>> file_name(datetime(2026, 11, 26, 17, 50, 25, tzinfo=UTC))
    'results_2026-11-26T17-50-25.000000.json'
    """
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"results_{text.replace(':', '-')}.json"
