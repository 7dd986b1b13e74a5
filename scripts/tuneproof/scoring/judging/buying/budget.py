"""A cap on what a run's judging may cost, kept while many requests are under way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tuneproof.common.errors import UserError
from tuneproof.records.rows import Reply
from tuneproof.scoring.judging.buying.quotes import Quote, in_usd, reply_cost_usd
from tuneproof.settings.evidence.judging import Judge
from tuneproof.settings.execution import JudgeExecution


@dataclass
class Purchase:
    """One request under way; `reply` is set when there is one that has to be paid for."""

    reply: Reply | None = None


class Budget:
    """What is spent, in flight and left. A request is let go only when the most that it may cost still fits."""

    def __init__(self, judge: Judge, execution: JudgeExecution, quote: Quote) -> None:
        """Raises a UserError when there is a cap and a price is not known."""
        self._judge, self._execution = judge, execution
        self._spent = quote.spent_usd() or 0.0
        self._in_flight, self._requests_in_flight = 0.0, 0
        self._held: dict[str, float] = {}
        self._changed = asyncio.Condition()
        self.bought = 0
        self.bought_usd: float | None = None if quote.unpriced else 0.0
        if execution.budget_usd is not None and quote.unpriced:
            found = f"the price of {', '.join(quote.unpriced)} is not known, so that the budget could not be kept"
            remedy = "add it to execution.judge.prices (0 where nothing is to be paid), or set budget_usd null"
            raise UserError("execution.judge.budget_usd", found, remedy)

    @asynccontextmanager
    async def purchase(self, model: str, request_bytes: int) -> AsyncIterator[Purchase]:
        """Waits until a request fits in, then counts it at its most until it ends, and its reply afterwards.

        Raises a UserError when it does not fit and nothing in flight could make room.
        """
        most = self._most(model, request_bytes)
        await self._reserve(most)
        purchase = Purchase()
        try:
            yield purchase
        finally:
            self._requests_in_flight -= 1
            self._in_flight = self._in_flight - most if self._requests_in_flight else 0.0
            if purchase.reply:
                self.pay(purchase.reply, request_bytes)
            async with self._changed:
                self._changed.notify_all()

    async def _reserve(self, usd: float) -> None:
        async with self._changed:
            while not self._fits(usd):
                if not self._requests_in_flight:
                    raise self.reached()
                await self._changed.wait()
            self._in_flight += usd
            self._requests_in_flight += 1

    def hold(self, key: str, model: str, request_bytes: int, under_way: bool) -> bool:
        """Counts a request of a batch at its most until it is paid or let go; gives whether it fits in.

        One that is under way already is counted even where it does not.
        """
        self.let_go(key)
        most = self._most(model, request_bytes)
        fits = self._fits(most)
        if fits or under_way:
            self._held[key] = most
            self._in_flight += most
        return fits

    def let_go(self, key: str) -> None:
        """Ends the hold of a request in a batch."""
        self._in_flight -= self._held.pop(key, 0.0)

    def pay(self, reply: Reply, request_bytes: int) -> None:
        """Counts a reply as bought."""
        price = self._execution.prices.get(reply.judge)
        cost = reply_cost_usd(reply, request_bytes, price, self._judge.max_tokens)
        self.let_go(reply.key)
        self.bought += 1
        self._spent += cost or 0.0
        self.bought_usd = None if cost is None or self.bought_usd is None else self.bought_usd + cost

    def reached(self) -> UserError:
        """The error to raise when nothing more fits in."""
        found = (
            f"{in_usd(self._spent)} of {in_usd(self._execution.budget_usd)} are spent, and the next reply may pass it"
        )
        return UserError("execution.judge.budget_usd", found, "raise it to go on: everything bought is kept")

    def _fits(self, usd: float) -> bool:
        cap = self._execution.budget_usd
        return cap is None or self._spent + self._in_flight + usd <= cap

    def _most(self, model: str, request_bytes: int) -> float:
        """What a request may cost at most: no token is shorter than a byte, and no reply longer than max_tokens.

        Without max_tokens there is no budget to hold it against: the settings see to that.
        """
        price = self._execution.prices.get(model)
        return price.cost_usd(request_bytes, self._judge.max_tokens or 0) if price else 0.0
