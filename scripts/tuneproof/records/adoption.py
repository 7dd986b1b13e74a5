"""Takes results of the workspace into the ledger: pulled from a colleague, they need not be bought again."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, say, warn
from tuneproof.common.files import file_sha256
from tuneproof.records.files import AnyRecord, rows_or_errors
from tuneproof.records.handovers import (
    ADMISSION_COMPARISONS,
    ADMISSION_JUDGEMENTS,
    ANSWERS,
    COMPARISONS,
    JUDGEMENTS,
)
from tuneproof.records.ledger import Kind, Ledger
from tuneproof.records.rows import Answer, Comparison, Judgement

LedgerRow = tuple[str, Kind, dict[str, Any]]


def adopt(ledger: Ledger) -> None:
    """Adds the workspace's rows to the ledger: pulled from a colleague, they need not be bought again.

    A row's key does not hold its model's name, so rows of a model that is called otherwise now count as well.
    """
    adopted = 0
    for pattern, results in RESULTS_OF.items():
        for path in sorted(Path().glob(pattern)):
            try:
                sha256 = file_sha256(path)
            except OSError as error:
                warn(f"{path}: it cannot be read ({error.strerror}); its rows are not adopted into the ledger")
                continue
            refused: list[UserError] = []
            adopted += ledger.adopt(sha256, results(path, refused))
            if refused:
                first, rows = refused[0], "row of it is" if len(refused) == 1 else "rows of it are"
                warn(f"{first.where}: {first.found}; {len(refused)} {rows} not adopted into the ledger")
    if adopted:
        say(f"validate: adopted {adopted} results of the workspace into the ledger")


def sound_rows(path: Path, kind: type[AnyRecord], refused: list[UserError]) -> Iterator[AnyRecord]:
    """A file's rows that can be read; for every other one its error is added to `refused`."""
    for row in rows_or_errors(path, kind, made_by="validate.py"):
        if isinstance(row, UserError):
            refused.append(row)
        else:
            yield row


def answers_of(path: Path, refused: list[UserError]) -> Iterator[LedgerRow]:
    """A file's answers, as the ledger keeps them."""
    for answer in sound_rows(path, Answer, refused):
        yield answer.key, "answer", answer.model_dump(exclude={"id", "sample", "turn", "prompt", "key"})


def replies_of(path: Path, refused: list[UserError], kind: type[Judgement] | type[Comparison]) -> Iterator[LedgerRow]:
    """A file's replies of judges, as the ledger keeps them."""
    for row in sound_rows(path, kind, refused):
        for reply in row.replies:
            yield reply.key, "reply", reply.model_dump(exclude={"key"})


RESULTS_OF: dict[str, Callable[[Path, list[UserError]], Iterator[LedgerRow]]] = {  # by the paths of files
    f"{ANSWERS.directory}/*.jsonl": answers_of,
    f"{JUDGEMENTS.directory}/*.jsonl": partial(replies_of, kind=Judgement),
    f"{COMPARISONS.directory}/*.jsonl": partial(replies_of, kind=Comparison),
    str(ADMISSION_JUDGEMENTS.path): partial(replies_of, kind=Judgement),
    str(ADMISSION_COMPARISONS.path): partial(replies_of, kind=Comparison),
}
