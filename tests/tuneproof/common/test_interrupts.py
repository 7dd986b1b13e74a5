"""Signals that come where Python drops what they raise."""

import io
import os
import signal
from collections.abc import Iterator

import pytest

from tuneproof.common.interrupts import Interrupts


class Response(io.IOBase):
    """As an HTTP response, closed by its finalizer; a signal comes while it is."""

    def close(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        super().close()


def test_a_signal_that_is_lost_in_a_finalizer_is_raised_at_the_next_look() -> None:
    with Interrupts() as interrupts:
        interrupts.look()
        response = Response()
        del response
        with pytest.raises(KeyboardInterrupt):
            interrupts.look()
        interrupts.forget()
        interrupts.look()


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that is handled as in a new process, however these tests were started."""
    number: signal.Signals = request.param
    before = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield number
    signal.signal(number, before)


def test_a_signal_interrupts_where_it_comes_and_all_is_as_before_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_a_signal_that_is_ignored_stays_so(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), number)
        interrupts.look()
