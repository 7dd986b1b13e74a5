import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.processes import ended_with_test
from tests.waiting import PATIENCE_SECONDS
from tuneproof.common.processes import MARK_VARIABLE, end_orphans, marks_of_processes, no_survivors, start_time

# A stage that starts an engine process, says its id, and waits to be killed.
STAGE = """
import subprocess, sys, time
from pathlib import Path
from tuneproof.common.processes import no_survivors
with no_survivors(Path(sys.argv[1])):
    engine = subprocess.Popen(
        [sys.executable, "-c", sys.argv[2]], stdout=subprocess.PIPE, start_new_session=True
    )
    engine.stdout.readline()
    print(engine.pid, flush=True)
    while True:
        time.sleep(0.1)  # an interrupt that comes just before a sleep is seen after it
"""
# As vLLM's, an engine process takes a name of its own, which setproctitle may write over its environment.
ENGINE = """
import time
from setproctitle import setproctitle
setproctitle("an engine")
print("up", flush=True)
time.sleep(600)
"""
# A stage that says its id, and the line with which DVC starts it.
WAITING_STAGE = """
import os, time
from tuneproof.common.errors import run
def main():
    print(os.getpid(), flush=True)
    while True:
        time.sleep(0.1)
run(main)
"""
AS_DVC = """
import subprocess, sys
shell, python, stage = sys.argv[1:]
subprocess.run([shell, "-c", f"{python} -c '{stage}'"], env={"DVC_ROOT": ".", "DVC_STAGE": "generate@sft"})
"""
SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def start_stage(root: Path) -> tuple["subprocess.Popen[str]", int]:
    stage = ended_with_test(subprocess.Popen(
        [sys.executable, "-c", STAGE, str(root), ENGINE], cwd=ROOT / "scripts", stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ))  # fmt: skip
    assert stage.stdout
    return stage, int(stage.stdout.readline())


def assert_ends(descriptor: int) -> None:
    """Waits for the end of a process that is not a child of this one."""
    assert select.select([descriptor], [], [], PATIENCE_SECONDS)[0], "it outlived its stage, or DVC"
    os.close(descriptor)


def finish(stage: "subprocess.Popen[str]") -> None:
    stage.wait(timeout=PATIENCE_SECONDS)
    if stage.stdout:
        stage.stdout.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_engine_ends_with_its_stage_however_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    stage, engine = start_stage(tmp_path)
    gone = os.pidfd_open(engine)
    os.kill(stage.pid, how)
    assert_ends(gone)
    finish(stage)


def test_killing_the_whole_process_group_of_the_stage_leaves_no_engine_either(tmp_path: Path) -> None:
    stage, engine = start_stage(tmp_path)
    gone = os.pidfd_open(engine)
    os.killpg(stage.pid, signal.SIGKILL)
    assert_ends(gone)
    finish(stage)


def test_what_was_started_within_is_gone_afterwards(tmp_path: Path) -> None:
    with no_survivors(tmp_path):
        engine = ended_with_test(subprocess.Popen([sys.executable, "-c", ENGINE], stdout=subprocess.PIPE))
        assert engine.stdout
        engine.stdout.readline()
        assert list(marks_of_processes()).count(engine.pid) == 1
    assert engine.wait(timeout=PATIENCE_SECONDS) == -signal.SIGKILL
    engine.stdout.close()
    assert "TUNEPROOF_STAGE" not in os.environ


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
def test_a_stage_ends_with_dvc_also_where_the_shell_between_them_lives_on(shell: str) -> None:
    dvc = ended_with_test(subprocess.Popen(
        [sys.executable, "-c", AS_DVC, shell, sys.executable, WAITING_STAGE], cwd=ROOT / "scripts",
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ))  # fmt: skip
    assert dvc.stdout
    gone = os.pidfd_open(int(dvc.stdout.readline()))
    dvc.kill()
    assert_ends(gone)
    finish(dvc)


def orphan(mark: str) -> "subprocess.Popen[bytes]":
    """A process that carries a mark, as one that a killed stage left."""
    process = ended_with_test(
        subprocess.Popen(SLEEP, env=os.environ | {"TUNEPROOF_STAGE": mark}, stdout=subprocess.PIPE)
    )
    assert process.stdout
    process.stdout.readline()
    return process


def test_orphans_of_this_project_are_ended_and_nothing_else_is(tmp_path: Path) -> None:
    own = start_time(os.getpid())
    left = orphan(f"{os.getpid()}:{(own or 0) - 1}:{tmp_path}")  # its stage had this process's number, before it
    of_another_project = orphan(f"{os.getpid()}:{(own or 0) - 1}:{tmp_path}/other")
    of_a_running_stage = orphan(f"{os.getpid()}:{own}:{tmp_path}")
    try:
        assert end_orphans(tmp_path) == 1
        assert left.wait(timeout=PATIENCE_SECONDS) == -signal.SIGKILL
        assert of_another_project.poll() is None
        assert of_a_running_stage.poll() is None
        assert end_orphans(tmp_path) == 0
    finally:
        for process in (left, of_another_project, of_a_running_stage):
            process.kill()
            process.communicate()


def test_a_process_that_is_not_there_has_no_start_time() -> None:
    assert start_time(2**22 + 1) is None
    assert start_time(os.getpid()) == start_time(os.getpid())


@pytest.mark.parametrize("mark", ["", "mine", "1", "1:2", "x:y:/", "\u0661:2:{root}", "1:{root}"])
def test_a_mark_that_a_user_set_for_something_else_is_left_alone(mark: str, tmp_path: Path) -> None:
    environment = os.environ | {MARK_VARIABLE: mark.format(root=tmp_path)}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as process:
        assert end_orphans(tmp_path) == 0
        assert process.poll() is None
        process.communicate(b"\n")
