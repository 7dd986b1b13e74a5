"""What AWS says when something is wrong, as one line that says what to do."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tuneproof.common.errors import UserError, one_line, warn

SAME_REGION = "set execution.sagemaker.region to the bucket's, or another bucket"
AGAIN = "then run again: rows that arrived are kept"
THROTTLED = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException",
    "SlowDown", "RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete",
}  # fmt: skip
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
UNKNOWN_CALLER = {
    "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure",
    "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
}  # fmt: skip
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}
ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
LONGEST_REASON_CHARACTERS = 300
QUOTA = "ResourceLimitExceeded"
NAME_IS_TAKEN = "ResourceInUse"

# What is wrong with a job, by words in what AWS or the job itself says of it, and what to do.
JOB_FAILURES = (
    (("CapacityError", "InsufficientCapacity", "requested ML compute capacity"), "there is no capacity for it",
     "run again later, or name further execution.sagemaker.instance_types"),
    (("MaxRuntime", "maximum runtime"), "it ran into its time-out",
     "raise execution.sagemaker.max_runtime_seconds (or max_cost_usd), " + AGAIN),
    (("No space left on device", "disk is full", "Disk quota exceeded"), "it ran out of disk",
     "raise execution.sagemaker.volume_gib, " + AGAIN),
    (("bucket is in this region",), "its bucket is in another region", SAME_REGION),
    (("pull algorithm container", "Cannot pull", "CannotPull", "Requested image not found", "manifest unknown",
      "does not exist in the registry", "ECR image"), "its image is missing or may not be pulled",
     "correct execution.sagemaker.image_uri, and let the role pull it (docs/sagemaker.md)"),
    (("assume role", "assumed-role", "is not authorized to perform"), "its role lacks a right",
     "give the role the policy in docs/sagemaker.md, " + AGAIN),
)  # fmt: skip


def code_of(error: BaseException) -> str:
    """The code of an error that AWS answered with, else the name of the client's own exception."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed in a while: throttled, an error of the service, or no connection."""
    from botocore.exceptions import ConnectionError as NoConnectionError
    from botocore.exceptions import FlexibleChecksumError, HTTPClientError, IncompleteReadError

    response: dict[str, Any] = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    no_whole_answer = isinstance(
        error, HTTPClientError | NoConnectionError | IncompleteReadError | FlexibleChecksumError
    )
    return no_whole_answer or status >= 500 or status == 429 or code_of(error) in THROTTLED


def explained(error: BaseException, where: str, doing: str) -> UserError:
    """An error of boto3 as a UserError. `doing` says what was tried, such as "upload the job's files"."""
    code, said = code_of(error), one_line(error)
    if code in EXPIRED or "SSO" in code or code == "TokenRetrievalError":
        return UserError("AWS", "the credentials have expired", f"log in again (such as `aws sso login`), {AGAIN}")
    if code in UNKNOWN_CALLER:
        return UserError("AWS", f"it does not accept the credentials ({said})", "correct them in AWS's own chain")
    if code in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"):
        remedy = "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        return UserError("AWS", f"there are no usable credentials ({said})", remedy)
    if "assume role" in said or "RoleArn" in said or "roleArn" in said:
        remedy = "correct execution.sagemaker.role: it must exist and trust sagemaker.amazonaws.com (docs/sagemaker.md)"
        return UserError(where, f"SageMaker cannot take on the role ({said})", remedy)
    if code in DENIED:
        return UserError(where, f"you may not {doing} ({said})", "give yourself the policy in docs/sagemaker.md")
    if code == "NoSuchBucket":
        return UserError(
            where, "there is no such bucket", "create it with `aws s3 mb`, or set execution.sagemaker.s3_prefix"
        )
    if code in ELSEWHERE:
        return bucket_elsewhere(where, "another region")
    if code == QUOTA:
        return UserError(
            where, f"your quota does not allow it ({said})", "ask AWS to raise it, or set other instance_types"
        )
    if is_passing(error):
        return UserError(
            where, f"AWS does not answer ({said})", f"check the network and execution.sagemaker.region, {AGAIN}"
        )
    return UserError(
        where, f"AWS refuses to {doing} ({said})", f"correct the section `execution.sagemaker` of params.yaml, {AGAIN}"
    )


def bucket_elsewhere(where: str, region: str) -> UserError:
    """The error for a bucket that is not in the job's region, from where the job could not read it."""
    return UserError(where, f"the bucket is in {region}", SAME_REGION)


@contextmanager
def explaining(where: str, doing: str) -> Iterator[None]:
    """Turns errors of boto3 into UserErrors."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except Boto3Error as error:  # an upload's own; the cause says why
        raise explained(error.__context__ or error, where, doing) from None
    except (BotoCoreError, ClientError) as error:
        raise explained(error, where, doing) from None


class Patience:
    """Lets AWS fail for so many seconds, counted from the first failure since it last answered."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.since = seconds, float("inf")

    @contextmanager
    def tried(self, where: str, doing: str) -> Iterator[None]:
        """Swallows what may pass while there is patience; raises a UserError for anything else of AWS's."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
            self.since = float("inf")
        except (BotoCoreError, ClientError) as error:
            now = time.monotonic()
            if not is_passing(error) or now - self.since >= self.seconds:
                raise explained(error, where, doing) from None
            if self.since == float("inf"):
                self.since = now
                warn(f"{where}: AWS does not answer ({one_line(error)}); trying on for {self.seconds:g} s")


def job_failure(where: str, reason: str, said: str, log: str) -> UserError:
    """Why a job failed: AWS's reason, the message that the job left, and its last log lines, in one line.

    `said` and `log` may hold anything; only the reason and the message are shown.
    """
    known = [part for part in (said.removeprefix("error: "), reason) if part]
    shown = one_line("; ".join(known) or "no reason is given", LONGEST_REASON_CHARACTERS)
    for words, found, remedy in JOB_FAILURES:
        if any(word.lower() in f"{reason}\n{said}\n{log}".lower() for word in words):
            return UserError(where, f"{found} ({shown})", remedy)
    return UserError(where, f"it failed ({shown})", f"see its log above, correct that, {AGAIN}")
