"""Buying what a stage lacks: the quote first, then each reply, recorded as it arrives."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tuneproof.common.errors import UserError, say
from tuneproof.common.progress import Progress
from tuneproof.common.windows import work_through, workers_for
from tuneproof.endpoint.access import Access, require_keys
from tuneproof.endpoint.client import Client
from tuneproof.endpoint.errors import RequestRejected, TransportFailure
from tuneproof.records.claims import Claims
from tuneproof.records.quoted import keep_quote, told_quote
from tuneproof.records.writing.timeline import timed
from tuneproof.scoring.judging.buying.batches import ANY_BATCH, Batches, Brought
from tuneproof.scoring.judging.buying.budget import Budget
from tuneproof.scoring.judging.buying.quotes import Quote, in_usd
from tuneproof.scoring.judging.cases import AnyCase, Case, Stage
from tuneproof.scoring.judging.chains import Asking, Chain, refused_material
from tuneproof.scoring.judging.worklist import Worklist

VAIN_BATCHES = 3  # so many rounds in a row that bring nothing end the run
SECONDS_BETWEEN_LOOKS = 0.5  # at what others are buying


def buy(asking: Asking, stage: Stage[AnyCase], run: Sequence[Stage[Any]]) -> None:
    """Buys every reply that the ledger lacks; sends nothing where it lacks none.

    `run` holds all stages of the whole run, for the quote and the budget. Raises a UserError when the endpoint or the
    budget stopped it, or when some requests failed in transport; what arrived is recorded.
    """
    worklist = Worklist.of(asking, stage)
    if not worklist.positions:
        return
    require_keys(asking.judge, asking.execution)
    quote = Quote(asking.judge, asking.execution)
    quote.add(stage.name, worklist.tallies)
    asking.ledger.require_space(quote.estimate(stage.name).replies)
    others = add_other_stages(quote, asking, [other for other in run if other.name != stage.name])
    budget = Budget(asking.judge, asking.execution, quote)
    tell_once(quote, stage.name)
    try:
        if asking.execution.transport == "batch":
            buy_in_batches(worklist, budget, others)
        else:
            take_from_batches(worklist, budget)
            asyncio.run(buy_listed(worklist, Purchases(asking, stage.name, budget)))
    finally:
        quoted = quote.estimate(stage.name)
        bought = f"{budget.bought} replies for {in_usd(budget.bought_usd)}"
        say(f"{stage.name}: bought {bought}; quoted were {quoted.replies} for about {in_usd(quoted.usd)}")


def tell_once(quote: Quote, stage: str) -> None:
    """Says what the whole run will cost, unless this run was told and this stage buys no more than was said then."""
    told = told_quote()
    if told and told.covers(stage, quote.estimate(stage).replies):
        return
    for line in quote.lines():
        say(line)
    keep_quote(quote.quoted())


def add_other_stages(quote: Quote, asking: Asking, stages: Iterable[Stage[Any]]) -> list[Worklist[Any]]:
    """Counts the further stages of the run, leaving out those whose answers are not there or are of other questions."""
    counted = []
    for other in stages:
        try:
            worklist = Worklist.of(asking.about(other), other)
        except UserError:
            quote.left_out.append(other.name)
        else:
            quote.add(other.name, worklist.tallies)
            counted.append(worklist)
    return counted


def take_from_batches(worklist: Worklist[AnyCase], budget: Budget) -> None:
    """Records what earlier batches have brought. Raises a UserError while one of them is under way: it is paid for."""
    if worklist.asking.ledger.get(ANY_BATCH) is None:
        return
    batches = Batches(worklist, budget)
    missing = batches.look()
    brought = batches.collect(missing, wait=False)
    under_way = [batch for batch in missing.batches if batch not in brought.ended]
    if under_way:
        found = f"batch {under_way[0]} is under way and will bring some of these replies"
        remedy = "set execution.judge.transport: batch to wait for it, or cancel it at the endpoint"
        raise UserError(worklist.stage.name, found, remedy)


def buy_in_batches(worklist: Worklist[AnyCase], budget: Budget, others: Iterable[Worklist[Any]]) -> None:
    """Submits what this stage and the others lack, then waits for this one's, until nothing of it is missing."""
    batches, brought = Batches(worklist, budget), Brought()
    missing = batches.submit(brought)
    for other in others:
        Batches(other, budget).submit(Brought())
    vain = 0
    while missing.places:
        if not missing.batches:
            raise budget.reached()
        newly = batches.collect(missing, wait=True)
        brought.add(newly)
        vain = 0 if newly.replies else vain + 1
        if vain >= VAIN_BATCHES:
            why = brought.problem or "nobody said why"
            found = f"{len(missing.places)} replies did not come, the last because {why}"
            remedy = "run again: everything that arrived is kept and not bought again"
            raise UserError(worklist.stage.name, found, remedy)
        missing = batches.submit(brought)


async def buy_listed(worklist: Worklist[AnyCase], purchases: "Purchases") -> None:
    """Completes the cases that lack replies, a sliding window at a time.

    What another experiment is buying just now is left until all else is done; then it is in the ledger.
    """
    lacking = worklist.positions
    count = len(lacking)
    with (
        timed(purchases.name, "verdicts") as done,
        Progress(purchases.name, count, "verdicts", purchases.facts) as progress,
    ):
        async with purchases.opened():
            while lacking:
                left = await pass_through(worklist, lacking, purchases, progress)
                done.units = count - len(left)
                if len(left) == len(lacking):
                    await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
                lacking = left
    purchases.require_none_failed(count)


async def pass_through(
    worklist: Worklist[AnyCase], positions: Sequence[int], purchases: "Purchases", progress: Progress
) -> list[int]:
    """Completes the cases at these positions once; gives those that others are buying."""
    left: list[int] = []

    async def settle_case(numbered: tuple[int, AnyCase]) -> None:
        position, case = numbered
        if await purchases.complete_case(case):
            progress.advance()
        else:
            left.append(position)

    await work_through(worklist.cases(positions), settle_case, purchases.workers, stop_waiting=purchases.stop)
    return sorted(left)


@dataclass
class Purchases:
    """Buying replies, each recorded as it arrives. `name` is the stage's."""

    asking: Asking
    name: str
    budget: Budget
    claims: Claims = field(init=False)
    clients: dict[Access, Client] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Within, replies can be bought."""
        asking = self.asking
        async with AsyncExitStack() as stack:
            self.claims = stack.enter_context(Claims(asking.ledger.path.with_name("claims")))
            for access in asking.panel:
                client = Client(
                    access.base_url, access.api_key, label=access.label, key_variable=access.key_variable,
                    api_version=access.api_version,
                    concurrency=asking.execution.concurrency, timeout_seconds=asking.execution.timeout_seconds,
                )  # fmt: skip
                self.clients[access] = await stack.enter_async_context(client)
            yield

    def require_none_failed(self, count: int) -> None:
        """Raises a UserError where some of so many cases got no reply, for a reason that passes."""
        if self.failures:
            found = f"{len(self.failures)} of {count} got no reply, the last because {self.failures[-1]}"
            raise UserError(self.name, found, "run again: everything that arrived is kept and not bought again")

    @property
    def workers(self) -> int:
        """How many cases are worked on at once."""
        return workers_for(self.asking.execution.concurrency)

    def stop(self) -> None:
        """Sends nothing more."""
        for client in self.clients.values():
            client.stop()

    def facts(self) -> str:
        """What is shown beside the progress."""
        waiting = sum(client.statistics.waiting for client in self.clients.values())
        spent = f"{self.budget.bought} replies bought, {in_usd(self.budget.bought_usd)}"
        return f"{spent}, {waiting} waiting for limits" if waiting else spent

    async def complete_case(self, case: Case) -> bool:
        """Buys what a case lacks, recording each reply; gives whether nothing of it is left to others."""
        try:
            return all([await self.complete_chain(chain, case) for chain in self.asking.chains(case)])
        except TransportFailure as failure:
            self.failures.append(str(failure))
            return True

    async def complete_chain(self, chain: Chain, case: Case) -> bool:
        """Buys replies until there is a usable one, or none is left to try; gives whether others are not at it."""
        asking = self.asking
        with self.claims.claim(asking.key(chain, attempt=1)) as mine:
            if mine:
                asking.take_recorded([chain])  # also what somebody has bought since the worklist was made
                while not chain.complete:
                    await self.extend(chain, case)
            return mine

    async def extend(self, chain: Chain, case: Case) -> None:
        """Buys one reply. From its receipt until the ledger's thread has it nothing waits and nothing can fail.

        What is bought next waits until it is on disk, so that nothing is asked that could not be kept.
        """
        asking, access, attempt = self.asking, chain.access, len(chain.replies) + 1
        key = asking.key(chain, attempt)
        body = asking.body(access, case.messages(case.nonce))
        async with self.budget.purchase(access.model, len(chain.request)) as purchase:
            try:
                completion = await self.clients[access].complete(body)
                reply = purchase.reply = asking.read(completion, access, attempt, key)
            except RequestRejected as rejection:
                reply = refused_material(rejection, access, attempt, key)
            saved = asking.ledger.record(key, "reply", reply.model_dump(exclude={"key"}))
        await asyncio.wrap_future(saved)
        chain.replies.append(reply)
