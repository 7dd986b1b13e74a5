"""SageMaker's processing jobs on the local AWS: created, described, listed, stopped, and what goes wrong with them."""

import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.aws.faults import NO_CAPACITY, NO_IMAGE, no_quota, refused_role
from tests.servers.aws.runner import Container, Service, log_of
from tests.waiting import PATIENCE_SECONDS, wait_until

JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
MAX_MESSAGE_CHARACTERS = 1024
UNDER_WAY = ("InProgress", "Stopping")
ACCOUNT = "123456789012"


class RefusedError(Exception):
    """A call that SageMaker refuses, with its code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class JobFaults:
    """What happens to the jobs that are created from now on."""

    roles_refused: bool = False
    images_missing: bool = False
    without_quota: set[str] = field(default_factory=set)  # instance types
    without_capacity: set[str] = field(default_factory=set)  # instance types
    seconds_to_find_capacity: float = 0.3  # until a job without any fails
    seconds_to_start: float = 0.0  # InProgress, but nothing runs and there is no start time yet
    seconds_to_log: float = 0.0  # until the log stream appears
    rows_to_stand_still: int | None = None  # made by all jobs together; raised, the running job goes on
    rows_until_out_of_time: int | None = None  # made by the job, in place of the seconds that it asks for
    out_of_time_status: str = "Stopped"  # or "Failed"; AWS does not document which
    fails_with: str | None = None  # the reason of a job that fails without running its container
    logs: tuple[str, ...] = ()  # what such a job logs
    seconds_to_end: float = 5.0  # from SIGTERM to SIGKILL; 120 on AWS


class Job:
    """One job: what was asked for, how it stands, and the container that does it."""

    def __init__(self, request: Mapping[str, Any], region: str, folder: Path, faults: JobFaults) -> None:
        self.request, self.folder, self.faults = dict(request), folder, faults
        self.name: str = request["ProcessingJobName"]
        self.arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:processing-job/{self.name}"
        self.state: dict[str, Any] = {"ProcessingJobStatus": "InProgress", "CreationTime": time.time()}
        self.stopping = threading.Event()
        self.ended = threading.Event()
        self.container: Container | None = None
        self.instance_type: str | None = None

    @property
    def status(self) -> str:
        """Its status in SageMaker's words."""
        return str(self.state["ProcessingJobStatus"])

    def instance_types(self) -> list[str]:
        """The types it may run on, in order."""
        cluster = self.request["ProcessingResources"]["ClusterConfig"]
        preferred = [preference["InstanceType"] for preference in cluster.get("InstancePreferences", [])]
        return preferred or [cluster["InstanceType"]]

    def description(self) -> dict[str, Any]:
        """What DescribeProcessingJob answers."""
        answer = {name: value for name, value in self.request.items() if name != "Tags"}
        cluster = dict(self.request["ProcessingResources"]["ClusterConfig"])
        if self.instance_type and "InstancePreferences" in cluster:
            cluster |= {"SelectedInstanceType": self.instance_type, "SelectedInstanceCount": 1}
        resources = {"ProcessingResources": {"ClusterConfig": cluster}}
        times = {"LastModifiedTime": time.time()}
        return answer | resources | times | self.state | {"ProcessingJobArn": self.arn}

    def summary(self) -> dict[str, Any]:
        """What ListProcessingJobs answers about it."""
        names = ("ProcessingJobName", "ProcessingJobArn", "CreationTime", "LastModifiedTime", "ProcessingJobStatus")
        described = self.description()
        return {name: described[name] for name in names} | {
            name: described[name] for name in ("ProcessingEndTime", "FailureReason", "ExitMessage") if name in described
        }

    def end(self, status: str, reason: str | None = None, message: str | None = None) -> None:
        """Says how it ended."""
        if reason:
            self.state["FailureReason"] = reason[:MAX_MESSAGE_CHARACTERS]
        if message:
            self.state["ExitMessage"] = message[:MAX_MESSAGE_CHARACTERS]
        self.state |= {"ProcessingEndTime": time.time(), "ProcessingJobStatus": status}
        self.ended.set()

    def work_off(self, service: Service, stands_still: Callable[[], bool]) -> None:
        """Waits for an instance, runs the container and says how it ended."""
        faults = self.faults
        if self.stopping.wait(faults.seconds_to_start):
            return self.end("Stopped")
        free = [name for name in self.instance_types() if name not in faults.without_capacity]
        if not free:
            stopped = self.stopping.wait(faults.seconds_to_find_capacity)
            return self.end("Stopped") if stopped else self.end("Failed", NO_CAPACITY)
        self.instance_type = free[0]
        if faults.images_missing:
            image = self.request["AppSpecification"]["ImageUri"]
            return self.end("Failed", NO_IMAGE.format(image=image))
        self.state["ProcessingStartTime"] = time.time()
        if faults.fails_with:
            log_of(self.name, service).send_all(faults.logs)
            return self.end("Failed", faults.fails_with)
        self.container = Container(self.request, self.arn, self.folder, service, faults.seconds_to_log, stands_still)
        seconds = self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86_400)
        outcome = self.container.run(self.stopping, seconds, faults.rows_until_out_of_time, faults.seconds_to_end)
        if outcome.status == "OutOfTime":
            return self.end(faults.out_of_time_status, None, outcome.message)
        return self.end(outcome.status, outcome.reason, outcome.message)


class Jobs:
    """All jobs that were created, by name, the ended ones too."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.faults = JobFaults()
        self.by_name: dict[str, Job] = {}
        self.threads: list[threading.Thread] = []
        self.folder = Path(tempfile.mkdtemp(prefix="local-aws-"))
        self.lock = threading.Lock()

    @property
    def running(self) -> list[str]:
        """The names of the jobs that have not ended."""
        return [job.name for job in self.by_name.values() if job.status in UNDER_WAY]

    def descriptions(self) -> list[dict[str, Any]]:
        """What DescribeProcessingJob would answer for every job."""
        return [job.description() for job in self.by_name.values()]

    @property
    def rows_made(self) -> int:
        """How many rows the jobs have made, those included that were lost with a killed one."""
        return sum(job.container.rows for job in list(self.by_name.values()) if job.container)

    def stand_still(self) -> bool:
        """Whether the jobs have made enough rows."""
        enough = self.faults.rows_to_stand_still
        return enough is not None and self.rows_made >= enough

    def kill(self, name: str) -> None:
        """Kills a job in the middle, as when its machine fails: nothing more is uploaded."""
        wait_until(lambda: self.by_name[name].container is not None)
        container = self.by_name[name].container
        assert container
        container.kill()

    def wait(self, name: str, timeout_seconds: float = PATIENCE_SECONDS) -> Job:
        """The job when it has ended."""
        job = self.by_name[name]
        if not job.ended.wait(timeout_seconds):
            raise TimeoutError(f"{name} is still {job.status}")
        return job

    def forget(self) -> None:
        """Kills and forgets all jobs."""
        for job in self.by_name.values():
            job.stopping.set()
            if job.container:
                job.container.kill()
        for thread in self.threads:
            thread.join()
        self.by_name, self.threads, self.faults = {}, [], JobFaults()

    def close(self) -> None:
        """Kills all jobs and removes their folders."""
        self.forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    def answer(self, operation: str, request: dict[str, Any], region: str) -> dict[str, Any] | None:
        """The answer to an operation on processing jobs, None to every other. Raises RefusedError."""
        operations: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
            "CreateProcessingJob": self.create,
            "DescribeProcessingJob": self.describe,
            "StopProcessingJob": self.stop,
            "ListProcessingJobs": self.list,
        }
        with self.lock:
            return operations[operation](request, region) if operation in operations else None

    def create(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        """Creates a job and starts it."""
        name = request["ProcessingJobName"]
        if not JOB_NAME.fullmatch(name):
            raise RefusedError(
                "ValidationException", f"1 validation error detected: Value '{name}' at 'processingJobName'"
            )
        if name in self.by_name:
            message = (
                "Job name must be unique within an AWS account and region, and a job with this name already exists"
            )
            raise RefusedError("ResourceInUse", f"{message} ({self.by_name[name].arn})")
        if self.faults.roles_refused:
            raise RefusedError(*refused_role(request["RoleArn"]))
        job = Job(request, region, Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder)), self.faults)
        cluster = request["ProcessingResources"]["ClusterConfig"]
        if ("InstanceType" in cluster) == ("InstancePreferences" in cluster):
            raise RefusedError("ValidationException", "Specify either InstanceType or InstancePreferences")
        for instance_type in job.instance_types():
            if instance_type in self.faults.without_quota:
                raise RefusedError(*no_quota(instance_type))
        self.by_name[name] = job
        thread = threading.Thread(target=job.work_off, args=(self.service, self.stand_still), daemon=True)
        self.threads.append(thread)
        thread.start()
        return {"ProcessingJobArn": job.arn}

    def describe(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        """Describes a job."""
        return self.known(request).description()

    def stop(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        """Asks a job to stop."""
        job = self.known(request)
        if job.status != "InProgress":
            message = f"The request was rejected because the processing job is in status {job.status}."
            raise RefusedError("ValidationException", message)
        job.state["ProcessingJobStatus"] = "Stopping"
        job.stopping.set()
        return {}

    def list(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        """Lists the jobs, the newest first unless asked otherwise; all on one page."""
        part = request.get("NameContains", "")
        found = [job.summary() for job in self.by_name.values() if part in job.name]
        if "StatusEquals" in request:
            found = [job for job in found if job["ProcessingJobStatus"] == request["StatusEquals"]]
        order = {"Name": "ProcessingJobName", "Status": "ProcessingJobStatus"}.get(request.get("SortBy", ""))
        found.sort(key=lambda job: job[order or "CreationTime"], reverse=request.get("SortOrder") != "Ascending")
        return {"ProcessingJobSummaries": found[: request.get("MaxResults", 100)]}

    def known(self, request: dict[str, Any]) -> Job:
        """The job that a request names."""
        name = request["ProcessingJobName"]
        if name not in self.by_name:
            raise RefusedError("ValidationException", f"Could not find requested job with name: {name}")
        return self.by_name[name]
