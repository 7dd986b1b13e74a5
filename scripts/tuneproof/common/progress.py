"""Progress of long work on standard error: a bar on a terminal, a plain line now and then in a pipe."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Self, TypeVar

from tuneproof.common.errors import say

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 15


class Progress:
    """Counts finished units. `facts` is asked for the words beside the count, such as tokens per second."""

    def __init__(
        self,
        what: str,
        total: int,
        unit: str,
        facts: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Takes what is done, how many units in all, the unit's name, further facts to show, and a clock in seconds."""
        self._what, self._total, self._unit, self._facts, self._clock = what, total, unit, facts, clock
        self._done, self._started = 0, clock()
        self._last_line = self._started
        self._bar: Any = None
        if sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            with suppress(OSError):
                self._bar = tqdm(total=total, desc=what, unit=f" {unit}", dynamic_ncols=True, disable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.close()

    def advance(self, units: int = 1) -> None:
        """Counts finished units and shows them when it is time to."""
        self._done += units
        if self._bar is not None:
            with suppress(OSError):  # a terminal that is gone shows nothing, and ends nothing
                self._bar.set_postfix_str(self._facts(), refresh=False)
                self._bar.update(units)
            return
        now = self._clock()
        if now - self._last_line >= SECONDS_BETWEEN_LINES and self._done < self._total:
            self._last_line = now
            rate = self._done / (now - self._started)
            left = (self._total - self._done) / rate if rate else 0
            facts = self._facts()
            say(
                f"{self._what}: {self._done} of {self._total} {self._unit}, {rate:.1f} a second, "
                f"about {left:.0f} s left{', ' + facts if facts else ''}"
            )

    @property
    def seconds(self) -> float:
        """Seconds since the work began."""
        return self._clock() - self._started


def with_progress(items: Iterable[Item], what: str, total: int, unit: str) -> Iterator[Item]:
    """Passes on what is made one by one, and shows how far it is."""
    with Progress(what, total, unit) as progress:
        for item in items:
            yield item
            progress.advance()
