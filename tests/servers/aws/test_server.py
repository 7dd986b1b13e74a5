import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.servers.aws.faults import (
    BUCKET_ELSEWHERE,
    access_denied,
    dropped,
    expired_credentials,
    server_error,
    slow_down,
    throttled,
    wrong_region,
)
from tests.servers.aws.services import REGION, ROLE, LocalAWS
from tests.waiting import wait_until

BUCKET = "a-bucket"
WORK = """
import os, pathlib, sys, time
import botocore.session
rows, message = map(pathlib.Path, sys.argv[1:3])
print("reading", pathlib.Path(os.environ["PLACE"]).read_text(), flush=True)
print("names", *sorted(os.environ), flush=True)
secrets = botocore.session.get_session().create_client("secretsmanager")
print(len(secrets.get_secret_value(SecretId="a-name")["SecretString"]), "characters", flush=True)
for number in range(int(os.environ.get("ROWS", "3"))):
    (rows / f"{number}.jsonl").write_text(f"{number}\\n")
    time.sleep(0.05)
message.write_text("all is well")
sys.exit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture(scope="module")
def running_aws() -> Iterator[LocalAWS]:
    with LocalAWS() as running:
        yield running


@pytest.fixture
def aws(running_aws: LocalAWS) -> LocalAWS:
    running_aws.reset()
    running_aws.create_bucket(BUCKET)
    running_aws.clients["s3"].put_object(Bucket=BUCKET, Key="in/work.py", Body=WORK.encode())
    running_aws.clients["s3"].put_object(Bucket=BUCKET, Key="in/deep/text.txt", Body=b"a text")
    running_aws.clients["secretsmanager"].create_secret(Name="a-name", SecretString="planted-secret")
    return running_aws


@pytest.fixture
def sagemaker(aws: LocalAWS) -> Iterator[Any]:
    client = aws.client("sagemaker")
    yield client
    client.close()


def request(name: str = "a-job", **environment: str) -> dict[str, Any]:
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": "an/image:1",
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/work.py"],
            "ContainerArguments": ["/opt/ml/processing/output", "/opt/ml/output/message"],
        },
        "Environment": {
            "AWS_DEFAULT_REGION": REGION, "PLACE": "/opt/ml/processing/input/deep/text.txt", **environment
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "VolumeSizeInGB": 1,
                "InstancePreferences": [
                    {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1},
                    {"InstanceType": "ml.g6.2xlarge", "InstanceCount": 1},
                ],
            }
        },
        "ProcessingInputs": [
            {
                "InputName": "input",
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/in", "LocalPath": "/opt/ml/processing/input", "S3DataType": "S3Prefix"
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "rows",
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/out", "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "Continuous",
                    },
                }
            ]
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }  # fmt: skip


def wait_for_rows(aws: LocalAWS, count: int) -> None:
    wait_until(lambda: len(aws.objects(BUCKET, "out/")) >= count)


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def test_a_job_runs_on_its_inputs_and_delivers_outputs_log_and_message(aws: LocalAWS, sagemaker: Any) -> None:
    sagemaker.create_processing_job(**request())
    aws.jobs.wait("a-job")
    described = sagemaker.describe_processing_job(ProcessingJobName="a-job")
    assert described["ProcessingJobStatus"] == "Completed"
    assert described["ExitMessage"] == "all is well"
    assert described["ProcessingEndTime"] > described["ProcessingStartTime"] >= described["CreationTime"]
    assert described["ProcessingResources"]["ClusterConfig"]["SelectedInstanceType"] == "ml.g5.2xlarge"
    assert described["Environment"]["PLACE"] == "/opt/ml/processing/input/deep/text.txt"
    assert aws.objects(BUCKET, "out/") == {f"out/{number}.jsonl": f"{number}\n".encode() for number in range(3)}
    ((stream, lines),) = aws.logs().items()
    assert stream.startswith("a-job/algo-1-")
    assert lines[0] == "reading a text"
    assert lines[2] == "14 characters"


def test_a_job_sees_its_own_environment_and_the_roles_keys_only(
    aws: LocalAWS, sagemaker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted")
    sagemaker.create_processing_job(**request())
    aws.jobs.wait("a-job")
    ((_, lines),) = aws.logs().items()
    assert set(lines[1].split()) - {"names"} == {
        "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY", "HOME", "LANG", "PATH",
        "PLACE", "PROCESSING_JOB_ARN", "PROCESSING_JOB_NAME", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "TMPDIR",
    } | ({"LC_CTYPE"} & set(lines[1].split()))  # fmt: skip
    assert aws.operations("role") == {"secretsmanager:GetSecretValue"}
    assert aws.operations() == {"sagemaker:CreateProcessingJob"}


def test_a_failing_job_says_so_and_a_name_is_used_once(aws: LocalAWS, sagemaker: Any) -> None:
    sagemaker.create_processing_job(**request(CODE="1"))
    job = aws.jobs.wait("a-job")
    assert (job.status, job.state["FailureReason"]) == ("Failed", "AlgorithmError: See job logs for more information")
    assert refusal(sagemaker.create_processing_job, **request())[0] == "ResourceInUse"
    code, message = refusal(sagemaker.describe_processing_job, ProcessingJobName="another")
    assert (code, message) == ("ValidationException", "Could not find requested job with name: another")


def test_stopping_ends_the_process_and_keeps_its_rows(aws: LocalAWS, sagemaker: Any) -> None:
    sagemaker.create_processing_job(**request(ROWS="10000"))
    wait_for_rows(aws, 3)
    sagemaker.stop_processing_job(ProcessingJobName="a-job")
    job = aws.jobs.wait("a-job")
    assert job.status == "Stopped"
    assert aws.jobs.running == []
    assert len(aws.objects(BUCKET, "out/")) == len(list((job.folder / "opt/ml/processing/output").iterdir()))
    assert job.container
    assert job.container.process
    with pytest.raises(ProcessLookupError):
        os.killpg(job.container.process.pid, 0)
    code, message = refusal(sagemaker.stop_processing_job, ProcessingJobName="a-job")
    assert (code, message.split()[-1]) == ("ValidationException", "Stopped.")


def test_a_killed_job_has_failed(aws: LocalAWS, sagemaker: Any) -> None:
    sagemaker.create_processing_job(**request(ROWS="10000"))
    wait_for_rows(aws, 2)
    aws.jobs.kill("a-job")
    job = aws.jobs.wait("a-job")
    assert job.status == "Failed"
    assert job.state["FailureReason"].startswith("InternalServerError")
    assert "ExitMessage" not in job.state


def test_a_job_out_of_time_is_stopped(aws: LocalAWS, sagemaker: Any) -> None:
    aws.jobs.faults.rows_until_out_of_time = 2
    sagemaker.create_processing_job(**request(ROWS="10000"))
    assert aws.jobs.wait("a-job").status == "Stopped"
    assert aws.objects(BUCKET, "out/")


def test_the_first_instance_with_capacity_is_taken_and_none_fails(aws: LocalAWS, sagemaker: Any) -> None:
    aws.jobs.faults.without_capacity = {"ml.g5.2xlarge"}
    sagemaker.create_processing_job(**request("second"))
    cluster = aws.jobs.wait("second").description()["ProcessingResources"]["ClusterConfig"]
    assert cluster["SelectedInstanceType"] == "ml.g6.2xlarge"
    aws.jobs.faults.without_capacity = {"ml.g5.2xlarge", "ml.g6.2xlarge"}
    sagemaker.create_processing_job(**request("none"))
    job = aws.jobs.wait("none")
    assert job.state["FailureReason"].startswith("CapacityError: ")
    assert "ProcessingStartTime" not in job.state


def test_role_quota_image_and_inputs_are_refused_in_their_words(aws: LocalAWS, sagemaker: Any) -> None:
    aws.jobs.faults.roles_refused = True
    code, message = refusal(sagemaker.create_processing_job, **request())
    assert (code, message[:21]) == ("ValidationException", "Could not assume role")
    aws.jobs.faults.roles_refused = False
    aws.jobs.faults.without_quota = {"ml.g5.2xlarge"}
    code, message = refusal(sagemaker.create_processing_job, **request())
    assert (code, "'ml.g5.2xlarge for processing job usage' is 0" in message) == ("ResourceLimitExceeded", True)
    aws.jobs.faults.without_quota = set()
    aws.jobs.faults.images_missing = True
    sagemaker.create_processing_job(**request("no-image"))
    assert "manifest for an/image:1 not found" in aws.jobs.wait("no-image").state["FailureReason"]
    aws.jobs.faults.images_missing = False
    aws.jobs.faults.fails_with, aws.jobs.faults.logs = BUCKET_ELSEWHERE, ("a line",)
    sagemaker.create_processing_job(**request("elsewhere"))
    assert "The bucket is in this region" in aws.jobs.wait("elsewhere").state["FailureReason"]
    assert [*aws.logs().values()] == [["a line"]]
    aws.jobs.faults.fails_with = None
    aws.clients["s3"].delete_object(Bucket=BUCKET, Key="in/work.py")
    aws.clients["s3"].delete_object(Bucket=BUCKET, Key="in/deep/text.txt")
    sagemaker.create_processing_job(**request("no-input"))
    assert "No S3 objects found" in aws.jobs.wait("no-input").state["FailureReason"]


def test_a_log_can_come_late(aws: LocalAWS, sagemaker: Any) -> None:
    aws.jobs.faults.seconds_to_log = 3600
    sagemaker.create_processing_job(**request(ROWS="10000"))
    wait_for_rows(aws, 2)
    assert aws.logs() == {}
    aws.jobs.by_name["a-job"].container.log.not_before = 0.0  # type: ignore[union-attr]
    wait_until(lambda: bool(aws.logs()))


def test_passing_faults_are_repeated_by_the_client_and_lasting_ones_are_not(aws: LocalAWS, sagemaker: Any) -> None:
    aws.faults = [slow_down(times=2), dropped("^s3:PutObject"), throttled("DescribeProcessingJob", times=2)]
    settings = Config(retries={"mode": "standard", "max_attempts": 6})
    client = boto3.client("s3", endpoint_url=aws.url, region_name=REGION, config=settings, **keys(aws))
    client.put_object(Bucket=BUCKET, Key="key", Body=b"x" * 100_000)
    assert aws.objects(BUCKET, "key") == {"key": b"x" * 100_000}
    assert [call.operation for call in aws.calls] == ["PutObject"] * 4
    assert refusal(sagemaker.describe_processing_job, ProcessingJobName="a-job")[0] == "ValidationException"
    aws.faults = [server_error("^s3:GetObject", after=1)]
    assert client.get_object(Bucket=BUCKET, Key="key")["Body"].read()
    assert client.get_object(Bucket=BUCKET, Key="key")["Body"].read()
    aws.faults = [wrong_region()]
    assert refusal(client.list_objects_v2, Bucket=BUCKET)[0] == "PermanentRedirect"
    aws.faults = [access_denied("CreateProcessingJob", "sagemaker:CreateProcessingJob")]
    assert refusal(sagemaker.create_processing_job, **request())[0] == "AccessDeniedException"
    client.close()


def test_expired_credentials_are_the_users_and_not_the_roles(aws: LocalAWS, sagemaker: Any) -> None:
    aws.faults = expired_credentials(after=1)
    sagemaker.create_processing_job(**request())
    assert refusal(sagemaker.describe_processing_job, ProcessingJobName="a-job")[0] == "ExpiredTokenException"
    assert aws.jobs.wait("a-job").status == "Completed"
    for name, call in (("s3", "list_buckets"), ("sts", "get_caller_identity")):
        client = aws.client(name)
        getattr(client, call)()
        assert refusal(getattr(client, call))[0] == "ExpiredToken"
        client.close()


def keys(aws: LocalAWS) -> dict[str, str]:
    found = aws.keys("user")
    return {name.lower(): value for name, value in found.items() if "KEY" in name}


def working_folders() -> Iterator[Path]:
    """Where the processes of this machine work, as far as one may know; none where there is no /proc."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another's, or gone meanwhile
            yield (process / "cwd").readlink()


def test_a_job_can_be_listed_by_a_part_of_its_name_and_a_reset_forgets_it(aws: LocalAWS, sagemaker: Any) -> None:
    for name in ("a-job-1", "a-job-2", "b-job-1"):
        sagemaker.create_processing_job(**request(name, ROWS="10000"))
    found = sagemaker.list_processing_jobs(NameContains="a-job", SortBy="CreationTime")["ProcessingJobSummaries"]
    assert [job["ProcessingJobName"] for job in found] == ["a-job-2", "a-job-1"]
    aws.reset()
    assert sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []
    aws.create_bucket(BUCKET)
    aws.clients["s3"].put_object(Bucket=BUCKET, Key="in/work.py", Body=b"")
    sagemaker.create_processing_job(**request("a-job-1"))
    assert aws.jobs.wait("a-job-1").status == "Completed"
    assert aws.objects(BUCKET, "out/") == {}
    assert not [folder for folder in working_folders() if aws.jobs.folder in folder.parents]
