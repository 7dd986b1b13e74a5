"""Runs a processing job's container as a process: inputs from S3, paths within a folder, outputs and log to AWS."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.aws.faults import FAILED, KILLED, NO_INPUT

CONTAINER_ROOT = "/opt/ml"
LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
SECONDS_BETWEEN_SWEEPS = 0.1
MAX_LINE_CHARACTERS = 200_000


@dataclass
class Service:
    """What the runner needs of the AWS around it: its clients, the image's Python and environment, the role's keys."""

    clients: Mapping[str, Any]
    python: str
    image_environment: dict[str, str] = field(default_factory=dict)
    role_environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a container ended; `status` is SageMaker's, or OutOfTime."""

    status: str
    reason: str | None = None
    message: str | None = None


class Container:
    """One run of a job's container below `folder`, which stands in for the container's root."""

    def __init__(
        self,
        request: Mapping[str, Any],
        arn: str,
        folder: Path,
        service: Service,
        seconds_to_log: float = 0.0,
        stands_still: Callable[[], bool] = lambda: False,
    ) -> None:
        self.request, self.arn, self.folder, self.service = request, arn, folder, service
        self.stands_still = stands_still
        self.log = log_of(request["ProcessingJobName"], service)
        self.log.not_before = time.monotonic() + seconds_to_log
        self.process: subprocess.Popen[str] | None = None
        self.killed = threading.Event()
        self.uploaded: dict[Path, tuple[int, int]] = {}

    def run(self, stopping: threading.Event, seconds: float, rows: int | None, seconds_to_end: float) -> Outcome:
        """Runs it to its end, or until it is told to stop, is killed, or is out of time.

        That is after so many seconds, or once it has made so many rows, on a machine of any speed.
        """
        try:
            self.download_inputs()
        except FileNotFoundError as error:
            return Outcome("Failed", str(error))
        until = time.monotonic() + seconds

        def is_late() -> bool:
            return time.monotonic() > until if rows is None else self.rows >= rows

        with self.started() as process:
            while process.poll() is None and not self.is_over(stopping) and not is_late():
                self.signal(signal.SIGSTOP if self.stands_still() else signal.SIGCONT)  # first: uploading takes a while
                self.upload()
                self.log.send()
                self.killed.wait(SECONDS_BETWEEN_SWEEPS)
            out_of_time = process.poll() is None and not stopping.is_set()
            self.end(process, seconds_to_end)
        self.log.not_before = 0.0
        self.log.send()
        if self.killed.is_set():
            return Outcome("Failed", KILLED)
        self.upload(at_end=True)
        message = self.exit_message()
        if stopping.is_set():
            return Outcome("Stopped", None, message)
        if out_of_time:
            return Outcome("OutOfTime", None, message)
        return Outcome("Failed", FAILED, message) if process.returncode else Outcome("Completed", None, message)

    def is_over(self, stopping: threading.Event) -> bool:
        """Whether it was told to stop, or was killed."""
        return stopping.is_set() or self.killed.is_set()

    @contextmanager
    def started(self) -> Iterator["subprocess.Popen[str]"]:
        """The process in a group of its own; whatever is left of the group is killed afterwards."""
        specification = self.request["AppSpecification"]
        entrypoint = list(specification["ContainerEntrypoint"])
        if entrypoint[0] in ("python", "python3"):
            entrypoint[0] = self.service.python
        command = [self.here(part) for part in [*entrypoint, *specification.get("ContainerArguments", [])]]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment(), start_new_session=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as self.process:  # fmt: skip
            reading = threading.Thread(target=self.log.read, args=(self.process.stdout,), daemon=True)
            reading.start()
            try:
                yield self.process
            finally:
                self.signal(signal.SIGKILL)
                self.process.wait()
                reading.join(timeout=5)

    def end(self, process: "subprocess.Popen[str]", seconds_to_end: float) -> None:
        """SIGTERM, then SIGKILL, as SageMaker ends a container."""
        if process.poll() is None and not self.killed.is_set():
            self.signal(signal.SIGCONT)
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds_to_end)

    def kill(self) -> None:
        """Ends it as a failing machine does."""
        self.killed.set()
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Sends a signal to all that it started."""
        if self.process:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def environment(self) -> dict[str, str]:
        """The job's environment and nothing of this process's own."""
        path = f"{Path(self.service.python).parent}:/usr/local/bin:/usr/bin:/bin"
        own = {"PATH": path, "HOME": str(self.folder / "root"), "TMPDIR": str(self.folder / "tmp")}
        asked = {name: self.here(value) for name, value in self.request.get("Environment", {}).items()}
        names = {"PROCESSING_JOB_ARN": self.arn, "PROCESSING_JOB_NAME": self.request["ProcessingJobName"]}
        return own | self.service.image_environment | names | self.service.role_environment | asked

    def here(self, text: str) -> str:
        """A text with the container's paths below this container's folder."""
        return text.replace(CONTAINER_ROOT, str(self.folder) + CONTAINER_ROOT)

    def path(self, container_path: str) -> Path:
        """Where a path of the container is here."""
        return self.folder / container_path.lstrip("/")

    def exit_message(self) -> str | None:
        """What the container left in /opt/ml/output/message."""
        file = self.path("/opt/ml/output/message")
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None

    def download_inputs(self) -> None:
        """Lays out the container's folders. Raises FileNotFoundError, in SageMaker's words, for an empty input."""
        for name in ("root", "tmp", "opt/ml/output", "opt/ml/config"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        hosts = {"current_host": "algo-1", "hosts": ["algo-1"]}
        self.path("/opt/ml/config/resourceconfig.json").write_text(json.dumps(hosts))
        described = json.dumps({**self.request, "ProcessingJobArn": self.arn})
        self.path("/opt/ml/config/processingjobconfig.json").write_text(described)
        for source in self.request.get("ProcessingInputs", []):
            s3 = source["S3Input"]
            bucket, prefix = bucket_and_key(s3["S3Uri"])
            keys = [key for key in self.keys(bucket, prefix) if not key.endswith("/")]
            if not keys:
                raise FileNotFoundError(NO_INPUT.format(uri=s3["S3Uri"]))
            for key in keys:
                # A key that is the whole prefix lands under its own name, as `aws s3 cp` does it.
                name = key.removeprefix(prefix).lstrip("/") or Path(key).name
                file = self.path(s3["LocalPath"]) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                self.service.clients["s3"].download_file(bucket, key, str(file))
        for output in self.outputs():
            self.path(output["LocalPath"]).mkdir(parents=True, exist_ok=True)

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """The keys of a prefix; a missing bucket has none."""
        client = self.service.clients["s3"]
        try:
            pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
        except client.exceptions.NoSuchBucket:
            return []
        return [row["Key"] for page in pages for row in page.get("Contents", [])]

    def outputs(self) -> list[dict[str, Any]]:
        """Where outputs go."""
        return [output["S3Output"] for output in self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])]

    @property
    def rows(self) -> int:
        """How many lines of .jsonl files its outputs hold."""
        folders = [self.path(output["LocalPath"]) for output in self.outputs()]
        return sum(file.read_bytes().count(b"\n") for folder in folders for file in folder.rglob("*.jsonl"))

    def upload(self, at_end: bool = False) -> None:
        """Uploads what is new or changed, also what is half written: SageMaker promises nothing else."""
        for output in self.outputs():
            if output["S3UploadMode"] != "Continuous" and not at_end:
                continue
            bucket, prefix = bucket_and_key(output["S3Uri"])
            folder = self.path(output["LocalPath"])
            for file in sorted(folder.rglob("*")):
                with suppress(FileNotFoundError):  # renamed or removed since it was listed
                    self.upload_file(file, bucket, f"{prefix.rstrip('/')}/{file.relative_to(folder)}")

    def upload_file(self, file: Path, bucket: str, key: str) -> None:
        """Uploads one file if it is new or changed."""
        status = file.stat()
        version = (status.st_size, status.st_mtime_ns)
        if file.is_file() and self.uploaded.get(file) != version:
            self.service.clients["s3"].put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
            self.uploaded[file] = version


class Log:
    """A log stream that appears with its first line."""

    def __init__(self, client: Any, stream: str) -> None:
        self.client, self.stream = client, stream
        self.not_before = 0.0
        self.lines: list[dict[str, Any]] = []
        self.created = False

    def read(self, output: Iterator[str]) -> None:
        """Takes lines until there are no more."""
        with suppress(ValueError):  # the pipe was closed
            for line in output:
                event = {"timestamp": time.time_ns() // 1_000_000, "message": line.rstrip("\n")[:MAX_LINE_CHARACTERS]}
                self.lines.append(event)

    def send_all(self, lines: Iterable[str]) -> None:
        """Sends these lines."""
        self.read(iter(lines))
        self.send()

    def send(self) -> None:
        """Sends what there is."""
        if not self.lines or time.monotonic() < self.not_before:
            return
        if not self.created:
            with suppress(self.client.exceptions.ResourceAlreadyExistsException):
                self.client.create_log_group(logGroupName=LOG_GROUP)
            self.client.create_log_stream(logGroupName=LOG_GROUP, logStreamName=self.stream)
            self.created = True
        lines, self.lines = self.lines, []
        events = [line | {"message": line["message"] or " "} for line in lines]
        self.client.put_log_events(logGroupName=LOG_GROUP, logStreamName=self.stream, logEvents=events)


def log_of(job: str, service: Service) -> Log:
    """The log of a job, in a stream named as SageMaker names it."""
    return Log(service.clients["logs"], f"{job}/algo-1-{time.time_ns() // 1000}")


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The two parts of an s3:// address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
