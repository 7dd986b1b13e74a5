"""What a job on SageMaker is to do, whatever that is: what is asked for, what comes back, and what it needs there."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from tuneproof.generation.handing_over import FinishedRow
from tuneproof.generation.jobs import Job


class Keyed(Protocol):
    """What may be asked for: its key names it here and there."""

    @property
    def key(self) -> str:
        """The hash of everything that determines its result."""


Asked = TypeVar("Asked", bound=Keyed)
Given = TypeVar("Given")


class Size(NamedTuple):
    """What one open row takes at most, for an estimate."""

    rows: int
    prompt_tokens: int
    most_answer_tokens: int


@dataclass(frozen=True)
class Work(Generic[Asked, Given]):
    """One model's work in a job.

    `names` is all that is to be had, also what is there already: the job's name derives from it, so that a rerun finds
    the job. `keys` are those of all rows that may come back. `files` gives the project folder for what is missing.
    `module` runs in the container, generate.py where it is None.
    """

    job: Job
    names: Sequence[str]
    keys: AbstractSet[str]
    files: Callable[[Sequence[Asked]], dict[str, str | Path]]
    size: Callable[[Asked], Size]
    row: type[FinishedRow[Given]]
    module: str | None = None


AnyWork = Work[Any, Any]
