"""Threads that work, and a short line before them: what does not fit is turned away at once."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Done = TypeVar("Done")

CALM_SECONDS = 1.0


class BusyError(Exception):
    """There is no room for further work now."""


class BoundedWork:
    """Works on a few things at once and lets a few more wait.

    The line is for bursts. In an overload it would be full all the time, and all that it gave would be delay: so after
    somebody was turned away nothing waits until nobody was for `CALM_SECONDS`, and what is accepted begins at once.
    The idea is that of controlled delay (Maurer 2015, Fail at Scale, https://queue.acm.org/detail.cfm?id=2839461).
    """

    def __init__(self, threads: int, line: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes how much is worked on at once, how much may wait besides, and a clock in seconds."""
        self._threads, self._line, self._clock = threads, line, clock
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="scoring")
        self._lock = threading.Lock()
        self._inside, self._turned_away_at = 0, -CALM_SECONDS

    @property
    def inside(self) -> int:
        """How much is worked on or waits."""
        return self._inside

    async def do(self, work: Callable[[], Done], timeout_seconds: float) -> Done:
        """What the work gives. Raises a BusyError, or a TimeoutError: what has begun is ended, and given to nobody."""
        self._admit()
        future = self._pool.submit(work)
        future.add_done_callback(self._leave)
        async with asyncio.timeout(timeout_seconds):
            return await asyncio.wrap_future(future)

    def _admit(self) -> None:
        now = self._clock()
        with self._lock:
            room = self._line if now - self._turned_away_at >= CALM_SECONDS else 0
            if self._inside >= self._threads + room:
                self._turned_away_at = now
                raise BusyError
            self._inside += 1

    def _leave(self, _: "Future[Done]") -> None:
        with self._lock:
            self._inside -= 1

    def stop(self) -> None:
        """Takes nothing more; what waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
