"""Buying replies to answers while they are generated. The judge stage then finds them all in the ledger."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tuneproof.common.errors import UserError, say
from tuneproof.common.progress import Progress
from tuneproof.common.windows import Inflow, work_through
from tuneproof.endpoint.access import require_keys
from tuneproof.records.writing.timeline import timed
from tuneproof.scoring.judging.buying.budget import Budget
from tuneproof.scoring.judging.buying.purchases import (
    SECONDS_BETWEEN_LOOKS,
    Purchases,
    add_other_stages,
    take_from_batches,
)
from tuneproof.scoring.judging.buying.quotes import Quote, in_usd
from tuneproof.scoring.judging.cases import AnswerCase, Stage
from tuneproof.scoring.judging.chains import Asking
from tuneproof.scoring.judging.worklist import Worklist

Look = Callable[[], Iterable[AnswerCase] | None]


def follow(asking: Asking, name: str, run: Sequence[Stage[Any]], look: Look, count: int) -> None:
    """Buys the replies to cases as `look` gives them, until it gives None; `count` is how many there will be.

    `run` holds all stages of the whole run, for the budget. Raises a UserError as `buy` does, and Interrupted after a
    signal; what arrived is recorded.
    """
    require_keys(asking.judge, asking.execution)
    there = list(look() or ())
    stage = Stage(name, asking.criteria, lambda: iter(there))
    worklist = Worklist.of(asking, stage)
    quote = Quote(asking.judge, asking.execution)
    quote.add(name, worklist.tallies)
    if asking.execution.budget_usd is not None:
        add_other_stages(quote, asking, [other for other in run if other.name != name])
    budget = Budget(asking.judge, asking.execution, quote)
    take_from_batches(worklist, budget)
    say(f"{name}: follows the answers, {len(there)} of {count} are there")
    try:
        with timed(name, "verdicts while answers came") as done:
            try:
                asyncio.run(judge_as_they_land(Purchases(asking, name, budget), there, look, count))
            finally:
                done.units = budget.bought
    finally:
        say(f"{name}: bought {budget.bought} replies for {in_usd(budget.bought_usd)} while answers were generated")


async def judge_as_they_land(purchases: Purchases, there: list[AnswerCase], look: Look, count: int) -> None:
    """Completes the cases that are there, and those that come."""
    inflow = Inflow(look, SECONDS_BETWEEN_LOOKS)
    for case in there:
        inflow.again(case)
    there.clear()

    def stop() -> None:
        purchases.stop()
        inflow.stop()

    async def settle_case(case: AnswerCase) -> None:
        try:
            mine = await purchases.complete_case(case)
        except UserError:  # it ends the others too, which may wait for answers
            inflow.stop()
            raise
        if mine:
            progress.advance()
        else:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            inflow.again(case)

    with Progress(purchases.name, count, "verdicts", purchases.facts) as progress:
        async with purchases.opened():
            await work_through(inflow, settle_case, purchases.workers, stop_waiting=stop)
    purchases.require_none_failed(count)
