"""The generate stage with `run_on: sagemaker`, against a local AWS that really runs the job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.engines.workspaces import Workspace, make_workspace
from tests.servers.aws import ROLE, LocalAWS

BUCKET = "tuneproof-tests"
SETTINGS: dict[str, Any] = {
    "role": ROLE, "s3_prefix": f"s3://{BUCKET}/jobs", "image_uri": "vllm:tests", "poll_seconds": 0.2,
    "patience_seconds": 5.0, "prices_usd_per_hour": {"ml.g5.2xlarge": 1.515, "ml.g6.2xlarge": 1.222},
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[LocalAWS]:
    with LocalAWS() as running:
        yield running


@pytest.fixture
def aws(server: LocalAWS) -> LocalAWS:
    """The local AWS with nothing in it but a bucket."""
    server.reset()
    server.create_bucket(BUCKET)
    return server


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return on_sagemaker(make_workspace(tmp_path / "workspace"))


def on_sagemaker(workspace: Workspace, **settings: Any) -> Workspace:
    """Has a workspace generate on SageMaker."""
    workspace.set(generate__run_on="sagemaker", sagemaker=SETTINGS | settings)
    return workspace


def test_the_answers_are_those_of_a_local_run_byte_for_byte(workspace: Workspace, aws: LocalAWS) -> None:
    workspace.run_ok("generate.py", "sft", **aws.environment())
    there = workspace.files()
    (workspace.root / ".cache" / "ledger.sqlite").unlink()
    workspace.set(generate__run_on="local")
    workspace.run_ok("generate.py", "sft")
    here = workspace.files()
    for name in ("data/answers/sft.jsonl", "data/engines/sft.json"):
        assert there[name] == here[name]
    assert aws.objects(BUCKET) == {}
