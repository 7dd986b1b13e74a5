"""Signals that come where Python drops what they raise."""

import io
import os
import signal

import pytest

from evaluation.interrupts import Interrupts


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_where_it_comes_and_all_is_as_before_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            interrupts.look()
    finally:
        signal.signal(signal.SIGHUP, before)
