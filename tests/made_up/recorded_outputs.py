"""Outputs that others recorded, as tasks whose items bring them along: the harness's own YAML on files of this disk."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tuneproof.records.ledger import Ledger
from tuneproof.scoring.benchmarks.asking import Answer, ChatTemplate, RecordedModel, Request, Save
from tuneproof.scoring.benchmarks.harness import Evaluated, evaluate
from tuneproof.scoring.benchmarks.tasks import load_tasks
from tuneproof.settings.evidence.benchmarks import Benchmarks
from tuneproof.sources.hub.pins import Pins

BBH_FOLDERS = {"cot": "cot_fewshot", "direct": "fewshot"}
EXAMPLE_ENDS = "\nA:"


def write_bbh(root: Path, file: Path) -> dict[str, dict[str, str]]:
    """Writes a task per kind and task of BIG-Bench Hard; returns the recorded output of each question, by task."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[1:]]  # after the canary
    outputs: dict[str, dict[str, str]] = {}
    for kind, task in sorted({(row["kind"], row["task"]) for row in rows}):
        own = [row for row in rows if (row["kind"], row["task"]) == (kind, task)]
        items = [{"input": row["question"].rpartition(EXAMPLE_ENDS)[0], "target": row["target"]} for row in own]
        write_task(root, f"bbh_{kind}_{task}", f"bbh/{BBH_FOLDERS[kind]}/{task}.yaml", items)
        outputs[f"bbh_{kind}_{task}"] = {
            item["input"]: row["prediction"] for item, row in zip(items, own, strict=True)
        }  # fmt: skip
    return outputs


def write_gsm8k(root: Path, file: Path) -> tuple[dict[str, dict[str, str]], dict[str, bool]]:
    """Writes the task; returns the recorded solution of each question, and whether it was found right.

    The solutions end with `A: 18` where the task wants `#### 18`.
    """
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    items = [{"question": row["question"], "answer": as_wanted(row["ground_truth"])} for row in rows]
    write_task(root, "recorded_gsm8k", "gsm8k/gsm8k.yaml", items, num_fewshot=0)
    outputs = {row["question"]: as_wanted(row["solution"]) for row in rows}
    return {"recorded_gsm8k": outputs}, {row["question"]: row["is_correct"] for row in rows}


def as_wanted(solution: str) -> str:
    """A solution with its last line as GSM8K has it."""
    return re.sub(r"^A: (?=[^\n]*\Z)", "#### ", solution, flags=re.MULTILINE)


def write_task(root: Path, name: str, shipped: str, items: list[dict[str, Any]], **changes: Any) -> None:
    """One of the harness's tasks on these items in place of its dataset."""
    import lm_eval.tasks

    folder = root / "tasks"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    files = dict.fromkeys(("train", "test"), f"tasks/{name}.jsonl")
    task = {
        "include": str(Path(lm_eval.tasks.__file__).parent / shipped), "task": name, "dataset_path": "json",
        "dataset_name": None, "dataset_kwargs": {"data_files": files}, **changes,
    }  # fmt: skip
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(task))


def evaluate_recorded(outputs: dict[str, dict[str, str]], ledger: Path) -> Evaluated:
    """Puts whoever wrote the outputs to the tasks, as the stage does it, in the current folder."""
    settings = Benchmarks.model_validate({"tasks": {name: {"path": f"tasks/{name}.yaml"} for name in outputs}})
    tasks = load_tasks(settings, Pins.load())
    versions = {name: str(part.VERSION) for asked in tasks for name, part in asked.parts.items()}

    def answer(requests: Any, save: Save) -> None:
        for request in requests:
            save(request, output_of(request, outputs)).result()

    @contextmanager
    def start() -> Iterator[Answer]:
        yield answer

    with Ledger(ledger) as recorded:
        template = ChatTemplate(lambda: None, {}, "recorded")
        model = RecordedModel({"model": "recorded"}, versions, start, recorded, template, "recorded")
        return evaluate(tasks, model, settings)


def output_of(request: Request, outputs: dict[str, dict[str, str]]) -> str:
    """The output to the question that stands last in a request; tasks may share a question and not its prompt's end."""
    context = request.arguments[0]
    last = context.rpartition("Q: " if "\n\nQ: " in context else "Question: ")[2]
    kinds = ["bbh_cot" if "step by step" in last else "bbh_direct"] if "Q: " in context else ["recorded_gsm8k"]
    question = last.rpartition("\nA: Let's think" if kinds == ["bbh_cot"] else "\nA")[0]
    found = [texts[question] for name, texts in outputs.items() if name.startswith(kinds[0]) and question in texts]
    return found[0]
