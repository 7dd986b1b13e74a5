"""The processes that an engine starts: marked, so that none of them outlives the stage, even one that is killed.

Run as a program this file is the watcher: it waits until the stage that started it is gone, however it went, and then
ends the processes that carry its mark. Linux only, as the engines that need it are; elsewhere nothing is found.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MARK_VARIABLE = "TUNEPROOF_STAGE"  # in the environment of every process that a stage's engine starts
# vLLM's processes rename themselves by setproctitle, which writes the name over the environment unless this is set
# (https://github.com/dvarrazzo/py-setproctitle#environment-variables).
KEEPS_THE_MARK = "SPT_NOENV"
PROCESSES = Path("/proc")
SECONDS_TO_END = 10
START_TIME_FIELD = 19  # of /proc/<pid>/stat, counted after the name, which may itself hold spaces


@contextmanager
def no_survivors(root: Path) -> Iterator[None]:
    """What is started within ends with it, also when this process is killed. `root` is the project's."""
    mark = f"{os.getpid()}:{start_time(os.getpid())}:{root.resolve()}"
    environment = {name: value for name, value in os.environ.items() if name != MARK_VARIABLE}
    # A session of its own, so that neither Ctrl-C nor a killed process group takes the watcher along.
    command = [sys.executable, "-I", "-S", __file__, mark]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True):
        os.environ |= {MARK_VARIABLE: mark, KEEPS_THE_MARK: "1"}
        try:
            yield
        finally:
            del os.environ[MARK_VARIABLE]
            end_marked(mark)


def end_orphans(root: Path) -> int:
    """Ends what killed stages of this project left running, which would hold the device's memory; returns how many."""
    orphaned = []
    for mark in set(marks_of_processes().values()):
        stage, started, place = [*mark.split(":", 2), "", ""][:3]
        ours = stage.isascii() and stage.isdecimal() and place == str(root.resolve())  # others may set the variable too
        if ours and str(start_time(int(stage))) != started:
            orphaned.append(mark)
    return sum(end_marked(mark) for mark in orphaned)


def end_marked(mark: str) -> int:
    """Kills the processes that carry a mark and waits until they are gone; returns how many there were."""
    found = [process for process, its_mark in marks_of_processes().items() if its_mark == mark]
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    until = time.monotonic() + SECONDS_TO_END
    while mark in marks_of_processes().values() and time.monotonic() < until:
        time.sleep(0.02)
    return len(found)


def marks_of_processes() -> dict[int, str]:
    """The marked processes and their marks, without Python's resource tracker: that cleans up and ends by itself."""
    marks = {}
    for folder in PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            for variable in variables:
                name, _, value = variable.partition(b"=")
                if name == MARK_VARIABLE.encode() and b"resource_tracker" not in (folder / "cmdline").read_bytes():
                    marks[int(folder.name)] = os.fsdecode(value)
    return marks


def start_time(process: int) -> int | None:
    """When a process started, in clock ticks since the machine did; None where there is none of that number."""
    try:
        fields = (PROCESSES / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[START_TIME_FIELD])


if __name__ == "__main__":
    sys.stdin.buffer.read()  # ends when the last holder of the pipe's other end, the stage, is gone
    end_marked(sys.argv[1])
