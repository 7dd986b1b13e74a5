"""The tasks that are asked for: found among the harness's own or in the user's files, set up, their datasets pinned.

The harness is lm-eval (https://github.com/EleutherAI/lm-evaluation-harness). What runs is its code and the user's own;
a dataset or metric that would bring code from the Hub is refused.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal, cast
from unittest.mock import patch

from tuneproof.common.errors import UserError, one_line
from tuneproof.scoring.benchmarks.likelihoods import BITS_PER_BYTE, MINUS
from tuneproof.settings.evidence.benchmarks import Benchmarks, BenchmarkTask
from tuneproof.sources.hub.pins import Pins
from tuneproof.sources.hub.repositories import resolve_dataset

FILE_FORMATS = ("json", "csv", "parquet", "arrow", "text")  # of the library datasets, for files on this disk
DEFAULT_REVISION = "main"
INSTALL = "pip install -c requirements/constraints.txt -r requirements/benchmarks.txt"
Weights = Literal["items", "tasks", "bytes"]


@dataclass(frozen=True)
class Asked:
    """One criterion's tasks. `parts` are the harness's tasks by name; `metric` and `filter` name what counts.

    `turned`: less is better in it, and its negative counts.
    """

    name: str
    task: str
    parts: Mapping[str, Any]
    group: Any  # that the harness averages them by; None for a single task
    metric: str
    filter: str
    weights: Weights
    limits: Mapping[str, int]  # how many items of each part are asked
    turned: bool = False

    @property
    def compares_likelihoods(self) -> bool:
        """Whether any request is about how likely a text is, and not only about what is generated."""
        return any(part.OUTPUT_TYPE != "generate_until" for part in self.parts.values())

    @property
    def measure(self) -> str:
        """The metric as rows and settings name it, with a minus before a negative."""
        return f"{MINUS if self.turned else ''}{measure(self.metric, self.filter)}"


def measure(metric: str, filter_name: str) -> str:
    """A metric's name, with its filter's where that is not the harness's plain one.

    >>> measure("acc", "none"), measure("exact_match", "strict-match")
    ('acc', 'exact_match,strict-match')
    """
    return metric if filter_name == "none" else f"{metric},{filter_name}"


def load_tasks(settings: Benchmarks, pins: Pins) -> list[Asked]:
    """Every task that is asked for, with the settings of its own or of all. Raises a UserError for what cannot be."""
    from lm_eval.tasks import TaskManager

    wanted = {name: task for name, task in settings.tasks.items() if not settings.is_reference_likelihood(name)}
    folders = sorted({str(Path(task.path).parent) for task in wanted.values() if task.path})
    own = TaskManager(include_defaults=False, include_path=folders)
    # The harness's thousands of tasks take seconds to look through.
    shipped = any(needs_the_shipped(task, own) for task in wanted.values())
    manager = TaskManager(include_path=folders) if shipped else own
    return [load_task(name, task, settings, manager, pins) for name, task in wanted.items()]


def needs_the_shipped(task: BenchmarkTask, own: Any) -> bool:
    """Whether a task is one of the harness's own, or a group of the user's that may name such."""
    if task.path is None:
        return True
    members = read_task_file(task.path).get("task")
    return isinstance(members, list) and any(name not in own.all_subtasks for name in map(str, members))


def read_task_file(path: str) -> dict[str, Any]:
    """A task's YAML, its functions by name only. Raises a UserError where there is none."""
    from lm_eval.tasks._yaml_loader import load_yaml

    if not Path(path).is_file():
        raise UserError(path, "there is no such file", "correct the path (it is relative to the project's root)")
    try:
        found: dict[str, Any] = load_yaml(path, resolve_func=False)
    except Exception as error:  # whatever the YAML library and the harness raise
        raise UserError(path, f"it is no task ({one_line(error)})", "correct its YAML") from None
    if not isinstance(found.get("group", found.get("task")), str):
        raise UserError(path, "it names no task and no group", "write `task: <name>` into it, and what it consists of")
    return found


def load_task(name: str, task: BenchmarkTask, settings: Benchmarks, manager: Any, pins: Pins) -> Asked:
    """One criterion's tasks, ready to be asked."""
    where, wanted = f"benchmark.tasks.{name}", task.task or name
    if task.path is not None:
        found = read_task_file(task.path)
        wanted = str(found.get("group", found.get("task")))
    if wanted not in manager.all_tasks:
        raise unknown_task(where, wanted, manager.all_tasks)
    with no_foreign_code(where, pins):
        try:
            loaded = manager.load([wanted])
        except UserError:
            raise
        except Exception as error:  # a task's YAML, functions and dataset raise whatever they raise
            reason, missing = one_line(f"{type(error).__name__}: {error}"), isinstance(error, ModuleNotFoundError)
            remedy = f"install it, for most of them by `{INSTALL}`" if missing else "correct the task, or its name"
            raise UserError(where, f"the task does not load ({reason})", remedy) from None
    seed_languages()
    parts, groups = loaded["tasks"], list(loaded.get("groups", {}).values())
    for part in parts.values():
        check_part(where, part)
        set_up(part, first_of(task.num_fewshot, settings.num_fewshot), settings.seed)
    turned = bool(task.metric and task.metric.startswith(MINUS))
    metric, filter_name, weights = counting_metric(where, (task.metric or "").removeprefix(MINUS), parts, groups[:1])
    check_direction(where, metric, parts, turned)
    most = first_of(task.limit, settings.limit)
    sizes = {one: len(part.eval_docs) for one, part in parts.items()}
    limits = {one: size if most is None else min(most, size) for one, size in sizes.items()}
    for one, limit in limits.items():
        if limit < 1:
            raise UserError(where, f"the task {one} has no items", "correct the task, or leave it out")
    group = groups[0] if groups else None
    task_name = group.name if group else next(iter(parts))
    return Asked(name, task_name, parts, group, metric, filter_name, weights, limits, turned)


def seed_languages() -> None:
    """Has langdetect, where a task's functions have imported it, say the same of a text each time."""
    if "langdetect" in sys.modules:
        sys.modules["langdetect"].DetectorFactory.seed = 0


def unknown_task(where: str, name: str, known: list[str]) -> UserError:
    """The error for a name that the harness does not know."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean '{near[0]}'?" if near else "`lm-eval ls tasks` lists them; a task of your own has a `path`"
    return UserError(where, f"the harness has no task '{name[:80]}'", remedy)


def first_of(own: int | None, general: int | None) -> int | None:
    """A task's own setting where it has one, else that of all."""
    return general if own is None else own


def check_part(where: str, part: Any) -> None:
    """Raises a UserError for a task that would run what a model wrote, or asks of more than text."""
    if getattr(part, "UNSAFE_CODE", False) or getattr(part.config, "unsafe_code", False):
        raise UserError(where, f"the task {part.task_name} runs code that a model wrote", "choose another task")
    if getattr(part, "MULTIMODAL", False):
        raise UserError(where, f"the task {part.task_name} is about more than text", "choose another task")


def set_up(part: Any, num_fewshot: int | None, seed: int | None) -> None:
    """A task's number of solved examples and the seed of their choice, as the harness itself sets them.

    A task that is meant to have none keeps it so.
    """
    from lm_eval.defaults import DEFAULT_OTHER_SEED

    own = part.get_config("num_fewshot")
    if own is None or (num_fewshot is not None and own != 0):
        part.set_config(key="num_fewshot", value=num_fewshot or 0)
    part.set_fewshot_seed(seed=DEFAULT_OTHER_SEED if seed is None else seed)


def counting_metric(where: str, wanted: str, parts: Mapping[str, Any], groups: list[Any]) -> tuple[str, str, Weights]:
    """The metric that counts, its filter, and what a group's mean weighs alike.

    Raises a UserError where the harness has no such metric, or no mean over the group.
    """
    if not groups and len(parts) > 1:
        raise UserError(where, f"it stands for {len(parts)} tasks without a mean", f"name one of {', '.join(parts)}")
    filters = {one for part in parts.values() for one in filter_names(part)}
    weights: Weights = "items"
    if groups:
        known = {one.metric: one for one in groups[0].aggregate_metric_list or []}
    else:
        known = dict.fromkeys(next(iter(parts.values())).aggregation())
    metric, _, filter_name = (wanted or next(iter(known), "")).partition(",")
    if metric not in known:
        raise UserError(
            where, f"it has no mean {metric or 'of its own'}", f"name one of {', '.join(known) or 'its tasks'}"
        )
    if groups:
        weights = "items" if known[metric].weight_by_size else "tasks"
        filters &= set(known[metric].filter_list or filters)
    if not filter_name:
        filter_name = next(one for one in filter_names(next(iter(parts.values()))) if one in filters)
    if filter_name not in filters:
        raise UserError(where, f"it has no filter {filter_name[:40]}", f"name one of {', '.join(sorted(filters))}")
    if metric == BITS_PER_BYTE and not groups:
        weights = "bytes"
    return metric, filter_name, weights


def check_direction(where: str, metric: str, parts: Mapping[str, Any], turned: bool) -> None:
    """Raises a UserError where less is better and no minus says so, or a minus stands where more is."""
    for part in parts.values():
        if part.OUTPUT_TYPE == "loglikelihood_rolling" and metric != BITS_PER_BYTE:
            raise UserError(where, f"{metric} is no mean over items", f"set metric: {MINUS}{BITS_PER_BYTE}")
        less = part.higher_is_better().get(metric) is False
        if less and not turned:
            raise UserError(where, f"less is better in {metric}", f"set metric: {MINUS}{metric}, so that more is")
        if turned and not less:
            raise UserError(where, f"more is better in {metric}", f"set metric: {metric}, without the minus")


def filter_names(part: Any) -> list[str]:
    """The names of a task's filters, in its order."""
    return [one.name for one in part._filters]  # no public way gives them before a response


@contextmanager
def no_foreign_code(where: str, pins: Pins) -> Iterator[None]:
    """Datasets of the Hub come at their pinned commit and without code; a metric of the Hub, which is code, does not.

    Raises a UserError for either that would run code. The harness has no setting for a commit that holds for all of
    its tasks, so the function that it loads datasets with is exchanged meanwhile.
    """
    import datasets

    load, metrics = datasets.load_dataset, list[str]()

    @cache  # a group asks for a dataset with each of its tasks
    def commit(path: str, revision: str) -> str:
        return resolve_dataset(path, revision, None, pins).sha

    def load_pinned(path: str, name: str | None = None, **options: Any) -> Any:
        if path not in FILE_FORMATS and not Path(path).exists():
            options["revision"] = commit(path, options.get("revision") or DEFAULT_REVISION)
        options.pop("trust_remote_code", None)
        try:
            return load(path, name, **options)
        except RuntimeError as error:
            if "script" not in str(error).lower():
                raise
            found = f"the dataset {one_line(path)} comes with code of its own, and no foreign code is run"
            raise UserError(where, found, "use a dataset of plain files, or a local copy of its rows") from None

    def refuse_metric(path: str, *_: Any, **__: Any) -> Any:
        metrics.append(path)
        raise ValueError("a metric of the Hub is code")

    library = sys.modules.pop("evaluate", None)  # that brings the Hub's metrics
    sys.modules["evaluate"] = cast(ModuleType, SimpleNamespace(load=refuse_metric))
    with patch.object(datasets, "load_dataset", load_pinned):
        try:
            yield
        finally:
            del sys.modules["evaluate"]
            sys.modules |= {"evaluate": library} if library else {}
            if metrics:  # the harness has swallowed the refusal, and may have failed for it later
                found = f"the metric {one_line(metrics[0])} is code from the Hub, and no foreign code is run"
                remedy = "use one of the harness's metrics, or a Python function of your own"
                raise UserError(where, found, remedy)
