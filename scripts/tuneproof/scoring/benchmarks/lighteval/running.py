"""lighteval as the harness: a task at a time, as a child process in an environment of its own, its details as rows.

It is given links to the model's files, for it writes its caches beside a model that it is named by an absolute path.
https://huggingface.co/docs/lighteval/saving-and-reading-results describes what it writes.
"""

import math
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line, say
from tuneproof.common.files import file_sha256
from tuneproof.common.places import project_root
from tuneproof.common.processes import no_survivors
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary, TaskSummary
from tuneproof.records.keys import content_key
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Benchmark
from tuneproof.scoring.benchmarks.harness import CHOICES_OF_ONE, Evaluated
from tuneproof.scoring.benchmarks.items import ID_DIGITS
from tuneproof.scoring.benchmarks.lighteval.details import Details, read_details
from tuneproof.settings.evidence.benchmarks import TASKS_FOLDER, Benchmarks, BenchmarkTask
from tuneproof.sources.weights.files import model_files

PYTHON = Path(".venv-lighteval/bin/python")
MODEL, OUTPUT, CACHE, LOG = "model", "out", "cache", "log"  # in the child's folder
KEPT_BACK = ("OPENAI_API_KEY",)  # what a task's judge bought would be in no ledger
LAST_LINES = 3


@dataclass(frozen=True)
class Child:
    """How lighteval is started: its Python, the model's files, and what of the model's settings it is told.

    `identity` is all of the model and its settings that determines a result; `files` are paths by their names.
    """

    python: Path
    files: Mapping[str, Path]
    identity: Mapping[str, Any]
    dtype: str
    batch_size: int
    device: str


def find_python() -> Path:
    """The Python of lighteval's environment. Raises a UserError where it is not installed."""
    python = project_root() / PYTHON
    if not python.exists():
        raise UserError("benchmark.harness", "lighteval is not installed", "install it with `make lighteval`")
    return python


def linked_files(*folders: Path) -> dict[str, Path]:
    """The files of a model that matter, by name; a later folder's before an earlier one's."""
    found: dict[str, Path] = {}
    for folder in folders:
        names = model_files(path.name for path in folder.iterdir() if path.is_file())
        found |= {name: (folder / name).resolve() for name in names}
    return found


def evaluate(settings: Benchmarks, child: Child, ledger: Ledger, where: str) -> Evaluated:
    """Puts a model to every task that the ledger has no result of. Raises a UserError for what is no result."""
    if settings.seed is not None:
        raise UserError("benchmark.seed", "lighteval has no seed for its examples", "set it to null, or use lm_eval")
    name, rows, summaries = harness_name(child.python), list[Benchmark](), dict[str, TaskSummary]()
    for criterion, task in settings.tasks.items():
        key = content_key({**child.identity, **asked(criterion, task, settings), "harness": name})
        known = ledger.take([key], recorded)
        if known:
            say(f"{where}: {criterion} is in the ledger")
        found = known.get(key) or run_task(criterion, task, settings, child, where)
        if not known:
            ledger.put(key, "benchmark", {"response": as_recorded(found)})
        rows += found.rows
        summaries |= found.summary.tasks
    return Evaluated(rows, BenchmarkSummary(harness=name, tasks=summaries, chat_template=settings.chat_template))


def harness_name(python: Path) -> str:
    """The harness with its version, which is part of every key, without the half minute that starting it takes."""
    script = "from importlib.metadata import version; print(version('lighteval'))"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    if done.returncode:
        remedy = "remove the folder .venv-lighteval and run `make lighteval`"
        raise UserError("benchmark.harness", f"lighteval does not start ({one_line(done.stderr[-200:])})", remedy)
    return f"lighteval {done.stdout.strip()}"


def asked(criterion: str, task: BenchmarkTask, settings: Benchmarks) -> dict[str, Any]:
    """What determines a task's result besides the model; for a task of the user's own, all files of their folder."""
    own = {} if task.path is None else folder_content(Path(TASKS_FOLDER))
    return {
        "kind": "lighteval task", "task": specification(criterion, task, settings), "files": own,
        "limit": limit(task, settings), "chat_template": settings.chat_template, "metric": task.metric,
        "criterion": criterion,
    }  # fmt: skip


def folder_content(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a folder, but for what Python leaves there."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.as_posix(): file_sha256(path) for path in paths}


def specification(criterion: str, task: BenchmarkTask, settings: Benchmarks) -> str:
    """A task as lighteval's command line names it: with its number of solved examples."""
    shots = settings.num_fewshot if task.num_fewshot is None else task.num_fewshot
    return f"{task.task or criterion}|{shots or 0}"


def limit(task: BenchmarkTask, settings: Benchmarks) -> int | None:
    """How many items are asked, None for all."""
    return settings.limit if task.limit is None else task.limit


def run_task(criterion: str, task: BenchmarkTask, settings: Benchmarks, child: Child, where: str) -> Evaluated:
    """Runs lighteval on one task and reads what it wrote."""
    say(f"{where}: lighteval asks {criterion}; it shows nothing until it is done")
    with tempfile.TemporaryDirectory(prefix="tuneproof-lighteval-") as name:
        folder = Path(name)
        (folder / MODEL).mkdir()
        for file, path in child.files.items():
            (folder / MODEL / file).symlink_to(path)
        with (folder / LOG).open("wb") as log, no_survivors(project_root()):
            done = subprocess.run(
                command(criterion, task, settings, child), cwd=folder, env=environment(child.device),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
        if done.returncode:
            raise failed(f"benchmark.tasks.{criterion}", done.returncode, folder / LOG)
        details = read_details(f"benchmark.tasks.{criterion}", folder / OUTPUT, MODEL)
    return evaluated(criterion, task, details)


def command(criterion: str, task: BenchmarkTask, settings: Benchmarks, child: Child) -> list[str]:
    """The command line for one task. The model is named by a path within the child's own folder."""
    model = {
        "model_name": MODEL, "cache_dir": CACHE, "dtype": child.dtype, "batch_size": child.batch_size,
        "override_chat_template": settings.chat_template,
    }  # fmt: skip
    told = ",".join(f"{name}={value}" for name, value in model.items())
    words = [
        str(child.python), "-m", "lighteval", "accelerate", told, specification(criterion, task, settings),
        "--output-dir", OUTPUT, "--save-details",
    ]  # fmt: skip
    if task.path is not None:
        words += ["--custom-tasks", str(Path(task.path).resolve())]
    most = limit(task, settings)
    return words if most is None else [*words, "--max-samples", str(most)]


def environment(device: str) -> dict[str, str]:
    """The child's environment: this one's without the judge's key, and no price list fetched at its start."""
    kept = {name: value for name, value in os.environ.items() if name not in KEPT_BACK}
    kept |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "TOKENIZERS_PARALLELISM": "false"}
    return kept | ({"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {})  # it takes what device there is


def failed(where: str, code: int, log: Path) -> UserError:
    """The error for a run that failed, with the end of what it said."""
    lines = [line.strip(" │╭╮╰╯─") for line in log.read_text(errors="replace").splitlines()]
    last = " ".join([line for line in lines if line][-LAST_LINES:])
    return UserError(where, f"lighteval ended with status {code} ({one_line(last)})", "correct the task, or its name")


def evaluated(criterion: str, task: BenchmarkTask, details: Details) -> Evaluated:
    """The rows and the summary of one task. Raises a UserError where lighteval's own mean is not the items'."""
    where = f"benchmark.tasks.{criterion}"
    metric = task.metric or next(iter(details.higher_is_better), "")
    if metric not in details.higher_is_better:
        found = f"it has no metric {metric[:80] or 'of its own'}"
        raise UserError(where, found, f"name one of {', '.join(details.higher_is_better)}")
    if not details.higher_is_better[metric]:
        raise UserError(where, f"less is better in {metric[:80]}", "name a metric in which more is better")
    rows = list(rows_of(criterion, details))
    means = {name: own_mean(where, name, metric, rows, details) for name in details.items}
    errors = [details.results[name].get(f"{metric}_stderr") for name in details.items]
    known = [error for error in errors if isinstance(error, int | float) and math.isfinite(error)]
    summary = TaskSummary(
        task=task.task or criterion,
        metric=metric,
        mean=math.fsum(means.values()) / len(means),
        standard_error=math.hypot(*known) / len(known) if len(known) == len(means) else None,
        items=len(rows),
        weights="tasks" if len(means) > 1 else "items",
        versions={name: details.versions[name] for name in details.items},
        num_fewshot={name: int(name.rpartition("|")[2]) for name in details.items},
        chance=chance_of(metric, details),
    )
    return Evaluated(rows, BenchmarkSummary(harness="lighteval", tasks={criterion: summary}))


def chance_of(metric: str, details: Details) -> float | None:
    """The mean that guessing would have, over tasks; None where not every item is a choice of one."""
    items = [item for of_task in details.items.values() for item in of_task]
    if metric not in CHOICES_OF_ONE or any(len(item.choices) < 2 or len(item.gold) != 1 for item in items):
        return None
    shares = [[1 / len(item.choices) for item in of_task] for of_task in details.items.values()]
    return math.fsum(math.fsum(one) / len(one) for one in shares) / len(shares)


def own_mean(where: str, name: str, metric: str, rows: Sequence[Benchmark], details: Details) -> float:
    """The mean that lighteval gives for one task. Raises a UserError where it is no mean of the items."""
    scores = [row.scores.get(metric) for row in rows if row.task == name]
    known = [score for score in scores if score is not None]
    said = details.results.get(name, {}).get(metric)
    if not known or len(known) < len(scores) or said is None or not math.isclose(said, math.fsum(known) / len(known)):
        raise UserError(where, f"{metric[:80]} is no mean over the items", "name a metric that every item has")
    return float(said)


def rows_of(criterion: str, details: Details) -> Iterator[Benchmark]:
    """A row for every item, in the order of the task's dataset."""
    for name, items in details.items.items():
        seen = Counter[str]()
        for item in items:
            identity = content_key([item.question, item.choices, item.gold])[:ID_DIGITS]
            seen[identity] += 1
            yield Benchmark(
                id=identity if seen[identity] == 1 else f"{identity}-{seen[identity]}",
                criterion=criterion, task=name, task_version=details.versions[name], scores=item.scores,
                question=item.question, target=item.target, response=item.response,
            )  # fmt: skip


def as_recorded(found: Evaluated) -> dict[str, Any]:
    """A task's result as the ledger keeps it."""
    return {"rows": [row.model_dump() for row in found.rows], "summary": found.summary.model_dump()}


def recorded(_: str, body: dict[str, Any]) -> Evaluated:
    """A task's result out of the ledger. Raises a ValueError for what is none."""
    match body["response"]:
        case {"rows": [*rows], "summary": dict() as summary}:
            return Evaluated([Benchmark.model_validate(row) for row in rows], BenchmarkSummary.model_validate(summary))
    raise ValueError("it is no task's result")
