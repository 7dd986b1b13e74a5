"""Processing jobs on SageMaker, through AWS's own SDK: created, described, stopped, and their log.

The SDK's own wait hides why a job failed and takes a stopped one for a success, so nothing of it is used here.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from tuneproof.common.errors import one_line, say, warn
from tuneproof.generation.sagemaker.errors import DENIED, code_of, is_passing
from tuneproof.settings.execution import SageMaker

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
NOT_THERE = "could not find"  # AWS has no code of its own for a job that never was
KEPT_LINES = 50
CONTAINER_PROJECT = "/opt/ml/processing/input/project"
CONTAINER_ROWS = "/opt/ml/processing/output"
CONTAINER_MESSAGE = "/opt/ml/output/message"


@dataclass(frozen=True)
class JobState:
    """A job as it stands. Seconds are those that are billed, 0 while there are none."""

    name: str
    status: Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
    reason: str
    message: str
    instance_type: str
    seconds: int
    longest_seconds: int

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status in ("InProgress", "Stopping")


@dataclass(frozen=True)
class Plan:
    """What a new job is to be."""

    name: str
    model: str
    module: str | None  # that the container runs, generate.py where it is None
    image_uri: str
    instance_types: tuple[str, ...]
    longest_seconds: int
    inputs: dict[str, str]  # folder in S3 by the folder beside the project's where it appears
    output: str
    environment: dict[str, str]


class Jobs:
    """The processing jobs of one region. Every call may raise boto3's errors."""

    def __init__(self, session: Any, region: str) -> None:
        """Takes boto3's session."""
        self.client = session.client("sagemaker", region)
        self.context = {"session": session, "region": region}

    def describe(self, name: str) -> JobState | None:
        """A job as it stands, None where there never was one of that name."""
        from botocore.exceptions import ClientError
        from sagemaker.core.resources import ProcessingJob

        try:
            return state_of(ProcessingJob.get(name, **self.context))
        except ClientError as error:
            if code_of(error) == "ResourceNotFound" or NOT_THERE in str(error).lower():
                return None
            raise

    def create(self, plan: Plan, settings: SageMaker) -> None:
        """Creates a job."""
        from sagemaker.core.utils.utils import serialize

        # Not by the SDK's own `create`: it looks at the new job at once, and a failed look would seem a failed start.
        self.client.create_processing_job(**serialize(request(plan, settings)))

    def stop(self, name: str) -> bool:
        """Asks SageMaker to stop a job; whether there was one to stop."""
        from botocore.exceptions import ClientError

        try:  # not by the SDK's own `stop` either, for the same reason
            self.client.stop_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if code_of(error) in ("ValidationException", "ResourceNotFound"):  # it has ended, or never was
                return False
            raise
        return True


def state_of(job: Any) -> JobState:
    """What the SDK tells of a job; it has an object of its own for what is not known."""

    def text(value: object) -> str:
        return value if isinstance(value, str) else ""

    cluster = job.processing_resources.cluster_config
    started, ended = job.processing_start_time, job.processing_end_time
    times_known = hasattr(started, "timestamp") and hasattr(ended, "timestamp")
    return JobState(
        name=job.processing_job_name,
        status=job.processing_job_status,
        reason=text(job.failure_reason),
        message=text(job.exit_message),
        instance_type=text(cluster.selected_instance_type) or text(cluster.instance_type),
        seconds=round((ended - started).total_seconds()) if times_known else 0,
        longest_seconds=job.stopping_condition.max_runtime_in_seconds,
    )


def request(plan: Plan, settings: SageMaker) -> dict[str, Any]:
    """The arguments that create a job, in the SDK's shapes, which check them."""
    from sagemaker.core import shapes

    types = plan.instance_types
    several = [shapes.ProcessingInstancePreference(instance_type=name) for name in types]
    cluster = shapes.ProcessingClusterConfig(
        instance_count=1,
        volume_size_in_gb=settings.volume_gib,
        **({"instance_type": types[0]} if len(types) == 1 else {"instance_preferences": several}),
    )
    arguments = {
        "ProcessingJobName": plan.name,
        "RoleArn": settings.role,
        "ProcessingResources": shapes.ProcessingResources(cluster_config=cluster),
        "StoppingCondition": shapes.ProcessingStoppingCondition(max_runtime_in_seconds=plan.longest_seconds),
        "AppSpecification": shapes.AppSpecification(
            image_uri=plan.image_uri,
            container_entrypoint=["python3", "-m", "tuneproof.generation.sagemaker.container"],
            container_arguments=[
                plan.model,
                "--rows",
                CONTAINER_ROWS,
                "--message",
                CONTAINER_MESSAGE,
                *(["--module", plan.module] if plan.module else []),
            ],
        ),
        "Environment": plan.environment,
        "ProcessingInputs": [job_input(folder, address) for folder, address in plan.inputs.items()],
        "ProcessingOutputConfig": job_output(plan.output, settings.kms_key),
    }
    if settings.subnets or settings.security_group_ids:
        network = shapes.VpcConfig(subnets=list(settings.subnets), security_group_ids=list(settings.security_group_ids))
        arguments["NetworkConfig"] = shapes.NetworkConfig(vpc_config=network)
    return arguments


def job_input(folder: str, address: str) -> Any:
    """A folder of S3 that is copied into the container before it starts."""
    from sagemaker.core import shapes

    source = shapes.ProcessingS3Input(
        s3_uri=address, local_path=f"/opt/ml/processing/input/{folder}", s3_data_type="S3Prefix", s3_input_mode="File"
    )
    return shapes.ProcessingInput(input_name=folder, s3_input=source)


def job_output(address: str, kms_key: str | None) -> Any:
    """The folder of the container that is copied to S3 while the job runs."""
    from sagemaker.core import shapes

    target = shapes.ProcessingS3Output(s3_uri=address, local_path=CONTAINER_ROWS, s3_upload_mode="Continuous")
    outputs = [shapes.ProcessingOutput(output_name="rows", s3_output=target)]
    return shapes.ProcessingOutputConfig(outputs=outputs, **({"kms_key_id": kms_key} if kms_key else {}))


class Log:
    """A job's log in CloudWatch, shown as it grows; where AWS does not give it, that stops nothing."""

    def __init__(self, client: Any, job: str, label: str) -> None:
        """Takes boto3's client, the job's name and what stands before each line."""
        self.client, self.job, self.label = client, job, label
        self.tokens: dict[str, str] = {}
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.is_readable = True

    def show(self) -> None:
        """Shows the lines that are new; what cannot be read now is looked for again the next time.

        May raise boto3's errors that are not about the log, such as that of expired credentials.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if not self.is_readable:
            return
        try:
            found = self.client.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{self.job}/")
            for stream in found["logStreams"]:
                self._show(stream["logStreamName"])
        except (BotoCoreError, ClientError) as error:
            if code_of(error) in DENIED:
                self.is_readable = False
                warn(f"{self.label}: its log cannot be shown ({one_line(error)})")
            elif code_of(error) != "ResourceNotFoundException" and not is_passing(error):  # it comes with a first line
                raise

    def _show(self, stream: str) -> None:
        while True:
            after = {"nextToken": self.tokens[stream]} if stream in self.tokens else {}
            page = self.client.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **after)
            for event in page["events"]:
                self.lines.append(one_line(event["message"], 1000))
                say(f"{self.label}: {self.lines[-1]}")
            if page["nextForwardToken"] == after.get("nextToken"):
                return
            self.tokens[stream] = page["nextForwardToken"]
