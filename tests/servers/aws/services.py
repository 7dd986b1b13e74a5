"""A small AWS for tests: moto's S3, Secrets Manager, STS and CloudWatch Logs, and SageMaker jobs that really run.

A processing job is a process of this machine: its inputs come from S3, the container's paths below /opt/ml in its
entrypoint, arguments and environment are mapped into a folder of its own (not those within files: write relative ones),
its outputs are uploaded as they appear, its log goes to CloudWatch. It sees the job's environment, an image's, and the
role's keys; nothing of the test's. The working directory is the container's root, which is what the real image has.

    with LocalAWS() as aws:                            # one for a module: starting it takes two seconds
        aws.create_bucket("a-bucket")
        environment = aws.environment()                # for the code under test: keys, region, AWS_ENDPOINT_URL
        aws.jobs.faults.without_capacity = {"ml.g5.2xlarge"}          # what happens to jobs: JobFaults
        aws.faults += [slow_down(times=3), throttled("sagemaker:DescribeProcessingJob", times=2)]  # what calls meet
        ...
        aws.calls                                      # every call: service, operation, path, and by whom
        aws.jobs.descriptions(), aws.jobs.running      # every job ever created; those that have not ended
        aws.jobs.kill(name), aws.jobs.wait(name)       # the machine fails; the job ends
        aws.objects("a-bucket"), aws.logs()            # everything in S3 and in the logs, to search for secrets
        aws.reset()                                    # before each test: nothing is left of the one before

SageMaker's four operations on processing jobs are answered here and not by moto, whose jobs are Completed at once and
keep neither environment nor instance. Bucket names have at least three characters. The job's region is not in its
environment unless the job sets it.
"""

import io
import json
import logging
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.servers.aws.faults import Fault, error_body, json_error
from tests.servers.aws.jobs import Jobs, RefusedError
from tests.servers.aws.runner import LOG_GROUP, Service

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/tuneproof"
KEYS = {"user": "AKIATHEUSEROFTHETEST", "role": "ASIATHEROLEOFTHEJOB0", "aws": "AKIAAWSITSELF0000000"}
SECRET_KEY = "a/secret/key/of/the/tests"
S3_OPERATIONS = {
    ("GET", True, "list-type"): "ListObjectsV2",
    ("GET", True, "location"): "GetBucketLocation",
    ("GET", True, ""): "ListObjects",
    ("HEAD", True, ""): "HeadBucket",
    ("PUT", True, ""): "CreateBucket",
    ("POST", True, "delete"): "DeleteObjects",
    ("GET", False, ""): "GetObject",
    ("HEAD", False, ""): "HeadObject",
    ("PUT", False, ""): "PutObject",
    ("PUT", False, "partNumber"): "UploadPart",
    ("POST", False, "uploads"): "CreateMultipartUpload",
    ("POST", False, "uploadId"): "CompleteMultipartUpload",
    ("DELETE", False, ""): "DeleteObject",
}

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


@dataclass(frozen=True)
class Call:
    """A call that was made: by the user of the test, or by a running job with its role."""

    service: str
    operation: str
    path: str
    caller: str

    def __str__(self) -> str:
        return f"{self.service}:{self.operation} {self.path}"


class LocalAWS:
    """The AWS of a test on a free port; a context manager. `python` is the Python within the container."""

    def __init__(self, python: str = sys.executable) -> None:
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self.application, threaded=True, request_handler=MotoRequestHandler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.clients = {name: self.client(name, "aws") for name in ("s3", "logs", "secretsmanager")}
        image = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.service = Service(self.clients, python, image, self.keys("role"))
        self.jobs = Jobs(self.service)

    def __enter__(self) -> "LocalAWS":
        self.thread.start()
        self.reset()
        return self

    def __exit__(self, *exception: object) -> None:
        self.jobs.close()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        for client in self.clients.values():
            client.close()

    @property
    def url(self) -> str:
        """Its address, for AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def keys(self, caller: str) -> dict[str, str]:
        """The environment variables with which somebody calls this AWS."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": KEYS[caller], "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

    def environment(self) -> dict[str, str]:
        """The user's environment: keys, region, and no look at this machine's own AWS settings."""
        empty = self.jobs.folder / "settings"  # botocore takes no /dev/null
        empty.touch()
        nothing = {"AWS_CONFIG_FILE": str(empty), "AWS_SHARED_CREDENTIALS_FILE": str(empty)}
        return self.keys("user") | nothing | {"AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}

    def client(self, name: str, caller: str = "user") -> Any:
        """A client of boto3's; what `aws` itself does meets no fault and is not recorded."""
        return boto3.client(
            name, endpoint_url=self.url, region_name=REGION, aws_access_key_id=KEYS[caller],
            aws_secret_access_key=SECRET_KEY, config=Config(retries={"mode": "standard"}),
        )  # fmt: skip

    def reset(self) -> None:
        """Kills all jobs and forgets everything."""
        self.jobs.forget()
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310
        urllib.request.urlopen(request).close()  # noqa: S310
        self.calls, self.faults = [], []

    def create_bucket(self, name: str) -> None:
        """Creates a bucket."""
        self.clients["s3"].create_bucket(Bucket=name)

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Every object of a bucket, by key."""
        client = self.clients["s3"]
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [row["Key"] for page in pages for row in page.get("Contents", [])]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def logs(self) -> dict[str, list[str]]:
        """The lines of every job's log stream, by its name."""
        client = self.clients["logs"]
        with suppress(client.exceptions.ResourceNotFoundException):
            streams = client.describe_log_streams(logGroupName=LOG_GROUP)["logStreams"]
            return {stream["logStreamName"]: self.lines(stream["logStreamName"]) for stream in streams}
        return {}

    def lines(self, stream: str) -> list[str]:
        """The lines of a log stream."""
        found = self.clients["logs"].get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True)
        return [event["message"] for event in found["events"]]

    def operations(self, caller: str = "user") -> set[str]:
        """The operations that were called, as <service>:<Operation>."""
        return {f"{call.service}:{call.operation}" for call in list(self.calls) if call.caller == caller}

    def application(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a request: its fault, a job's answer, or moto's."""
        call = recognized(environ)
        if call is None or call.caller == "aws":
            return self.moto_answer(environ, start_response)
        with self.lock:
            self.calls.append(call)
            fault = next((fault for fault in self.faults if fault.meets(str(call), call.caller)), None)
        if fault:
            return failed(environ, start_response, call.service, fault)
        if call.service == "sagemaker":
            return self.sagemaker(environ, start_response, call)
        return self.moto_answer(environ, start_response)

    def moto_answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answers as moto does."""
        answer: Iterable[bytes] = self.moto(environ, start_response)
        return answer

    def sagemaker(self, environ: Environ, start_response: StartResponse, call: Call) -> Iterable[bytes]:
        """Answers a call of SageMaker."""
        request = json.loads(body(environ) or b"{}")
        try:
            answer = self.jobs.answer(call.operation, request, region(environ))
        except RefusedError as refused:
            return answered(start_response, 400, json_error(refused.code, refused.message))
        if answer is None:
            return answered(start_response, 400, json_error("UnknownOperationException", call.operation))
        return answered(start_response, 200, json.dumps(answer))


def recognized(environ: Environ) -> Call | None:
    """Who calls what; None for a request that is not signed, such as moto's own."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0].split("/")
    if len(scope) < 4:
        return None
    caller = next((name for name, key in KEYS.items() if key == scope[0]), "anyone")
    service, path = scope[3], environ.get("PATH_INFO", "/")
    return Call(service, operation_of(service, environ, path), path, caller)


def operation_of(service: str, environ: Environ, path: str) -> str:
    """The name of the operation that a request is for."""
    if service != "s3":
        target: str = environ.get("HTTP_X_AMZ_TARGET", "")
        asked = parse_qs(body(environ).decode("utf-8", "replace")) if not target else {}
        return target.rpartition(".")[2] or asked.get("Action", ["?"])[0]
    method: str = environ["REQUEST_METHOD"]
    is_bucket = len([part for part in path.split("/") if part]) < 2
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    for (its_method, for_bucket, parameter), name in S3_OPERATIONS.items():
        if (its_method, for_bucket) == (method, is_bucket) and parameter and parameter in query:
            return name
    return S3_OPERATIONS.get((method, is_bucket, ""), method)


def region(environ: Environ) -> str:
    """The region that a request is signed for."""
    scope: str = environ["HTTP_AUTHORIZATION"].partition("Credential=")[2]
    return scope.split("/")[2]


def body(environ: Environ) -> bytes:
    """A request's body, which can be read again afterwards."""

    length = int(environ.get("CONTENT_LENGTH") or 0)
    read: bytes = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(read)
    return read


def failed(environ: Environ, start_response: StartResponse, service: str, fault: Fault) -> Iterable[bytes]:
    """Answers with a fault, or drops the connection."""
    if fault.status == 0:
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError
    content_type, text = error_body(service, fault)
    return answered(start_response, fault.status, text, content_type, fault.headers)


def answered(
    start_response: StartResponse, status: int, text: str, content_type: str = "application/x-amz-json-1.1",
    headers: dict[str, str] | None = None,
) -> Iterable[bytes]:  # fmt: skip
    """Sends a text."""
    content = text.encode()
    sent = [("Content-Type", content_type), ("Content-Length", str(len(content))), *(headers or {}).items()]
    start_response(f"{status} {'OK' if status < 300 else 'Error'}", sent)
    return [content]
