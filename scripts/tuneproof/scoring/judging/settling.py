"""Asking judges: what was bought before comes from the ledger, the rest is bought once and recorded as it arrives.

The judge and compare stages differ in their cases and their rubric only.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from tuneproof.common.errors import warn
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Comparison, Judgement
from tuneproof.scoring.judging.buying.purchases import buy
from tuneproof.scoring.judging.cases import AnyCase, Chains, Stage
from tuneproof.scoring.judging.chains import Asking
from tuneproof.settings.params import Params

AnyJudged = TypeVar("AnyJudged", Judgement, Comparison)


def settle(
    stage: Stage[AnyCase], run: Sequence[Stage[Any]], params: Params, ledger: Ledger
) -> Iterator[tuple[AnyCase, Chains]]:
    """Buys what the ledger lacks, then gives every case with its replies, a list for each score asked for.

    Only a few cases are held at a time. A case with nothing to judge has no replies. `run` holds all stages of the
    whole run, for the quote and the budget. Raises a UserError as `buy` does.
    """
    asking = Asking(params.judge, params.execution.judge, stage.criteria, ledger, stage.again)
    buy(asking, stage, run)
    models: dict[str, set[str]] = {}
    for case, chains in asking.recorded(stage.cases()):
        for reply in (reply for chain in chains for reply in chain.replies if reply.model):
            models.setdefault(reply.judge, set()).add(str(reply.model))
        yield case, [chain.replies for chain in chains]
    for name, answered_as in models.items():
        if len(answered_as) > 1:
            warn(f"{stage.name}: {name} was answered by several models: {', '.join(sorted(answered_as))[:200]}")


def counted(rows: Iterable[AnyJudged], counts: Counter[str]) -> Iterator[AnyJudged]:
    """Passes rows on, counting them by status."""
    for row in rows:
        counts[row.status] += 1
        yield row


def counts_in_words(counts: Counter[str]) -> str:
    """Counts by status for a person."""
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
