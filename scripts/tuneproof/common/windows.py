"""Many pieces of asynchronous work, a fixed number of them under way at once."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tuneproof.common.errors import UserError, say
from tuneproof.common.interrupts import Interrupted, told_of_signals

Item = TypeVar("Item")
SECONDS_TO_END = 5.0  # for what is under way when a signal comes or a worker fails
SIGNALS_BEFORE_ALL_ENDS = 3  # a second one cancels; should even that hang, a third one raises where it comes


def workers_for(requests_at_once: int) -> int:
    """Enough workers to keep so many requests in flight while some wait for a reply to be on disk."""
    return requests_at_once + requests_at_once // 4 + 1


async def work_through(
    items: Iterable[Item] | AsyncIterator[Item],
    worker: Callable[[Item], Awaitable[None]],
    concurrency: int,
    stop_waiting: Callable[[], None] = lambda: None,
    seconds_to_end: float = SECONDS_TO_END,
) -> None:
    """Gives every item to `worker`, at most `concurrency` at once, taking the next item only when one is done.

    The first exception, of a worker or of `items`, is raised, and no further item is taken; the workers that are under
    way end by themselves, so that replies in flight, which are paid for, are kept. After a signal (Ctrl-C) or an
    exception that is a bug they have `seconds_to_end` for that; a second signal cancels them. `stop_waiting` then ends
    what is not in flight yet.

    Raises Interrupted after a signal.
    """
    window = _Window(stop_waiting, seconds_to_end)
    remaining = items if isinstance(items, AsyncIterator) else _AtOnce(iter(items))

    async def work() -> None:
        try:
            async for item in remaining:
                if window.places_left and not window.ended:  # by workers that found nothing: there may be more now
                    start()
                await worker(item)
                if window.ended:
                    return
        except Exception as failure:  # whatever it is, the others are paid for
            window.fail(failure)
        window.places_left += 1

    def start() -> None:
        window.places_left -= 1
        task = group.create_task(work())
        window.tasks.add(task)
        task.add_done_callback(window.tasks.discard)

    loop = asyncio.get_running_loop()
    with told_of_signals(lambda number: window.signalled(number, loop)):
        async with asyncio.TaskGroup() as group:
            window.places_left = concurrency
            for _ in range(concurrency):
                start()
    window.finish()


@dataclass
class _AtOnce(AsyncIterator[Item]):
    """An iterator, which may end and go on, for workers that wait for their items."""

    items: Iterator[Item]

    async def __anext__(self) -> Item:
        for item in self.items:
            return item
        raise StopAsyncIteration


@dataclass
class Inflow(AsyncIterator[Item], Generic[Item]):
    """Items that come while others are worked on. `look` gives those that are new, None once no more will come.

    It is called again after a pause of at least `seconds_between_looks`, and ten times what it took.
    """

    look: Callable[[], Iterable[Item] | None]
    seconds_between_looks: float
    _waiting: deque[Item] = field(default_factory=deque)
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def __anext__(self) -> Item:
        async with self._looking:  # one looks for all
            while not self._waiting and not self._stopped.is_set():
                started = time.monotonic()
                new = self.look()
                if new is None:
                    break
                self._waiting += new
                if not self._waiting:
                    await self._pause(max(self.seconds_between_looks, 10 * (time.monotonic() - started)))
        if self._stopped.is_set() or not self._waiting:
            raise StopAsyncIteration
        return self._waiting.popleft()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def again(self, item: Item) -> None:
        """Has an item come once more."""
        self._waiting.append(item)

    def stop(self) -> None:
        """Gives nothing more."""
        self._stopped.set()


class _Window:
    """How a window of work ends before its time."""

    def __init__(self, stop_waiting: Callable[[], None], seconds_to_end: float) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.places_left = 0
        self._stop_waiting, self._seconds_to_end = stop_waiting, seconds_to_end
        self._failures: list[Exception] = []
        self._signals: list[int] = []
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def ended(self) -> bool:
        """Whether no further item is taken."""
        return bool(self._failures or self._signals)

    def fail(self, failure: Exception) -> None:
        """Takes a worker's exception. A bug's others get a few seconds, a UserError's as long as they need."""
        self._failures.append(failure)
        if not isinstance(failure, UserError):
            self._end_soon()

    def signalled(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        """Takes a signal, wherever it comes; the loop does the rest."""
        self._signals.append(number)
        if len(self._signals) >= SIGNALS_BEFORE_ALL_ENDS:
            raise Interrupted(number)
        loop.call_soon_threadsafe(self._cancel if len(self._signals) > 1 else self._interrupted)

    def finish(self) -> None:
        """Raises what ended the work, if anything did."""
        if self._deadline:
            self._deadline.cancel()
        if self._signals:
            raise Interrupted(self._signals[0])
        if self._failures:
            raise self._failures[0]

    def _interrupted(self) -> None:
        say(f"stopping; what is under way has {self._seconds_to_end:g} s to end, Ctrl-C again does not wait")
        self._end_soon()

    def _end_soon(self) -> None:
        self._stop_waiting()
        if not self._deadline:
            self._deadline = asyncio.get_running_loop().call_later(self._seconds_to_end, self._cancel)

    def _cancel(self) -> None:
        for task in list(self.tasks):
            task.cancel()
