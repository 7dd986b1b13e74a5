"""What goes wrong on the local AWS, in the words of the real one, and for how many calls."""

import json
import re
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import escape

Caller = Literal["user", "role", "anyone"]


@dataclass
class Fault:
    """An error that the next calls meet.

    `pattern` is searched in "<service>:<Operation> <path>", e.g. "s3:PutObject /bucket/key" or
    "sagemaker:DescribeProcessingJob /". A `status` of 0 drops the connection before any answer.
    """

    pattern: str
    status: int
    code: str
    message: str
    times: int = 1
    after: int = 0  # so many matching calls pass first
    by: Caller = "user"
    headers: dict[str, str] = field(default_factory=dict)

    def meets(self, call: str, caller: str) -> bool:
        """Whether a call meets this fault; counts it."""
        if self.times <= 0 or self.by not in ("anyone", caller) or not re.search(self.pattern, call):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


FOREVER = 1_000_000


def server_error(pattern: str, times: int = 1, after: int = 0, by: Caller = "user") -> Fault:
    """A 500 that the client is to repeat."""
    message = "We encountered an internal error. Please try again."
    return Fault(pattern, 500, "InternalError", message, times, after, by)


def slow_down(times: int = 1, after: int = 0, by: Caller = "user") -> Fault:
    """S3's throttling."""
    return Fault("^s3:", 503, "SlowDown", "Please reduce your request rate.", times, after, by)


def throttled(pattern: str, times: int = 1, after: int = 0) -> Fault:
    """The throttling of the other services."""
    return Fault(pattern, 400, "ThrottlingException", "Rate exceeded", times, after)


def dropped(pattern: str, times: int = 1, after: int = 0) -> Fault:
    """A connection that is closed before any answer."""
    return Fault(pattern, 0, "", "", times, after)


def access_denied(pattern: str, action: str) -> Fault:
    """A call that no policy of the user's allows; `action` is its IAM name."""
    if action.startswith("s3:"):
        return Fault(pattern, 403, "AccessDenied", "Access Denied", FOREVER)
    message = (
        f"User: arn:aws:iam::123456789012:user/tests is not authorized to perform: {action} on resource: * "
        f"because no identity-based policy allows the {action} action"
    )
    return Fault(pattern, 400, "AccessDeniedException", message, FOREVER)


def expired_credentials(after: int = 0) -> list[Fault]:
    """The user's credentials have run out; the role's in a running job go on."""
    expired = "The security token included in the request is expired"
    return [
        Fault("^s3:", 400, "ExpiredToken", "The provided token has expired.", FOREVER, after),
        Fault("^sts:", 403, "ExpiredToken", expired, FOREVER, after),
        Fault("^(?!s3:|sts:)", 400, "ExpiredTokenException", expired, FOREVER, after),
    ]


def wrong_region() -> Fault:
    """A bucket that lies in another region, and cannot be had there either."""
    message = (
        "The bucket you are attempting to access must be addressed using the specified endpoint. "
        "Please send all future requests to this endpoint."
    )
    headers = {"x-amz-bucket-region": "eu-west-1"}
    return Fault("^s3:", 301, "PermanentRedirect", message, FOREVER, headers=headers)


def refused_role(role: str) -> tuple[str, str]:
    """The code and message for a role that SageMaker may not assume."""
    return "ValidationException", (
        f"Could not assume role {role}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )


def no_quota(instance_type: str) -> tuple[str, str]:
    """The code and message for an instance type that the account may not use."""
    return "ResourceLimitExceeded", (
        f"The account-level service limit '{instance_type} for processing job usage' is 0 Instances, with current "
        "utilization of 0 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an "
        "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase "
        "for this quota."
    )


NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
NO_IMAGE = "ClientError: API error (404): manifest for {image} not found: manifest unknown: Requested image not found"
NO_INPUT = 'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source.'
BUCKET_ELSEWHERE = (
    "ClientError: Data download failed:PermanentRedirect (301): The bucket is in this region: eu-west-1. "
    "Please use this region to retry the request"
)
FAILED = "AlgorithmError: See job logs for more information"
KILLED = "InternalServerError: We encountered an internal error.  Please try again."


def error_body(service: str, fault: Fault) -> tuple[str, str]:
    """The content type and body of an error as each service writes it."""
    if service == "s3":
        inner = f"<Code>{fault.code}</Code><Message>{escape(fault.message)}</Message><RequestId>tests</RequestId>"
        return "application/xml", f'<?xml version="1.0" encoding="UTF-8"?><Error>{inner}</Error>'
    if service == "sts":
        inner = f"<Type>Sender</Type><Code>{fault.code}</Code><Message>{escape(fault.message)}</Message>"
        return "text/xml", f"<ErrorResponse><Error>{inner}</Error><RequestId>tests</RequestId></ErrorResponse>"
    return "application/x-amz-json-1.1", json_error(fault.code, fault.message)


def json_error(code: str, message: str) -> str:
    """An error as the services that speak JSON write it."""
    return json.dumps({"__type": code, "message": message})
