"""The first command that docs/sagemaker.md has a user run on AWS, and the policies that it says are enough for it."""

import re
import shlex
from pathlib import Path

import pytest

from tests.servers.aws import LocalAWS
from tests.slow.pipeline import Clone
from tests.test_sagemaker_documentation import TEXT, actions

pytestmark = pytest.mark.slow

DEFAULT_BUCKET = "sagemaker-us-east-1-123456789012"
# The right that a call needs, where it has another name.
RIGHTS = {
    "s3:ListObjectsV2": "s3:ListBucket", "s3:HeadBucket": "s3:ListBucket", "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject", "s3:CreateMultipartUpload": "s3:PutObject", "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
}  # fmt: skip
NEED_NO_RIGHT = {"sts:GetCallerIdentity"}
# What SageMaker itself does with the user's rights, and what is asked for in trouble only.
UNSEEN = {"iam:PassRole", "s3:AbortMultipartUpload", "sagemaker:StopProcessingJob"}


def test_the_first_smoke_command_works_and_calls_only_what_the_policy_allows(tmp_path: Path) -> None:
    smoke = re.search(r"```bash smoke\n(.*?)```", TEXT, re.DOTALL)
    assert smoke
    command = [part for part in shlex.split(smoke.group(1)) if part.strip()]
    assert command[:3] == ["dvc", "exp", "run"]
    clone = Clone.of_this_repository(tmp_path / "clone")
    with LocalAWS() as aws:
        aws.create_bucket(DEFAULT_BUCKET)
        said = clone.dvc(*command[1:], "-S", "sagemaker.poll_seconds=1", **aws.environment())
        assert len(clone.read("data/answers/sft.jsonl").splitlines()) == 10
        assert "billed" in said
        assert (aws.jobs.running, aws.objects(DEFAULT_BUCKET)) == ([], {})
        assert len(aws.jobs.by_name) == 1
        needed = {RIGHTS.get(call, call) for call in aws.operations() - NEED_NO_RIGHT}
        assert actions("caller") - needed == UNSEEN
        assert needed <= actions("caller")
        assert aws.operations("role") <= actions("role")
