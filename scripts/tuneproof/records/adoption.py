"""Takes results of the workspace into the ledger: pulled from a colleague, they need not be bought again."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, say, warn
from tuneproof.common.files import file_sha256
from tuneproof.records.files import iterate_rows
from tuneproof.records.handovers import ANSWERS, COMPARISONS, JUDGEMENTS
from tuneproof.records.ledger import Kind, Ledger
from tuneproof.records.rows import Answer, Comparison, Judgement

LedgerRow = tuple[str, Kind, dict[str, Any]]


def adopt(ledger: Ledger) -> None:
    """Adds the workspace's rows to the ledger: pulled from a colleague, they need not be bought again.

    A row's key does not hold its model's name, so rows of a model that is called otherwise now count as well.
    """
    adopted = 0
    for directory, results in RESULTS_OF.items():
        for path in sorted(directory.glob("*.jsonl")):
            try:
                sha256 = file_sha256(path)
            except OSError as error:
                warn(f"{path}: it cannot be read ({error.strerror}); its rows are not adopted into the ledger")
                continue
            adopted += ledger.adopt(sha256, readable(results(path)))
    if adopted:
        say(f"validate: adopted {adopted} results of the workspace into the ledger")


def readable(results: Iterator[LedgerRow]) -> Iterator[LedgerRow]:
    """The results of a file up to a row that cannot be read; no later one is read, and the warning comes once."""
    try:
        yield from results
    except UserError as error:
        warn(f"{error.where}: {error.found}; its rows are not adopted into the ledger")


def answers_of(path: Path) -> Iterator[LedgerRow]:
    """A file's answers, as the ledger keeps them."""
    for answer in iterate_rows(path, Answer, made_by="validate.py"):
        yield answer.key, "answer", answer.model_dump(exclude={"id", "sample", "prompt", "key"})


def replies_of(path: Path, kind: type[Judgement] | type[Comparison]) -> Iterator[LedgerRow]:
    """A file's replies of judges, as the ledger keeps them."""
    for row in iterate_rows(path, kind, made_by="validate.py"):
        for reply in row.replies:
            yield reply.key, "reply", reply.model_dump(exclude={"key"})


RESULTS_OF: dict[Path, Callable[[Path], Iterator[LedgerRow]]] = {
    ANSWERS.directory: answers_of,
    JUDGEMENTS.directory: partial(replies_of, kind=Judgement),
    COMPARISONS.directory: partial(replies_of, kind=Comparison),
}
