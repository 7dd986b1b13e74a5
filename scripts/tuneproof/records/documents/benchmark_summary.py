"""What the harness itself says of one model, beside the rows of its items (data/benchmarks/<model>.json)."""

from typing import Any, Literal

from pydantic import Field

from tuneproof.records.rows import Row


class TaskSummary(Row):
    """What the harness itself says of one model on one task or group: its mean and standard error, and how it asked.

    `weights` says what its mean weighs alike: the items, a group's tasks, or the items' bytes. `metric` names the
    filter too, and begins with a minus where it is the negative of what the harness says. `contents` are the hashes of
    all that a task makes of items and responses, as wording, filters, metrics and functions; none in older files.
    `chance` is known where each item is a choice of one.
    """

    task: str
    metric: str
    mean: float
    standard_error: float | None
    items: int
    weights: Literal["items", "tasks", "bytes"]
    versions: dict[str, str]  # by task of the harness
    num_fewshot: dict[str, int]
    chance: float | None = Field(default=None, exclude_if=lambda chance: chance is None)  # the mean of guessing
    contents: dict[str, str] = Field(default={}, exclude_if=lambda contents: not contents)


class BenchmarkSummary(Row):
    """One model's benchmarks by criterion; `left_out` says why there are none where the embedded world has some.

    `chat_template` and `seed` are the settings by which all tasks were asked. `documents` holds by criterion what
    lm-eval itself writes into its results file, as far as no machine differs in it.
    """

    harness: str
    tasks: dict[str, TaskSummary]
    left_out: str | None = None
    chat_template: bool = Field(default=False, exclude_if=lambda applied: not applied)
    seed: int | None = Field(default=None, exclude_if=lambda seed: seed is None)
    documents: dict[str, dict[str, Any]] = Field(default={}, exclude_if=lambda documents: not documents)
