"""Requests in tokens that a job elsewhere answers with the engine alone: it has no harness, no tasks and no ledger."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from tuneproof.generation.handing_over import FinishedRow
from tuneproof.generation.jobs import Job
from tuneproof.generation.sagemaker.container import OPEN_ROWS_FILE
from tuneproof.generation.sagemaker.upload import job_files
from tuneproof.generation.sagemaker.work import Size, Work
from tuneproof.records.files import rows_text
from tuneproof.records.rows import Record
from tuneproof.settings.params import GenerationParams

Given = tuple[tuple[float, bool] | str, ...]  # what a request's parts were answered with


class Wanted(Record):
    """What a text is generated with."""

    max_tokens: int
    stop: tuple[str, ...]
    temperature: float
    seed: int
    more: dict[str, Any]


class Part(Record):
    """Tokens that a model continues as `wanted` says, or holds so likely from `start` on."""

    token_ids: tuple[int, ...]
    start: int = 0
    wanted: Wanted | None = None


class OpenRow(Record):
    """One request, in the parts that a model is asked."""

    key: str
    parts: tuple[Part, ...]


def work_in_tokens(job: Job, params: GenerationParams, keys: Collection[str]) -> Work[OpenRow, Given]:
    """What a job does that answers requests in tokens; `keys` are those of all requests, also of answered ones."""

    def files(missing: Sequence[OpenRow]) -> dict[str, str | Path]:
        return {**job_files(job, params), str(OPEN_ROWS_FILE): rows_text(missing)}

    return Work(
        job=job,
        names=sorted(keys),
        keys=frozenset(keys),
        files=files,
        size=size_of,
        row=FinishedRow[Given],
        module="tuneproof.generation.likelihoods.answering",
    )


def size_of(row: OpenRow) -> Size:
    """What a request takes: a likelihood makes one token of its own."""
    most = max((part.wanted.max_tokens for part in row.parts if part.wanted), default=1)
    return Size(rows=1, prompt_tokens=sum(len(part.token_ids) for part in row.parts), most_answer_tokens=most)
