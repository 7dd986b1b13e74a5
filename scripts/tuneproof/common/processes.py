"""The processes of a stage, of which none outlives it, even where it is killed, nor does a stage outlive DVC.

Those that an engine starts are marked. Run as a program this file is their watcher: it waits until the stage that
started it is gone, however it went, and then ends the processes that carry its mark. What the project itself starts
beside a stage, and a stage that DVC has started, waits for its parent's end in a thread. Linux only, as the
engines that need it are; elsewhere nothing is found, and nobody waits.
"""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MARK_VARIABLE = "TUNEPROOF_STAGE"  # in the environment of every process that a stage's engine starts
# vLLM's processes rename themselves by setproctitle, which writes the name over the environment unless this is set
# (https://github.com/dvarrazzo/py-setproctitle#environment-variables).
KEEPS_THE_MARK = "SPT_NOENV"
PROCESSES = Path("/proc")
SECONDS_TO_END = 10
START_TIME_FIELD = 19  # of /proc/<pid>/stat, counted after the name, which may itself hold spaces
COMPANION_VARIABLE = "TUNEPROOF_BESIDE"  # the id of the process beside which a companion works


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
    """Has a companion, and a stage that DVC has started, end as by Ctrl-C when its parent is gone."""
    started_by = os.environ.pop(COMPANION_VARIABLE, None)
    if started_by is None and "DVC_ROOT" not in os.environ:
        return
    parent = os.getppid() if started_by is None else int(started_by)
    # Not the system's own signal at a parent's death (PR_SET_PDEATHSIG): it comes once for each thread of the parent,
    # and a second one means not to wait.
    threading.Thread(target=end_after, args=[parent], daemon=True).start()


def end_after(process: int) -> None:
    """Waits until a process is gone, then ends this one as by Ctrl-C."""
    with suppress(ProcessLookupError, AttributeError):  # gone already; or a system that has no such descriptors
        descriptor = os.pidfd_open(process)
        if os.getppid() == process:
            select.select([descriptor], [], [])
        os.close(descriptor)
    if os.getppid() != process:
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
