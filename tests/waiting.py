"""Waiting for other processes, as long as a slow machine needs, but not for one that has ended."""

import subprocess
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 600.0  # costs nothing while all is well


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[Any] | None" = None) -> None:
    """Waits until a condition holds; fails when `process` ends before it does, or when ten minutes pass.

    In failing it ends the process, which would weigh on all tests after this one, and tells what it printed.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        ended = process is not None and process.poll() is not None and not condition()
        if ended or time.monotonic() > until:
            if process is not None:
                process.kill()
                raise AssertionError(f"{'the process has ended' if ended else 'no end'}: {process.communicate()}")
            raise AssertionError("ten minutes have passed")
        time.sleep(0.05)
