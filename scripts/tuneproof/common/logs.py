"""An engine's own log: kept out of the stage's output, and read for the reason when the engine fails."""

import atexit
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

from tuneproof.common.errors import one_line

LONGEST_REASON_CHARACTERS = 300
READ_BYTES = 200_000  # of the log's end; the reason of a failure stands near it
REASON = re.compile(
    r"(?:^|\s)((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception): \S.*|Worker proc \S+ died unexpectedly)"
)
# Lines that only say that there is a reason somewhere above.
NOT_THE_REASON = ("initialization failed", "EngineCore encountered an issue", "EngineDeadError", "Error: cancelled")


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Sends what is printed within to a file, also by the processes that are started within, as long as they live."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    file = path.open("a", buffering=1, encoding="utf-8")
    atexit.register(file.close)  # not earlier: loggers that are set up within go on writing to it
    with suppress(OSError):  # what cannot be shown is dropped
        sys.stdout.flush()
        sys.stderr.flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    try:
        for number, _ in kept:
            os.dup2(file.fileno(), number)
        with redirect_stdout(file), redirect_stderr(file):
            yield
    finally:
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)


def reason_in(path: Path) -> str | None:
    """The last exception in a log that says what went wrong, in one short line; None where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - READ_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    for line in reversed(text.splitlines()):
        found = REASON.search(line)
        if found and not any(words in line for words in NOT_THE_REASON):
            return one_line(found[1], LONGEST_REASON_CHARACTERS)
    return None
