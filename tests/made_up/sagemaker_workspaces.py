"""Workspaces whose generate stage runs on a local AWS, for the tests of SageMaker."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.processes import ended_with_test
from tests.servers.aws.services import ROLE, LocalAWS
from tests.tuneproof.generation.engines.workspaces import Workspace, make_workspace
from tuneproof.generation.handing_over import FinishedRow
from tuneproof.records.rows import Result

BUCKET = "tuneproof-tests"
SETTINGS: dict[str, Any] = {
    "role": ROLE, "s3_prefix": f"s3://{BUCKET}/jobs", "image_uri": "vllm:tests", "poll_seconds": 0.5,
    "patience_seconds": 5.0, "prices_usd_per_hour": {"ml.g5.2xlarge": 1.515, "ml.g6.2xlarge": 1.222},
}  # fmt: skip


def sagemaker_workspace(root: Path, questions: int = 12, **settings: Any) -> Workspace:
    """A workspace with one small model that generates on SageMaker; `settings` are those of `execution.sagemaker`."""
    workspace = make_workspace(root, questions)
    workspace.set(execution__generate__run_on="sagemaker", execution__sagemaker=SETTINGS | settings)
    return workspace


def started(workspace: Workspace, aws: LocalAWS, model: str = "sft") -> "subprocess.Popen[str]":
    """The stage as a process of its own, for what must be killed; what it prints comes together."""
    return ended_with_test(subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "generate.py"), model], cwd=workspace.root, text=True,
        env=os.environ | aws.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ))  # fmt: skip


def rows_in_s3(aws: LocalAWS) -> list[FinishedRow[Result]]:
    """Every row that a job has put into S3."""
    parts = [content for name, content in sorted(aws.objects(BUCKET).items()) if "/part-" in name]
    return [FinishedRow[Result].model_validate_json(line) for part in parts for line in part.splitlines()]
