"""The client of every OpenAI-compatible endpoint: one shared policy for concurrency, pacing, time-outs and retries."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from tuneproof.endpoint.access import OPENAI_KEY_VARIABLE
from tuneproof.endpoint.errors import EndpointStopped, RequestRejected, TransportFailure
from tuneproof.endpoint.limits import stated_wait_seconds
from tuneproof.endpoint.pacing import FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS, Pacer, Ticket, backoff_seconds
from tuneproof.endpoint.protocol import (
    Completion,
    encoded,
    error_of,
    estimated_tokens,
    read_completion,
    wants_newer_name,
    with_newer_name,
)
from tuneproof.endpoint.transport import Answer, Fault, Resource, Transport

PATIENCE_SECONDS = 900.0
ATTEMPTS_TO_CONNECT = 4  # where nothing listens and nothing was answered yet: most likely a wrong address
FAILURES_THAT_STOP = 5  # so many requests given up in a row, none answered meanwhile: the endpoint is gone
REFUSALS_OF_ONE_REQUEST = 50  # while others pass: it is this request that the limit does not let through
NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
NO_CREDIT_REMEDY = "add credit, then run again: what is paid for is kept"
OK, UNAUTHORIZED, TOO_MANY_REQUESTS, SERVER_ERROR = 200, 401, 429, 500
WORTH_ANOTHER_TRY = {408, 409, 425}
ANOTHER_BODY_IS_NEEDED = {400, 413, 422}
STOPS = {
    402: ("wants to be paid", NO_CREDIT_REMEDY),
    403: ("forbids this", "check that this key may use this model"),
    404: ("does not know this model or address", "check the model's name and the base_url"),
}


@dataclass
class Statistics:
    """What a client has done so far, for progress lines."""

    requests: int = 0
    replies: int = 0
    refusals: int = 0  # HTTP 429
    faults: int = 0  # server errors, broken connections, time-outs
    waited_seconds: float = 0.0  # for limits and before retries, summed over requests
    waiting: int = 0  # requests that wait so now
    last_fault: str | None = None


class Client:
    """An endpoint to send chat completions to, or completions; an async context manager, used within one event loop.

    At most `concurrency` requests are in flight at once, each for at most `timeout_seconds`. Rate limits are followed
    and are no failed attempts; server errors, broken connections and time-outs are tried `transport_attempts` times,
    the first time after about `first_backoff_seconds`. An endpoint that refuses everything for `patience_seconds`, or
    asks to wait longer, ends the run.
    `label` names the endpoint in errors, and `key_variable` the environment variable with its key, None where no key
    is known of. The key never stands in them. `api_version` goes into the query of every request.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        *,
        label: str,
        concurrency: int,
        timeout_seconds: float,
        transport_attempts: int = 8,
        key_variable: str | None = OPENAI_KEY_VARIABLE,
        patience_seconds: float = PATIENCE_SECONDS,
        first_backoff_seconds: float = FIRST_BACKOFF_SECONDS,
        api_version: str | None = None,
        resource: Resource = "chat/completions",
    ) -> None:
        self.label, self.statistics = label, Statistics()
        self._key_variable = key_variable
        self._transport = Transport(
            base_url, api_key, label=label, key_variable=key_variable, concurrency=concurrency,
            timeout_seconds=timeout_seconds, api_version=api_version, resource=resource,
        )  # fmt: skip
        self._transport_attempts, self._first_backoff_seconds = transport_attempts, first_backoff_seconds
        self._patience_seconds = patience_seconds
        self._given_up_in_a_row = 0
        self._newer_name = False  # whether the endpoint wants max_completion_tokens
        self._stop: EndpointStopped | None = None
        self._stopped = asyncio.Event()
        self._pacer, self._slots = Pacer(first_backoff_seconds), asyncio.Semaphore(concurrency)

    async def __aenter__(self) -> "Client":
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def complete(self, body: dict[str, Any]) -> Completion:
        """Sends `body` until there is a reply, following the endpoint's limits.

        A reply of which nothing could be read is one too, since it is billed; it says so in its `problem`.

        `max_tokens` is sent under its newer name from when the endpoint first asks for it.

        Raises:
            RequestRejected: the endpoint will never accept this body.
            TransportFailure: there was no usable answer within the attempts.
            EndpointStopped: the key, the credit or the address is wrong, or the endpoint is gone.
        """
        try:
            return await self._complete(body)
        except RequestRejected as rejection:
            if not wants_newer_name(rejection.message, rejection.code):
                raise
        self._newer_name = True
        return await self._complete(body)

    def stop(self) -> None:
        """Sends nothing more: what is in flight goes on, and everything else ends with EndpointStopped."""
        self._stop_for("the run was interrupted", "run again: what arrived is kept")

    async def _complete(self, body: dict[str, Any]) -> Completion:
        tokens = estimated_tokens(body)
        faults = refusals = 0
        replies_before = self.statistics.replies
        while True:
            try:
                ticket, answer = await self._ask(body, tokens)
                if answer.status != TOO_MANY_REQUESTS:
                    self._pacer.accepted(ticket, answer.headers)
                    return self._reply(answer)
                refusals += 1
                seconds = self._refused(ticket, answer, refusals)
            except Fault as fault:
                faults += 1
                seconds = self._failed(fault, faults, replies_before)
            await self._sleep(seconds)

    async def _ask(self, body: dict[str, Any], tokens: float) -> tuple[Ticket, Answer]:
        async with self._slots:
            with self._counted_as_waiting():
                ticket = await self._pacer.turn(tokens)
            if self._stop:
                raise self._stop
            self.statistics.requests += 1
            content = encoded(with_newer_name(body) if self._newer_name else body)
            return ticket, await self._transport.post(content)

    async def _sleep(self, seconds: float) -> None:
        with self._counted_as_waiting(), suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    def _reply(self, answer: Answer) -> Completion:
        """Reads a reply, or raises what the answer means instead of one."""
        if answer.status == OK and (reply := read_completion(answer.body)):
            self.statistics.replies += 1
            return replace(reply, problem=self._transport.quoted(reply.problem)) if reply.problem else reply
        message, code = error_of(answer.body)
        quoted = f"{answer.status}: {self._transport.quoted(message)}"
        if code in NO_CREDIT:
            raise self._stop_for(f"the account has no credit left ({quoted})", NO_CREDIT_REMEDY)
        if answer.status == UNAUTHORIZED:
            variable = self._key_variable
            remedy = f"check the key ({variable})" if variable else "name the variable with its key in key_variable"
            raise self._stop_for(f"it refused the key ({quoted})", remedy)
        if answer.status in STOPS:
            found, remedy = STOPS[answer.status]
            raise self._stop_for(f"it {found} ({quoted})", remedy)
        if answer.status in ANOTHER_BODY_IS_NEEDED:
            raise RequestRejected(self._transport.quoted(message), code)
        if answer.status >= SERVER_ERROR or answer.status in WORTH_ANOTHER_TRY:
            raise Fault(quoted, answer.headers)
        if answer.status == OK:
            raise Fault(f"the answer is no chat completion: {self._transport.quoted(message)}", answer.headers)
        raise self._stop_for(f"it answered {quoted}", "check the base_url")

    def _refused(self, ticket: Ticket, answer: Answer, refusals: int) -> float:
        """Takes a 429 and gives the seconds until this request may be sent again."""
        message, code = error_of(answer.body)
        if code in NO_CREDIT:
            found = f"the account has no credit left ({self._transport.quoted(message)})"
            raise self._stop_for(found, NO_CREDIT_REMEDY)
        if message.startswith("Request too large"):  # larger than a minute's tokens: no wait makes it fit
            raise RequestRejected(self._transport.quoted(message), code)
        self.statistics.refusals += 1
        seconds = self._pacer.refused(ticket, answer.headers, message, refusals)
        if seconds > self._patience_seconds:
            found = f"its rate limit asks to wait {seconds / 60:.0f} minutes ({self._transport.quoted(message)})"
            raise self._stop_for(found, "run again then: what is paid for is kept")
        if self._pacer.refused_for_seconds() > self._patience_seconds or refusals >= REFUSALS_OF_ONE_REQUEST:
            found = f"its rate limit lets nothing through ({self._transport.quoted(message)})"
            raise self._stop_for(found, "run again later: what is paid for is kept")
        return seconds

    def _failed(self, fault: Fault, faults: int, replies_before: int) -> float:
        """Takes a fault and gives the seconds until the next attempt."""
        self.statistics.faults += 1
        self.statistics.last_fault = fault.found
        gone_from_the_start = fault.nothing_listens and not self.statistics.replies
        attempts = (
            min(ATTEMPTS_TO_CONNECT, self._transport_attempts) if gone_from_the_start else self._transport_attempts
        )
        if faults < attempts:
            stated = stated_wait_seconds(fault.headers, "")
            backoff = backoff_seconds(faults, self._first_backoff_seconds)
            return max(backoff, min(stated or 0.0, LONGEST_BACKOFF_SECONDS))
        someone_was_answered = self.statistics.replies > replies_before
        self._given_up_in_a_row = 0 if someone_was_answered else self._given_up_in_a_row + 1
        if self._given_up_in_a_row >= FAILURES_THAT_STOP:
            found = (
                f"{self._given_up_in_a_row} requests in a row failed {faults} times each, the last with: {fault.found}"
            )
            raise self._stop_for(found, "check that it runs and its base_url, then run again")
        raise TransportFailure(f"{self.label}: {faults} attempts failed, the last with: {fault.found}")

    def _stop_for(self, found: str, remedy: str) -> EndpointStopped:
        """Stops every request that is not in flight yet, and gives the error to raise."""
        self._stop = self._stop or EndpointStopped(self.label, found, remedy)
        self._stopped.set()
        self._pacer.hold_nothing_back()
        return self._stop

    @contextmanager
    def _counted_as_waiting(self) -> Iterator[None]:
        began = time.monotonic()
        self.statistics.waiting += 1
        try:
            yield
        finally:
            self.statistics.waiting -= 1
            self.statistics.waited_seconds += time.monotonic() - began
