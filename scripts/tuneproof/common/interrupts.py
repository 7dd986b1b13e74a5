"""Ctrl-C and its like, of which none is lost."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_SIGNAL_EXIT_CODE = 128  # and the signal's number: what a shell reports


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end. It is what Ctrl-C raises, and knows which signal it was."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.exit_code = FIRST_SIGNAL_EXIT_CODE + number


class Interrupts:
    """Has the end of a CI job (SIGTERM) or of a terminal (SIGHUP) do what Ctrl-C does; a context manager.

    A signal raises Interrupted where it comes. Python drops what is raised within a finalizer, such as the one
    that closes an HTTP response, and says nothing (https://docs.python.org/3/library/signal.html, "Note on signal
    handlers and exceptions"): for one that was lost so, `look` raises it. A signal that is ignored already, as `nohup`
    has it, stays so.
    """

    def __init__(self) -> None:
        self._came: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python takes signals nowhere else
            self._before = {number: signal.getsignal(number) for number in NUMBERS}
        for number, handler in self._before.items():
            within = isinstance(getattr(handler, "__self__", None), Interrupts)
            if within or handler in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        raise Interrupted(number)

    def look(self) -> None:
        """Raises Interrupted where a signal came since the last `forget`."""
        if self._came is not None:
            raise Interrupted(self._came)

    def forget(self) -> None:
        """Begins to look for another signal: one that came has been acted on."""
        self._came = None


@contextmanager
def told_of_signals(tell: Callable[[int], None]) -> Iterator[None]:
    """Within, a signal that would end this process raises nothing: its number is told. Ignored ones stay so."""
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in NUMBERS}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, lambda number, frame: tell(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
