"""The whole pipeline with generation on SageMaker, driven by the real DVC."""

from pathlib import Path

import pytest

from tests.sagemaker_workspaces import BUCKET, SETTINGS
from tests.servers.aws import LocalAWS
from tests.slow.pipeline import RECORDED, Clone

pytestmark = pytest.mark.slow

NO_HUB = {"HF_ENDPOINT": "http://127.0.0.1:9"}


def outs(clone: Clone, model: str) -> dict[str, bytes]:
    """What the generate stage of a model wrote."""
    return {name: clone.read(name) for name in (f"data/answers/{model}.jsonl", f"data/engines/{model}.json")}


def test_a_rehearsal_on_sagemaker_gives_the_local_answers_and_switching_runs_nothing_again(tmp_path: Path) -> None:
    clone = Clone.of_this_repository(tmp_path / "clone")
    params = clone.params()
    clone.write_params(params | {"sagemaker": params["sagemaker"] | SETTINGS})
    clone.commit("A role and a bucket")
    with LocalAWS() as aws:
        aws.create_bucket(BUCKET)
        environment = aws.environment() | NO_HUB
        printed = clone.dvc("exp", "run", "-S", "dummy=true", "-S", "generate.run_on=sagemaker", **environment)
        assert len(aws.jobs.descriptions()) == len(RECORDED)
        assert aws.objects(BUCKET) == {}
        assert "sft on SageMaker: " in printed
        there = outs(clone, "dpo")
        calls = len(aws.calls)
        for run_on in ("local", "sagemaker"):
            params = clone.params()
            clone.write_params(params | {"generate": params["generate"] | {"run_on": run_on}})
            assert clone.stages_run(**environment) == set()
        assert len(aws.calls) == calls
    (clone.root / ".cache" / "ledger.sqlite").unlink()
    clone.dvc("exp", "run", "--single-item", "--force", "-S", "generate.run_on=local", "generate@dpo")
    assert outs(clone, "dpo") == there
