"""Processes that a test goes on beside: whatever it comes to, they end with it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Process = TypeVar("Process", bound="subprocess.Popen[Any]")
_started: "list[subprocess.Popen[Any]]" = []


def ended_with_test(process: Process) -> Process:
    """Gives the process back; the end of the test kills it, where the test has not seen to its end itself.

    A test that fails leaves its processes in the middle of their work. They would weigh on all tests after it, and
    the next one in the same worker would be told of what was not closed, as if it had done that.
    """
    _started.append(process)
    return process


@contextmanager
def ending_processes() -> Iterator[None]:
    """At its end kills what was handed to `ended_with_test` within it and still runs, and closes its streams.

    Around every test; a fixture that goes on beside several tests has one of its own.
    """
    before = len(_started)
    try:
        yield
    finally:
        for process in _started[before:]:
            end(process)
        del _started[before:]


def end(process: "subprocess.Popen[Any]") -> None:
    """Kills a process, with its group where it leads one, and closes its streams."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            leads = os.getpgid(process.pid) == process.pid
            (os.killpg if leads else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with contextlib.suppress(BrokenPipeError):  # what it was not sent any more
                stream.close()
