"""Generation on SageMaker, interrupted in every way, with jobs that really run."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.made_up.sagemaker_workspaces import BUCKET, rows_in_s3, sagemaker_workspace, started
from tests.servers.aws import faults as aws_faults
from tests.servers.aws.services import LocalAWS
from tests.stages.test_generate import recorded_rows
from tests.tuneproof.generation.engines.workspaces import Workspace, instructions, make_workspace
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.exhaustive

ROWS = 300  # many more than a job makes until it stands still, also on a fast machine
FEW_ROWS = 100


@pytest.fixture
def aws() -> Iterator[LocalAWS]:
    with LocalAWS() as running:
        running.create_bucket(BUCKET)
        yield running


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace whose job hands its rows over in several parts, which stay in S3."""
    workspace = sagemaker_workspace(tmp_path / "workspace", keep=True)
    workspace.ask(instructions(ROWS))
    workspace.change(execution={"transformers": {"batch_size": 1}})
    return workspace


def assert_each_row_was_generated_once(aws: LocalAWS, rows: int = ROWS) -> None:
    keys = [row.key for row in rows_in_s3(aws)]
    assert len(keys) == len(set(keys)) == rows


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_the_end_of_a_ci_job_stop_the_job_and_keep_its_rows(
    workspace: Workspace, aws: LocalAWS, number: signal.Signals
) -> None:
    aws.jobs.faults.rows_to_stand_still = 1
    process = started(workspace, aws)
    wait_until(lambda: recorded_rows(workspace) > 0, process)
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert "stopped the job tuneproof-sft-" in said
    assert said.splitlines()[-1].startswith("interrupted; what was finished is kept")
    assert aws.jobs.running == []
    assert 0 < len(rows_in_s3(aws)) == recorded_rows(workspace) < ROWS


def test_a_job_that_ctrl_c_leaves_is_taken_up_again(workspace: Workspace, aws: LocalAWS) -> None:
    workspace.ask(instructions(FEW_ROWS))
    workspace.set(execution__sagemaker__on_interrupt="leave")
    aws.jobs.faults.rows_to_stand_still = 1
    process = started(workspace, aws)
    wait_until(lambda: recorded_rows(workspace) > 0, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert "goes on and is paid for; the same command takes it up again" in said
    assert len(aws.jobs.running) == 1
    aws.calls.clear()
    process = started(workspace, aws)
    wait_until(lambda: "sagemaker:DescribeProcessingJob" in aws.operations(), process)
    aws.jobs.faults.rows_to_stand_still = None
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert "is running already; taking it up" in said
    assert len(aws.jobs.descriptions()) == 1
    assert_each_row_was_generated_once(aws, rows=FEW_ROWS)


def test_interrupted_at_ten_points_each_row_is_generated_once_and_the_file_is_the_same(
    workspace: Workspace, aws: LocalAWS, tmp_path: Path
) -> None:
    for number in range(10):
        interrupt(number, workspace, aws)
    aws.jobs.faults.rows_to_stand_still = None
    said = workspace.run_ok("generate.py", "sft", **aws.environment())
    assert f"wrote {ROWS} answers" in said
    assert aws.jobs.running == []
    assert_each_row_was_generated_once(aws)
    local = make_workspace(tmp_path / "local")
    local.ask(instructions(ROWS))
    local.run_ok("generate.py", "sft")
    assert local.files()["data/answers/sft.jsonl"] == workspace.files()["data/answers/sft.jsonl"]


def interrupt(number: int, workspace: Workspace, aws: LocalAWS) -> None:
    """Runs the stage until more rows are there, then has something go wrong: each time another thing."""
    aws.faults.clear()
    aws.jobs.faults.seconds_to_log = 0.0
    before = recorded_rows(workspace)
    aws.jobs.faults.rows_to_stand_still = aws.jobs.rows_made + 1
    if number % 5 == 2:  # passes by itself: the client stays, and is killed later
        aws.faults += [aws_faults.server_error("^s3:", times=3), aws_faults.dropped("^s3:Get", times=2)]
    if number % 5 == 3:
        aws.faults += [aws_faults.throttled("DescribeProcessingJob", times=3), aws_faults.slow_down(times=3)]
    if number % 5 == 4:
        aws.jobs.faults.seconds_to_log = 60.0
    process = started(workspace, aws)
    wait_until(lambda: recorded_rows(workspace) > before, process)
    if number % 2:
        aws.jobs.kill(aws.jobs.running[0])
        assert_fails(process)
    process.kill()
    process.communicate()


def assert_fails(process: "subprocess.Popen[str]") -> None:
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1, said
    assert "it failed (InternalServerError: We encountered an internal error." in said.splitlines()[-1]
    assert "Traceback" not in said
