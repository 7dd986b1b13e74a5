"""The pipeline with generation on SageMaker, driven by the real DVC as docs/sagemaker.md says, policies included."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.house.test_sagemaker_documentation import TEXT, actions
from tests.pipeline.pipeline import RECORDED, Clone, run
from tests.servers.aws.services import ROLE, LocalAWS

pytestmark = pytest.mark.exhaustive

DEFAULT_BUCKET = "sagemaker-us-east-1-123456789012"
NO_HUB = {"HF_HUB_OFFLINE": "1"}
# The right that a call needs, where it has another name.
RIGHTS = {
    "s3:ListObjectsV2": "s3:ListBucket", "s3:HeadBucket": "s3:ListBucket", "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject", "s3:CreateMultipartUpload": "s3:PutObject", "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
}  # fmt: skip
NEED_NO_RIGHT = {"sts:GetCallerIdentity"}
# What SageMaker itself does with the user's rights, and what is asked for in trouble only.
UNSEEN = {"iam:PassRole", "s3:AbortMultipartUpload", "sagemaker:StopProcessingJob"}


def test_smoke_command_and_rehearsal_on_sagemaker_give_the_local_answers_and_switching_runs_nothing_again(
    tmp_path: Path,
) -> None:
    clone = Clone.of_this_repository(tmp_path / "clone")
    params = clone.params()
    own = {"poll_seconds": 0.5, "hf_token_secret": "tuneproof/hf-token"}
    params["execution"]["sagemaker"] |= own
    clone.write_params(params)
    clone.commit("A secret")
    with LocalAWS() as aws:
        aws.create_bucket(DEFAULT_BUCKET)
        aws.clients["secretsmanager"].create_secret(Name="tuneproof/hf-token", SecretString="hf_planted0123456789")
        environment = aws.environment() | NO_HUB
        run_the_smoke_command(clone, aws, environment)
        clone.git("checkout", "params.yaml")
        on_sagemaker = ("-S", "execution.generate.run_on=sagemaker", "-S", f"execution.sagemaker.role={ROLE}")
        printed = clone.dvc("exp", "run", "--quiet", "-S", "dummy=true", *on_sagemaker, **environment)
        assert "dpo on SageMaker: " in printed
        assert len(aws.jobs.by_name) == len(RECORDED), "the smoke command had made one model's answers"
        assert (aws.jobs.running, aws.objects(DEFAULT_BUCKET)) == ([], {})
        there = outs(clone)
        calls = len(aws.calls)
        for run_on in ("local", "sagemaker"):
            params = clone.params()
            params["execution"]["generate"]["run_on"] = run_on
            clone.write_params(params)
            assert clone.stages_run(**environment) == set()
        assert len(aws.calls) == calls
    (clone.root / ".cache" / "ledger.sqlite").unlink()
    params = clone.params()
    params["execution"]["generate"]["run_on"] = "local"
    clone.write_params(params)
    assert run("python", "scripts/generate.py", "dpo", cwd=clone.root).returncode == 0
    assert outs(clone) == there


def run_the_smoke_command(clone: Clone, aws: LocalAWS, environment: dict[str, str]) -> None:
    """Runs the first command that the documentation has a user run on AWS, and looks at what it called."""
    smoke = re.search(r"```bash smoke\n(.*?)```", TEXT, re.DOTALL)
    assert smoke
    command = [part for part in shlex.split(smoke.group(1)) if part.strip()]
    assert command[:3] == ["dvc", "exp", "run"]
    said = clone.dvc(*command[1:], **environment)
    assert len({json.loads(line)["id"] for line in clone.read("data/answers/sft.jsonl").splitlines()}) == 10
    assert "billed" in said
    assert (aws.jobs.running, aws.objects(DEFAULT_BUCKET)) == ([], {})
    assert len(aws.jobs.by_name) == 1
    needed = {RIGHTS.get(call, call) for call in aws.operations() - NEED_NO_RIGHT}
    assert actions("caller") - needed == UNSEEN
    assert needed <= actions("caller")
    assert aws.operations("role") == {"secretsmanager:GetSecretValue"}
    assert aws.operations("role") <= actions("role")


def outs(clone: Clone) -> dict[str, bytes]:
    """What the generate stage of one model wrote."""
    return {name: clone.read(name) for name in ("data/answers/dpo.jsonl", "data/engines/dpo.json")}
