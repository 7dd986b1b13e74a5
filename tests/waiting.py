"""Waiting for other processes, as long as a slow machine needs, but not for one that has ended."""

import subprocess
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 300.0  # costs nothing while all is well


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[Any] | None" = None) -> None:
    """Waits until a condition holds; fails when `process` ends before it does, or when it takes minutes."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        if process is not None and process.poll() is not None and not condition():
            raise AssertionError(f"the process has ended: {process.communicate()}")
        time.sleep(0.05)
