"""Ctrl-C and its like, of which none is lost."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Has the end of a CI job (SIGTERM) or of a terminal (SIGHUP) do what Ctrl-C does; a context manager.

    A signal raises KeyboardInterrupt where it comes. Python drops what is raised within a finalizer, such as the one
    that closes an HTTP response, and says nothing (https://docs.python.org/3/library/signal.html, "Note on signal
    handlers and exceptions"): for one that was lost so, `look` raises it. A signal that is ignored already, as `nohup`
    has it, stays so.
    """

    def __init__(self) -> None:
        self._came = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in NUMBERS}
        for number, handler in self._before.items():
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        raise KeyboardInterrupt

    def look(self) -> None:
        """Raises KeyboardInterrupt where a signal came since the last `forget`."""
        if self._came:
            raise KeyboardInterrupt

    def forget(self) -> None:
        """Begins to look for another signal: one that came has been acted on."""
        self._came = False
