"""The way to AWS: session, region, and the place for the job's data. Everything that is missing is said at once."""

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.generation.sagemaker.errors import explaining
from tuneproof.settings.execution import SageMaker

PACKAGES = {"sagemaker-core": "sagemaker.core", "boto3": "boto3"}
INSTALL = "pip install -r requirements/sagemaker.txt"
# By the environment, since the SDK makes a client of its own; what the user has set there is kept.
RETRIES = {"AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "4"}
IMAGE_VERSION = "0.30.0"  # the newest release of vLLM in the table of the SDK that is pinned


@dataclass(frozen=True)
class Connection:
    """A session of boto3 with its region; the region's clients come from it."""

    session: Any
    region: str

    def client(self, service: str) -> Any:
        """A client of boto3's."""
        return self.session.client(service)

    def s3_prefix(self, settings: SageMaker) -> str:
        """Where the project's job data goes: as set, or the default bucket of AWS's SDK."""
        if settings.s3_prefix:
            return settings.s3_prefix
        with explaining("execution.sagemaker.s3_prefix", "ask for the account's number"):
            account = self.client("sts").get_caller_identity()["Account"]
        return f"s3://sagemaker-{self.region}-{account}/tuneproof"

    def image_uri(self, settings: SageMaker) -> str:
        """The container's image: as set, or AWS's own with vLLM. Raises a UserError where there is none."""
        if settings.image_uri:
            return settings.image_uri
        from sagemaker.core import image_uris

        try:
            instance_type = settings.instance_types[0]
            return str(image_uris.retrieve("vllm", self.region, IMAGE_VERSION, instance_type=instance_type))
        except ValueError as error:
            where = f"region {self.region}, {settings.instance_types[0]}"
            remedy = "set execution.sagemaker.image_uri, or another region or instance type"
            raise UserError(where, f"AWS's SDK knows no vLLM image ({error})", remedy) from None


def missing_for_sagemaker(settings: SageMaker) -> Iterator[str]:
    """What a job on SageMaker would lack, without asking S3 or SageMaker."""
    for check in (connect, require_role):
        try:
            check(settings)
        except UserError as error:
            yield f"{error.where}: {error.found}"


def is_installed(module: str) -> bool:
    """Whether a module could be imported; imports none but its parent."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def connect(settings: SageMaker) -> Connection:
    """The session to work with. Raises a UserError where a package, the region or credentials are missing."""
    for name, module in PACKAGES.items():
        if not is_installed(module):
            remedy = f"install it with `{INSTALL}`, or set run_on: local"
            raise UserError("execution.generate.run_on: sagemaker", f"the package {name} is not installed", remedy)
    import boto3

    for name, value in RETRIES.items():
        os.environ.setdefault(name, value)
    with explaining("AWS", "open a session"):
        session = boto3.Session(region_name=settings.region)
        credentials = session.get_credentials()
    if credentials is None:
        remedy = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the environment or .env"
        raise UserError("AWS", "there are no credentials", remedy)
    return Connection(session, checked_region(session))


def require_role(settings: SageMaker) -> None:
    """Raises a UserError where no role is named."""
    if not settings.role:
        remedy = "set it to the role that the job runs with; docs/sagemaker.md says what it must be allowed"
        raise UserError("execution.sagemaker.role", "there is none", remedy)


def checked_region(session: Any) -> str:
    """The session's region. Raises a UserError where there is none, or none of that name."""
    region = session.region_name
    if not region:
        raise UserError("execution.sagemaker.region", "there is none", "set it, or AWS_REGION, such as us-east-1")
    known = {
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("sagemaker", partition_name=partition)
    }
    if region not in known:
        raise UserError(
            "execution.sagemaker.region", f"boto3 knows no SageMaker in '{region[:40]}'", "correct it, or update boto3"
        )
    return str(region)
