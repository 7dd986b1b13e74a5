"""When a request may be sent: what the endpoint's rate limits allow, as it states them and as its refusals show them.

A refusal (HTTP 429) delays its own request. A run of them pauses everyone; then one request tries, and once it passes
sending goes on, at the rate that was accepted, faster again while little is refused.
"""

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from tuneproof.endpoint.limits import LimitHeaders, reset_seconds, stated_wait_seconds
from tuneproof.endpoint.rates import Allowance, Rate

RUN_OF_REFUSALS = 5  # fewer in a row delay only themselves; pausing everyone on each made a run ten times slower
ENOUGH_ACCEPTED = 20  # so many accepted before a pause and a failed trial: it was an outage, no rate is learned from it
TRIAL_SECONDS = 1.0  # a refusal comes at once and a reply takes its time: no answer for so long counts as accepted
TRIAL_GROWTH = 1.5  # the pause before each further trial; so an outage is overslept by less than half its length
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
SHORTEST_WAIT_SECONDS = 0.001
LOOK_AGAIN_SECONDS = 0.25  # a wait is looked at again after so long: a newer reply may have shortened it


def backoff_seconds(failures: int, first_seconds: float = FIRST_BACKOFF_SECONDS) -> float:
    """Gives how long to wait after so many failures in a row: doubled each time, with jitter, at most 30 s."""
    longest = min(LONGEST_BACKOFF_SECONDS, first_seconds * 2.0 ** min(failures - 1, 10))
    return longest * random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries, guards nothing


@dataclass(frozen=True, eq=False)
class Ticket:
    """The leave to send one request: when it was given, its number, its tokens, and all spent with it."""

    at: float
    number: int
    tokens: float
    spent_tokens: float


class Pacer:
    """Says when each request may be sent; one for all requests to an endpoint, used within one event loop."""

    def __init__(self, first_backoff_seconds: float = FIRST_BACKOFF_SECONDS) -> None:
        self._first_backoff_seconds = first_backoff_seconds
        self._refused_since: float | None = None
        self._requests, self._tokens, self._rate = Allowance(False), Allowance(True), Rate()
        self._queue, self._tried = asyncio.Lock(), asyncio.Event()
        self._open = False
        self._number = 0
        self._refused_numbers: set[int] = set()
        self._paused_until: float | None = None
        self._trial: Ticket | None = None
        self._failed_trials = 0
        self._settled_number = 0  # refusals of requests up to this number have had their effect

    async def turn(self, tokens: float) -> Ticket:
        """Waits until a request of about so many tokens may be sent; first come, first served."""
        async with self._queue:
            await asyncio.sleep(0)  # lets the refusals of earlier requests in before the next is sent
            while (seconds := self._seconds_to_wait(tokens)) > 0:
                await self._wait(seconds)
            return self._leave(tokens)

    def hold_nothing_back(self) -> None:
        """Ends all waiting, now and later."""
        self._open = True
        self._tried.set()

    def accepted(self, ticket: Ticket, headers: Mapping[str, str]) -> None:
        """Takes any answer that was no refusal."""
        now = _now()
        self._observe(ticket, headers, now)
        self._refused_since = None
        if ticket is self._trial:
            self._go_on(now)

    def refused(self, ticket: Ticket, headers: Mapping[str, str], message: str, refusals: int) -> float:
        """Takes a refusal, the `refusals`-th of this request, and gives the seconds that the request has to wait."""
        now = _now()
        self._observe(ticket, headers, now)
        self._rate.refused()
        self._tokens.refused(ticket.tokens)
        self._refused_since = self._refused_since or now
        stated = stated_wait_seconds(headers, message)
        if ticket is self._trial:
            self._failed_trials += 1
            self._pause(now, stated)
        elif ticket.number > self._settled_number and self._paused_until is None and self._is_run(ticket.number):
            self._pause(now, stated)
        if stated is not None:
            return stated + random.uniform(0, 0.05)  # noqa: S311 - spreads retries, guards nothing
        backoff = backoff_seconds(refusals, self._first_backoff_seconds)
        return min(backoff, reset_seconds(headers) or LONGEST_BACKOFF_SECONDS)

    def refused_for_seconds(self) -> float:
        """Gives for how long every answer has been a refusal."""
        return 0.0 if self._refused_since is None else _now() - self._refused_since

    def _seconds_to_wait(self, tokens: float) -> float:
        now = _now()
        if self._open:
            return 0.0
        if self._paused_until is not None:
            if self._trial is None:
                return self._paused_until - now
            if now < self._trial.at + TRIAL_SECONDS:
                return self._trial.at + TRIAL_SECONDS - now
            self._go_on(now)
        limits = self._requests.seconds_until(1, now), self._tokens.seconds_until(tokens, now)
        return max(self._rate.seconds_until_next(now), *limits)

    async def _wait(self, seconds: float) -> None:
        self._tried.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(seconds, SHORTEST_WAIT_SECONDS), LOOK_AGAIN_SECONDS)):
                await self._tried.wait()

    def _leave(self, tokens: float) -> Ticket:
        now = _now()
        self._number += 1
        self._rate.sent(now)
        self._requests.spend(1, now)
        self._tokens.spend(tokens, now)
        ticket = Ticket(now, self._number, tokens, self._tokens.spent)
        if self._paused_until is None:
            self._rate.review(now)
        else:
            self._trial = ticket
        return ticket

    def _observe(self, ticket: Ticket, headers: Mapping[str, str], now: float) -> None:
        stated = LimitHeaders.read(headers)
        known = self._requests.per_second is not None or self._tokens.per_second is not None
        if stated.requests:
            self._requests.report(stated.requests, stated.requests_remaining, ticket.at, ticket.number, now)
        if stated.tokens:
            self._tokens.report(stated.tokens, stated.tokens_remaining, ticket.at, ticket.spent_tokens, now)
        if not known and (stated.requests or stated.tokens):
            self._settled_number = self._number  # what was sent before the limits were known shows nothing more

    def _is_run(self, number: int) -> bool:
        self._refused_numbers.add(number)
        self._refused_numbers -= {old for old in self._refused_numbers if old < number - 10 * RUN_OF_REFUSALS}
        run = 1
        for step in (-1, 1):
            neighbour = number + step
            while neighbour in self._refused_numbers:
                run, neighbour = run + 1, neighbour + step
        return run >= RUN_OF_REFUSALS

    def _pause(self, now: float, stated: float | None) -> None:
        seconds = self._first_backoff_seconds * TRIAL_GROWTH**self._failed_trials if stated is None else stated
        self._paused_until = now + min(seconds, LONGEST_BACKOFF_SECONDS)
        self._trial = None
        self._refused_numbers.clear()
        self._tried.set()

    def _go_on(self, now: float) -> None:
        rate, accepted = self._rate.per_second, self._rate.accepted
        outage = self._failed_trials and (rate is not None or accepted >= ENOUGH_ACCEPTED or accepted <= 1)
        self._rate.go_on(now, learn=not outage)
        self._paused_until = self._trial = None
        self._failed_trials = 0
        self._settled_number = self._number
        self._tried.set()


def _now() -> float:
    return asyncio.get_running_loop().time()
