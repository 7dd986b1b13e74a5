"""The section of params.yaml that decides which benchmarks the models are put to: benchmark."""

import math
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tuneproof.settings.base import NotNegative, Positive, Settings, Text
from tuneproof.settings.evidence.judging import criterion_name

TASKS_FOLDER = "tasks"  # on which the stage depends, so that DVC sees a task that changed
EMBEDDED_TASKS_FOLDER = "data/embedded/benchmark"
REFERENCE_LIKELIHOOD = "reference_likelihood"  # a task of this project, on the test set's own reference answers
WORST_BITS_PER_BYTE = (-16.0, 0.0)  # of which less is better: the negative counts. One byte at random takes 8


def as_pair(value: object) -> object:
    """Two ends of a range; YAML has lists where these are tuples."""
    return tuple(float(end) if type(end) is int else end for end in value) if isinstance(value, list) else value


class BenchmarkTask(Settings):
    """One task or group of tasks, whose counting metric is a criterion; what is None is the task's own.

    `task` is its name in the harness where that is no criterion's; `path` a task of the user's own; `metric` may name
    the filter too (`exact_match,strict-match`), with a minus before one of which less is better; `range` holds the
    metric's lowest and highest value, 0 to 1 where it is None, and for bits per byte -16 to 0.
    """

    task: Text | None = None
    path: Text | None = None
    metric: Text | None = None
    num_fewshot: NotNegative | None = None
    limit: Positive | None = None
    range: Annotated[tuple[float, float], BeforeValidator(as_pair)] | None = None

    @field_validator("path")
    @classmethod
    def check_path(cls, path: str | None) -> str | None:
        """Only below the folder that the stage depends on."""
        if path is None:
            return None
        place = PurePosixPath(path)
        inside = any(place.is_relative_to(folder) for folder in (TASKS_FOLDER, EMBEDDED_TASKS_FOLDER))
        if not inside or ".." in place.parts or place.suffix not in (".yaml", ".yml", ".py"):
            raise ValueError(f"name a file of the folder {TASKS_FOLDER}, such as {TASKS_FOLDER}/mine.yaml")
        return path

    @model_validator(mode="after")
    def check_range(self) -> Self:
        """A range has two ends, and a task one source."""
        if self.range and (not self.range[0] < self.range[1] or math.isinf(self.range[1] - self.range[0])):
            low, high = self.range
            raise ValueError(f"range is {low:g} to {high:g}; the first must be less than the second")
        if self.path and self.task:
            raise ValueError("`path` and `task` both name the task; leave one out")
        return self


class Benchmarks(Settings):
    """Which benchmarks the models are put to, by which harness, and how the harness asks.

    What a task does not say for itself is said here; `seed` None is the harness's own.
    """

    harness: Literal["lm_eval", "lighteval"] = "lm_eval"
    tasks: dict[str, BenchmarkTask] = Field(default_factory=dict)
    num_fewshot: NotNegative | None = None
    chat_template: bool = False
    limit: Positive | None = None
    seed: NotNegative | None = None

    @field_validator("tasks", mode="before")
    @classmethod
    def read_tasks(cls, tasks: object) -> object:
        """`mmlu:` alone is a task with nothing changed."""
        if not isinstance(tasks, dict):
            return tasks
        return {name: {} if task is None else task for name, task in tasks.items()}

    @field_validator("tasks")
    @classmethod
    def check_names(cls, tasks: dict[str, BenchmarkTask]) -> dict[str, BenchmarkTask]:
        """Names become metric columns and JSON keys."""
        for name in tasks:
            criterion_name(name)
        return tasks

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest value of every criterion."""
        return {name: task.range or self.usual_range(name) for name, task in self.tasks.items()}

    def usual_range(self, name: str) -> tuple[float, float]:
        """The range of a task that does not name one."""
        negative = self.is_reference_likelihood(name) or self.tasks[name].metric == "-bits_per_byte"
        return WORST_BITS_PER_BYTE if negative else (0.0, 1.0)

    def limit_of(self, name: str) -> int | None:
        """How many items of a criterion are asked; None for all."""
        return self.tasks[name].limit or self.limit

    def is_reference_likelihood(self, name: str) -> bool:
        """Whether a criterion is the one task that is no harness's: how well the references are predicted."""
        return self.tasks[name].path is None and (self.tasks[name].task or name) == REFERENCE_LIKELIHOOD
