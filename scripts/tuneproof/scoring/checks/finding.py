"""What a check hands back, and how long it may take."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

SECONDS_AT_MOST = 3.0  # of the processor's time, for one check of one answer
SECONDS_BETWEEN_ALARMS = 0.5  # a library may swallow the first


class Finding(NamedTuple):
    """A check's value on its declared range, null where it could not be applied, and the reason in a few words."""

    value: float | None
    reason: str


class TookTooLongError(BaseException):
    """A check passed its time. No Exception, so that no library takes it for a fault of the text."""


@contextmanager
def bounded(seconds: float = SECONDS_AT_MOST) -> Iterator[None]:
    """Raises TookTooLongError in what runs within once it has used so many seconds of the processor's time.

    Python's `re` looks for signals while it backtracks (`MAYBE_CHECK_SIGNALS` in CPython's sre_lib.h), so this ends a
    catastrophic pattern too. The processor's time and not the clock's, so that a busy machine finds the same as an idle
    one. Signals reach the main thread only; elsewhere, and where there are none (Windows), nothing is bounded.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise TookTooLongError

    before = signal.signal(signal.SIGPROF, stop)
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds, SECONDS_BETWEEN_ALARMS)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def verdict(holds: bool, if_so: str, if_not: str) -> Finding:
    """1 or 0, with the reason for the one that it is."""
    return Finding(1.0, if_so) if holds else Finding(0.0, if_not)
