"""Asking judges: what was bought before comes from the ledger, the rest is bought once and recorded as it arrives.

The judge and compare stages differ in their cases and their rubric only.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from evaluation.batches import ANY_BATCH, Batches
from evaluation.bench import NEWER_MAX_TOKENS, Bench, Chain, refused_material, with_newer_name
from evaluation.budget import Budget
from evaluation.cases import AnswerCase, AnyCase, Chains, Pair, Stage
from evaluation.claims import Claims
from evaluation.endpoint import Client
from evaluation.endpoint_errors import RequestRejected, TransportFailure
from evaluation.errors import UserError, say, warn
from evaluation.judge_settings import Judge
from evaluation.ledger import Ledger
from evaluation.panel import Panelist, require_keys
from evaluation.progress import Progress
from evaluation.quotes import Quote, in_usd
from evaluation.records import Comparison, Judgement
from evaluation.sliding_window import work_through

VAIN_BATCHES = 3  # so many rounds in a row that bring nothing end the run
SECONDS_BETWEEN_LOOKS = 0.5  # at what others are buying

AnyStage = Stage[AnswerCase] | Stage[Pair]
AnyJudged = TypeVar("AnyJudged", Judgement, Comparison)


def settle(
    stage: Stage[AnyCase], run: Sequence[AnyStage], judge: Judge, ledger: Ledger
) -> Iterator[tuple[AnyCase, Chains]]:
    """Buys what the ledger lacks, then gives every case with its replies, a list for each score asked for.

    No more than one case is held at a time. A case with nothing to judge has no replies. `run` holds all stages of the
    whole run, for the quote and the budget. Raises a UserError as `buy` does.
    """
    bench = Bench(judge, stage.criteria, ledger)
    buy(bench, stage, run)
    models: dict[str, set[str]] = {}
    for case in stage.cases():
        chains = [chain.replies for chain in bench.chains(case)] if case.complete else []
        for reply in (reply for chain in chains for reply in chain if reply.model):
            models.setdefault(reply.judge, set()).add(str(reply.model))
        yield case, chains
    for name, answered_as in models.items():
        if len(answered_as) > 1:
            warn(f"{stage.name}: {name} was answered by several models: {', '.join(sorted(answered_as))[:200]}")


def buy(bench: Bench, stage: Stage[AnyCase], run: Sequence[AnyStage]) -> None:
    """Buys every reply that the ledger lacks; sends nothing where it lacks none.

    Raises a UserError when the endpoint or the budget stopped it, or when some requests failed in transport; what
    arrived is recorded.
    """
    quote = Quote(bench.judge)
    lacking = quote.count(stage.name, bench, stage.cases())
    if not lacking:
        return
    require_keys(bench.judge)
    bench.ledger.require_space(quote.estimate(stage.name).replies)
    add_other_stages(quote, bench, [other for other in run if other.name != stage.name])
    for line in quote.lines():
        say(f"{stage.name}: {line}")
    budget = Budget(bench.judge, quote)
    try:
        if bench.judge.transport == "batch":
            counted_stages = [other for other in run if other.name in quote.stages and other.name != stage.name]
            buy_in_batches(bench, budget, stage, counted_stages)
        else:
            take_from_batches(bench, budget, stage, lacking)
            asyncio.run(Purchases(bench, budget, stage).buy(lacking))
    finally:
        quoted = quote.estimate(stage.name)
        bought = f"{budget.bought} replies for {in_usd(budget.bought_usd)}"
        say(f"{stage.name}: bought {bought}; quoted were {quoted.replies} for about {in_usd(quoted.usd)}")


def add_other_stages(quote: Quote, bench: Bench, stages: Iterable[AnyStage]) -> None:
    """Counts the further stages of the run, leaving out those whose answers are not there or are of other questions."""
    for other in stages:
        try:
            quote.count(other.name, Bench(bench.judge, other.criteria, bench.ledger), other.cases())
        except UserError:
            quote.left_out.append(other.name)


def take_from_batches(bench: Bench, budget: Budget, stage: Stage[AnyCase], lacking: set[int]) -> None:
    """Records what earlier batches have brought. Raises a UserError while one of them is under way: it is paid for."""
    if bench.ledger.get(ANY_BATCH) is None:
        return
    batches = Batches(bench, budget, stage.name)
    batches.note(case for position, case in enumerate(stage.cases()) if position in lacking)
    batches.collect(wait=False)
    if batches.waiting:
        found = f"batch {next(iter(batches.waiting))} is under way and will bring some of these replies"
        raise UserError(stage.name, found, "set judge.transport: batch to wait for it, or cancel it at the endpoint")


def buy_in_batches(bench: Bench, budget: Budget, stage: Stage[AnyCase], others: Sequence[AnyStage]) -> None:
    """Submits what this stage and the others lack, then waits for this one's, until nothing of it is missing."""
    batches = Batches(bench, budget, stage.name)
    batches.submit(stage.cases())
    for other in others:
        Batches(Bench(bench.judge, other.criteria, bench.ledger), budget, other.name).submit(other.cases())
    vain = 0
    while batches.places:
        if not batches.waiting:
            raise budget.reached()
        vain = 0 if batches.collect(wait=True) else vain + 1
        if vain >= VAIN_BATCHES:
            found = (
                f"{len(batches.places)} replies did not come, the last because {batches.problem or 'nobody said why'}"
            )
            raise UserError(stage.name, found, "run again: everything that arrived is kept and not bought again")
        batches.submit(stage.cases())


@dataclass
class Purchases(Generic[AnyCase]):
    """Buying the replies that a stage lacks."""

    bench: Bench
    budget: Budget
    stage: Stage[AnyCase]
    claims: Claims = field(init=False)
    clients: dict[Panelist, Client] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    renamed: set[Panelist] = field(default_factory=set)  # judges whose endpoint wants max_completion_tokens

    async def buy(self, lacking: set[int]) -> None:
        """Completes the cases at these positions, a sliding window at a time.

        What another experiment is buying just now is left until all else is done; then it is in the ledger.
        """
        judge, count = self.bench.judge, len(lacking)
        async with AsyncExitStack() as stack:
            self.claims = stack.enter_context(Claims(self.bench.ledger.path.with_name("claims")))
            for panelist in self.bench.panel:
                client = Client(
                    panelist.base_url, panelist.api_key, label=panelist.label, key_variable=panelist.key_variable,
                    concurrency=judge.concurrency, timeout_seconds=judge.timeout_seconds,
                )  # fmt: skip
                self.clients[panelist] = await stack.enter_async_context(client)
            with Progress(self.stage.name, count, "verdicts", self.facts) as progress:
                while lacking:
                    left = await self.pass_through(lacking, progress)
                    if left == lacking:
                        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
                    lacking = left
        if self.failures:
            found = f"{len(self.failures)} of {count} got no reply, the last because {self.failures[-1]}"
            raise UserError(self.stage.name, found, "run again: everything that arrived is kept and not bought again")

    async def pass_through(self, lacking: set[int], progress: Progress) -> set[int]:
        """Completes cases once; gives those that others are buying."""
        left: set[int] = set()

        async def settle_case(numbered: tuple[int, AnyCase]) -> None:
            position, case = numbered
            if await self.complete_case(case):
                progress.advance()
            else:
                left.add(position)

        open_cases = (numbered for numbered in enumerate(self.stage.cases()) if numbered[0] in lacking)
        await work_through(open_cases, settle_case, self.bench.judge.concurrency)
        return left

    def facts(self) -> str:
        """What is shown beside the progress."""
        waiting = sum(client.statistics.waiting for client in self.clients.values())
        spent = f"{self.budget.bought} replies bought, {in_usd(self.budget.bought_usd)}"
        return f"{spent}, {waiting} waiting for limits" if waiting else spent

    async def complete_case(self, case: AnyCase) -> bool:
        """Buys what a case lacks, recording each reply; gives whether nothing of it is left to others."""
        chains = [chain for chain in self.bench.chains(case) if not chain.complete]
        try:
            return all([await self.complete_chain(chain, case) for chain in chains])
        except TransportFailure as failure:
            self.failures.append(str(failure))
            return True

    async def complete_chain(self, chain: Chain, case: AnyCase) -> bool:
        """Buys replies until there is a usable one, or none is left to try; gives whether others are not at it."""
        with self.claims.claim(self.bench.key(chain, attempt=1)) as mine:
            if mine:
                self.bench.take_recorded(chain)  # somebody may have finished it meanwhile
                while not chain.complete:
                    await self.extend(chain, case)
            return mine

    async def extend(self, chain: Chain, case: AnyCase) -> None:
        """Buys and records one reply."""
        panelist, attempt = chain.panelist, len(chain.replies) + 1
        key = self.bench.key(chain, attempt)
        body = self.bench.body(panelist.model, case.messages(case.nonce))
        async with self.budget.purchase(panelist.model, len(chain.request)) as purchase:
            try:
                answer = await self.ask(panelist, body)
                reply = purchase.reply = self.bench.read(answer, panelist, attempt, key)
            except RequestRejected as rejection:
                reply = refused_material(rejection, panelist, attempt, key)
        self.bench.ledger.put(key, "reply", reply.model_dump(exclude={"key"}))
        chain.replies.append(reply)

    async def ask(self, panelist: Panelist, body: dict[str, Any]) -> Any:
        """Sends a request; the name of max_tokens is changed for models that know only the newer one."""
        if panelist not in self.renamed:
            try:
                return await self.clients[panelist].complete(body)
            except RequestRejected as rejection:
                if NEWER_MAX_TOKENS not in rejection.message:
                    raise
                self.renamed.add(panelist)
        return await self.clients[panelist].complete(with_newer_name(body))


def counted(rows: Iterable[AnyJudged], counts: Counter[str]) -> Iterator[AnyJudged]:
    """Passes rows on, counting them by status."""
    for row in rows:
        counts[row.status] += 1
        yield row


def counts_in_words(counts: Counter[str]) -> str:
    """Counts by status for a person."""
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
