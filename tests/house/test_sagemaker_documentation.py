"""What docs/sagemaker.md says of policies; tests/pipeline/test_sagemaker_pipeline.py runs its command."""

import json
import re
from typing import Any

from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "sagemaker.md").read_text(encoding="utf-8")


def policy(name: str) -> dict[str, Any]:
    found = re.search(rf"```json {name}\n(.*?)```", TEXT, re.DOTALL)
    assert found, name
    document: dict[str, Any] = json.loads(found.group(1))
    return document


def actions(name: str) -> set[str]:
    listed = [statement["Action"] for statement in policy(name)["Statement"]]
    return {action for each in listed for action in ([each] if isinstance(each, str) else each)}


def test_no_policy_allows_everything_anywhere() -> None:
    for name in ("caller", "role"):
        for statement in policy(name)["Statement"]:
            assert "*" not in "".join(statement["Action"])
            if statement["Resource"] == "*":
                assert statement["Action"] == ["ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"]
