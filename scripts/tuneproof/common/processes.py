"""The processes of a stage, of which none outlives it, even where it is killed, nor does a stage outlive DVC.

Those that an engine starts are marked. Run as a program this file is their watcher: it waits until the stage that
started it is gone, however it went, and then ends the processes that carry its mark. What the project itself starts
beside a stage, and a stage that DVC has started, waits in a thread for the end of who started it. Linux only, as the
engines that need it are; elsewhere nothing is found, and nobody waits.
"""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MARK_VARIABLE = "TUNEPROOF_STAGE"  # in the environment of every process that a stage's engine starts
# vLLM's processes rename themselves by setproctitle, which writes the name over the environment unless this is set
# (https://github.com/dvarrazzo/py-setproctitle#environment-variables).
KEEPS_THE_MARK = "SPT_NOENV"
PROCESSES = Path("/proc")
SECONDS_TO_END = 10
PARENT_FIELD, START_TIME_FIELD = 1, 19  # of /proc/<pid>/stat, counted after the name, which may itself hold spaces
COMPANION_VARIABLE = "TUNEPROOF_BESIDE"  # the id of the process beside which a companion works
STAGE_VARIABLE = "DVC_STAGE"  # DVC names in it the stage that it runs, to all that the stage's command starts


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


@contextmanager
def beside(command: Sequence[str], log: Path, seconds_to_end: float) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a script of this project as a companion, which ends with this process, however that ends.

    It is asked to end as by Ctrl-C, and killed when it has not after so many seconds. What it says goes into `log`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        # A session of its own: Ctrl-C is for this process, which hands it on once.
        companion = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            env=os.environ | {COMPANION_VARIABLE: str(os.getpid())},
        )  # fmt: skip
    try:
        yield companion
    finally:
        companion.terminate()
        try:
            companion.wait(seconds_to_end)
        except subprocess.TimeoutExpired:
            companion.kill()
            companion.wait()


def end_with_parent() -> None:
    """Has a companion, and a stage that DVC has started, end as by Ctrl-C when who started it is gone."""
    started_by = os.environ.pop(COMPANION_VARIABLE, None)
    if started_by is None and "DVC_ROOT" not in os.environ:
        return
    starter = os.getppid if started_by else started_stage
    watched = int(started_by) if started_by else started_stage()
    # Not the system's own signal at a parent's death (PR_SET_PDEATHSIG): it comes once for each thread of the parent,
    # and a second one means not to wait.
    threading.Thread(target=end_after, args=[watched, starter], daemon=True).start()


def started_stage() -> int:
    """The process that started this stage: DVC itself, also where a shell stands between; 0 where it cannot be seen.

    Bash becomes the one command that it is given; others (dash, which is /bin/sh on Debian) wait for the command's end.
    """
    process, stage = os.getppid(), os.environ.get(STAGE_VARIABLE)
    while stage and variable_of(process, STAGE_VARIABLE) == stage:
        process = field_of(process, PARENT_FIELD) or 0
    return process


def end_after(process: int, starter: Callable[[], int]) -> None:
    """Waits until a process is gone and `starter` gives another one, then ends this one as by Ctrl-C."""
    with suppress(OSError, AttributeError):  # gone already, not to be seen, or a system that has no such descriptors
        descriptor = os.pidfd_open(process)
        if starter() == process:
            select.select([descriptor], [], [])
        os.close(descriptor)
    if starter() != process:
        os.kill(os.getpid(), signal.SIGTERM)


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
        mark = variable_of(int(folder.name), MARK_VARIABLE)
        with suppress(OSError):
            if mark is not None and b"resource_tracker" not in (folder / "cmdline").read_bytes():
                marks[int(folder.name)] = mark
    return marks


def variable_of(process: int, name: str) -> str | None:
    """A variable of the environment that a process began with; None where it has none or may not be read."""
    with suppress(OSError):
        for variable in (PROCESSES / str(process) / "environ").read_bytes().split(b"\0"):
            found, _, value = variable.partition(b"=")
            if found == name.encode():
                return os.fsdecode(value)
    return None


def start_time(process: int) -> int | None:
    """When a process started, in clock ticks since the machine did; None where there is none of that number."""
    return field_of(process, START_TIME_FIELD)


def field_of(process: int, place: int) -> int | None:
    """A number of /proc/<pid>/stat by its place after the name; None where there is no such process."""
    try:
        fields = (PROCESSES / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[place])


if __name__ == "__main__":
    sys.stdin.buffer.read()  # ends when the last holder of the pipe's other end, the stage, is gone
    end_marked(sys.argv[1])
