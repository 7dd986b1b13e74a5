"""Everything that AWS may refuse or fail at is one line that says what to do, and no job is left running."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.sagemaker_workspaces import BUCKET, sagemaker_workspace
from tests.servers.aws import faults as aws_faults
from tests.servers.aws.services import LocalAWS
from tests.tuneproof.generation.engines.workspaces import Workspace, instructions
from tuneproof.common.errors import UserError
from tuneproof.generation.sagemaker.errors import Patience, is_passing, job_failure


@pytest.fixture(scope="module")
def server() -> Iterator[LocalAWS]:
    with LocalAWS() as running:
        yield running


@pytest.fixture
def aws(server: LocalAWS) -> LocalAWS:
    server.reset()
    server.create_bucket(BUCKET)
    return server


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return sagemaker_workspace(tmp_path / "workspace")


def error_line(workspace: Workspace, aws: LocalAWS, **environment: str) -> str:
    """The one error line of the stage; nothing runs on afterwards, and nothing was written."""
    line = workspace.error_line("generate.py", "sft", **aws.environment() | environment)
    for job in aws.jobs.descriptions():
        assert aws.jobs.wait(job["ProcessingJobName"]).status in ("Failed", "Stopped")
    assert not (workspace.root / "data/answers/sft.jsonl").exists()
    return line


def refuse_roles(aws: LocalAWS) -> None:
    aws.jobs.faults.roles_refused = True


def miss_images(aws: LocalAWS) -> None:
    aws.jobs.faults.images_missing = True


def be_full(aws: LocalAWS) -> None:
    aws.jobs.faults.without_capacity = {"ml.g5.2xlarge", "ml.g6.2xlarge"}


def allow_nothing(aws: LocalAWS) -> None:
    aws.jobs.faults.without_quota = {"ml.g5.2xlarge", "ml.g6.2xlarge"}


def lose_the_bucket_in_the_job(aws: LocalAWS) -> None:
    aws.jobs.faults.fails_with = aws_faults.BUCKET_ELSEWHERE


def run_out_of_disk(aws: LocalAWS) -> None:
    aws.jobs.faults.fails_with = aws_faults.FAILED
    aws.jobs.faults.logs = ("Downloading shards", "OSError: [Errno 28] No space left on device")


def expire(aws: LocalAWS) -> None:
    aws.faults += aws_faults.expired_credentials()


def lie_elsewhere(aws: LocalAWS) -> None:
    aws.faults.append(aws_faults.wrong_region())


def forbid(action: str, pattern: str) -> Callable[[LocalAWS], None]:
    return lambda aws: aws.faults.append(aws_faults.access_denied(pattern, action))


FAULTS = [
    (expire, "AWS: the credentials have expired", "log in again"),
    (lie_elsewhere, "the bucket is in another region", "set execution.sagemaker.region"),
    (refuse_roles, "SageMaker cannot take on the role (", "correct execution.sagemaker.role"),
]
FURTHER_FAULTS = [  # these go as far as uploading the job's files, as the last one above does
    (miss_images, "its image is missing or may not be pulled (", "correct execution.sagemaker.image_uri"),
    (be_full, "there is no capacity for it (", "run again later, or name further execution.sagemaker.instance_types"),
    (allow_nothing, "your quota does not allow it (", "ask AWS to raise it"),
    (run_out_of_disk, "it ran out of disk (", "raise execution.sagemaker.volume_gib"),
    (lose_the_bucket_in_the_job, "its bucket is in another region (", "set execution.sagemaker.region"),
    (forbid("sagemaker:CreateProcessingJob", "CreateProcessingJob"), "you may not create the job (", "the policy"),
    (forbid("s3:PutObject", "s3:PutObject"), "you may not upload the job's files (", "the policy"),
    (forbid("s3:ListBucket", "s3:List"), "you may not list the job's data (", "the policy"),
]


@pytest.mark.parametrize(
    ("fault", "found", "remedy"),
    [*FAULTS, *(pytest.param(*fault, marks=pytest.mark.exhaustive) for fault in FURTHER_FAULTS)],
)
def test_each_failure_is_one_clear_line(
    workspace: Workspace, aws: LocalAWS, fault: Callable[[LocalAWS], None], found: str, remedy: str
) -> None:
    fault(aws)
    line = error_line(workspace, aws)
    assert found in line
    assert remedy in line


@pytest.mark.exhaustive
def test_a_job_that_runs_into_its_time_out_says_so(workspace: Workspace, aws: LocalAWS) -> None:
    workspace.set(execution__sagemaker__max_runtime_seconds=1)
    workspace.ask(instructions(300))  # far more than it makes until then
    workspace.change(execution={"transformers": {"batch_size": 1}})
    aws.jobs.faults.rows_until_out_of_time = 1
    line = error_line(workspace, aws)
    assert "it ran into its time-out (" in line
    assert "raise execution.sagemaker.max_runtime_seconds" in line


def test_the_last_log_lines_of_a_failed_job_are_shown(workspace: Workspace, aws: LocalAWS) -> None:
    run_out_of_disk(aws)
    said = workspace.run("generate.py", "sft", **aws.environment()).stderr
    assert "sft on SageMaker: Downloading shards\n" in said


def test_a_bucket_that_is_not_there_is_said_before_anything_is_paid_for(workspace: Workspace, aws: LocalAWS) -> None:
    workspace.set(execution__sagemaker__s3_prefix="s3://nobody-has-this-bucket/jobs")
    assert re.fullmatch(
        "error: s3://nobody-has-this-bucket/jobs/sft-[0-9a-f]{16}: there is no such bucket; "
        "create it with `aws s3 mb`, or set execution.sagemaker.s3_prefix",
        error_line(workspace, aws),
    )
    assert not aws.jobs.descriptions()


def test_a_bucket_in_another_region_is_said_before_anything_is_paid_for(workspace: Workspace, aws: LocalAWS) -> None:
    aws.clients["s3"].create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    workspace.set(execution__sagemaker__s3_prefix="s3://far-away/jobs")
    assert ": the bucket is in eu-west-1; set execution.sagemaker.region to the bucket's" in error_line(workspace, aws)
    assert not aws.jobs.descriptions()


@pytest.mark.exhaustive
def test_without_a_prefix_it_is_the_default_bucket_of_the_sdk(workspace: Workspace, aws: LocalAWS) -> None:
    workspace.set(execution__sagemaker__s3_prefix=None)
    assert "s3://sagemaker-us-east-1-123456789012/tuneproof/" in error_line(workspace, aws)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"role": None}, "error: execution.sagemaker.role: there is none; set it to the role that the job runs with"),
        (
            {"region": "us-nowhere-9"},
            "execution.sagemaker.region: boto3 knows no SageMaker in 'us-nowhere-9'; correct it",
        ),
        ({"max_cost_usd": 0.01}, "error: execution.sagemaker.max_cost_usd: at 1.515 USD an hour it allows 23 s"),
        ({"max_cost_usd": 5.0, "prices_usd_per_hour": {"ml.g5.2xlarge": 1.5}}, "the price of ml.g6.2xlarge is not kno"),
    ],
)
def test_a_setting_that_cannot_work_is_said_at_once(
    workspace: Workspace, aws: LocalAWS, settings: dict[str, Any], line: str
) -> None:
    for name, value in settings.items():
        workspace.set(**{f"execution__sagemaker__{name}": value})
    assert line in error_line(workspace, aws)
    assert not aws.jobs.descriptions()


def test_no_credentials_is_one_line(workspace: Workspace, aws: LocalAWS) -> None:
    line = error_line(workspace, aws, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert line.startswith("error: AWS: there are no credentials; set AWS_PROFILE")


def test_a_profile_that_is_not_there_is_one_line(workspace: Workspace, aws: LocalAWS) -> None:
    assert "there are no usable credentials (" in error_line(workspace, aws, AWS_PROFILE="nobody")


def test_no_region_is_one_line(workspace: Workspace, aws: LocalAWS) -> None:
    line = error_line(workspace, aws, AWS_DEFAULT_REGION="")
    assert line == "error: execution.sagemaker.region: there is none; set it, or AWS_REGION, such as us-east-1"


@pytest.mark.exhaustive
def test_an_aws_that_never_answers_is_given_up_after_the_patience(workspace: Workspace, aws: LocalAWS) -> None:
    workspace.set(execution__sagemaker__patience_seconds=0.1)
    aws.jobs.faults.seconds_to_start = 60
    aws.faults.append(aws_faults.throttled("DescribeProcessingJob", times=aws_faults.FOREVER, after=3))
    assert "AWS does not answer (" in error_line(workspace, aws, AWS_MAX_ATTEMPTS="1")


@pytest.mark.exhaustive
def test_credentials_that_expire_while_the_job_runs_are_said_with_the_job_that_goes_on(
    workspace: Workspace, aws: LocalAWS
) -> None:
    aws.jobs.faults.seconds_to_start = 60
    faults = aws_faults.expired_credentials()
    faults[0].after, faults[2].after = 1000, 8  # the others than S3 and STS, once the job is described
    aws.faults += faults
    done = workspace.run("generate.py", "sft", **aws.environment())
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("error: AWS: the credentials have expired; log in again")
    warning = next(line for line in lines if line.startswith("warning: "))
    assert f"the job {aws.jobs.running[0]} could not be stopped (the credentials have expired)" in warning
    assert "paid for until it ends by itself" in warning


@pytest.mark.exhaustive
def test_a_log_that_cannot_be_read_stops_nothing(workspace: Workspace, aws: LocalAWS) -> None:
    workspace.set(execution__sagemaker__patience_seconds=0.1)
    aws.faults.append(aws_faults.throttled("^logs:", times=aws_faults.FOREVER))
    said = workspace.run_ok("generate.py", "sft", **aws.environment(), AWS_MAX_ATTEMPTS="1")
    assert "generated 12 of 12 answers" in said


def client_error(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Describe"
    )


def test_what_may_pass_is_told_from_what_will_not() -> None:
    assert is_passing(client_error("InternalError", 500))
    assert is_passing(client_error("ThrottlingException", 400))
    assert not is_passing(client_error("ValidationException", 400))
    assert not is_passing(client_error("AccessDenied", 403))


def test_patience_begins_anew_after_each_answer(capsys: pytest.CaptureFixture[str]) -> None:
    patience = Patience(60)
    for _ in range(3):
        with patience.tried("here", "ask"):
            raise client_error("SlowDown", 503)
    assert capsys.readouterr().err.count("warning: here: AWS does not answer") == 1
    with patience.tried("here", "ask"):
        pass
    with patience.tried("here", "ask"):
        raise client_error("SlowDown", 503)
    assert "warning" in capsys.readouterr().err
    with pytest.raises(UserError, match="AWS refuses to ask"), patience.tried("here", "ask"):
        raise client_error("ValidationException", 400)


def test_what_a_job_left_is_shown_in_one_short_line_whatever_it_is() -> None:
    for text in HOSTILE_TEXTS:
        line = str(job_failure("job", "AlgorithmError", text, text))
        assert "\n" not in line and "\x1b" not in line
        assert len(line) < 600
