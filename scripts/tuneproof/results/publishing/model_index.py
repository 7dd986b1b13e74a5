"""A model's scores as `model-index`, the metadata that the Hub shows on a model's page, and on its card."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tuneproof.common.errors import UserError, say
from tuneproof.results.details.model import Details
from tuneproof.results.publishing.repositories import CARD
from tuneproof.results.words.figures import share_text
from tuneproof.settings.params import Params
from tuneproof.sources.hub.writing import asked, writing

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

MARK = {"evaluated_with": "Tuneproof"}  # among a result's dataset arguments: says which results are ours to replace
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<yaml>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
TASK = "text-generation"


def model_index(details: Details, params: Params, published: str | None) -> dict[str, Any]:
    """The metadata for one model, a metric per criterion that has a mean; those of benchmarks name the benchmark.

    `published` is the dataset with the answers and scores, where there is one. The interval, the scale, the number of
    questions and the judge stand beside each value, without which it says little.
    """
    from huggingface_hub import EvalResult, constants
    from huggingface_hub.repocard_data import eval_results_to_model_index

    source, judges = details.run.source, ", ".join(judge["model"] for judge in details.run.judge.judges)
    on_the_hub = source.sha is not None
    results = []
    for name, criterion in details.criteria.items():
        measured = details.run.criteria[name]
        if criterion.mean is None or measured.by_item:
            continue
        lowest, highest = measured.ends
        scorer = judges if measured.source in ("judge", "compare") else f"a {measured.source}"
        results.append(
            EvalResult(
                task_type=TASK,
                dataset_type=source.id if on_the_hub else "local",
                dataset_name=source.id if on_the_hub else "a local file of questions",
                dataset_split=params.questions.split if on_the_hub else None,
                dataset_revision=source.sha,
                metric_type=name,
                metric_name=f"{name}, {lowest:g} to {highest:g}, scored by {scorer}",
                metric_value=round(criterion.mean, 4),
                metric_args={
                    "low": criterion.low,
                    "high": criterion.high,
                    "questions": criterion.scored,
                    "coverage": share_text(details.coverage),
                },
                dataset_args=dict(MARK),
                source_name="Answers and scores" if published else None,
                source_url=f"{constants.ENDPOINT}/datasets/{published}" if published else None,
            )
        )
    results += [benchmark_result(name, details) for name in details.benchmarks]
    return {"model-index": eval_results_to_model_index(details.resolved.id, results)}


def benchmark_result(name: str, details: Details) -> "EvalResult":
    """One benchmark as a result of its own dataset, with the interval as the report has it."""
    from huggingface_hub import EvalResult

    task, criterion = details.benchmarks[name], details.criteria[name]
    shots = sorted(set(task.num_fewshot.values()))
    return EvalResult(
        task_type=TASK,
        dataset_type=task.task,
        dataset_name=name,
        metric_type=task.metric,
        metric_name=f"{task.metric}, {task.task}",
        metric_value=round(task.mean, 4),
        metric_args={
            "low": criterion.low,
            "high": criterion.high,
            "items": task.items,
            "standard_error": task.standard_error,
        },
        dataset_args=MARK | {"num_few_shot": shots[0] if len(shots) == 1 else shots},
    )


def with_model_index(where: str, card: str, index: Mapping[str, Any]) -> str:
    """A model card with these results in place of earlier ones of ours; other results and the text stay as they are.

    Raises a UserError for a card whose front matter is not YAML.
    """
    front = FRONT_MATTER.match(card)
    try:
        metadata = (yaml.safe_load(front["yaml"]) if front else None) or {}
        kept = [
            result
            for entry in metadata.get("model-index") or []
            for result in entry["results"]
            if not MARK.items() <= (result.get("dataset", {}).get("args") or {}).items()
        ]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        raise UserError(
            where, "the front matter of its card is not what the Hub expects", "mend its README.md"
        ) from None
    (entry,) = index["model-index"]
    merged = [{"name": entry["name"], "results": [*kept, *entry["results"]]}]
    if metadata.get("model-index") == merged:
        return card
    text = yaml.safe_dump({**metadata, "model-index": merged}, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---\n{card[front.end() :] if front else card}"


def push_model_index(model: str, index: Mapping[str, Any], token: str) -> None:
    """Puts a model's scores on its card, in place of those that this put there before; all else on it stays.

    Raises a UserError where the card cannot be read or written.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(token=token)
    where = f"model {model}"
    info = asked(lambda: api.model_info(model), where, token)
    text = ""
    if any(sibling.rfilename == CARD for sibling in info.siblings or ()):
        path = asked(lambda: api.hf_hub_download(model, CARD, revision=info.sha), where, token)
        text = Path(path).read_text(encoding="utf-8")
    changed = with_model_index(where, text, index)
    if changed == text:
        say(f"describe: the card of {model} is unchanged")
        return
    with writing(where, token):
        commit = api.create_commit(
            model, [CommitOperationAdd(CARD, changed.encode())],
            commit_message="Scores of an evaluation with Tuneproof", parent_commit=info.sha,
        )  # fmt: skip
    say(f"describe: wrote the card of {model}, commit {commit.oid[:12]}")
