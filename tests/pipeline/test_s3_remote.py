"""S3 as DVC's remote, as docs/sagemaker.md describes it: what one machine pushed no other runs or buys again."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pipeline.pipeline import RECORDED, Clone, run
from tests.servers.aws.services import SECRET_KEY, LocalAWS
from tests.servers.openai.server import OpenAIServer

pytestmark = pytest.mark.exhaustive

BUCKET = "your-bucket"
REMOTE = f"s3://{BUCKET}/tuneproof-data"


def test_a_second_machine_pulls_from_s3_and_reruns_nothing(tmp_path: Path) -> None:
    for command in (f"dvc remote add --default storage {REMOTE}", "dvc push --run-cache", "dvc repro --pull"):
        assert command in (ROOT / "docs" / "sagemaker.md").read_text()
    with LocalAWS() as aws, OpenAIServer() as judge:
        aws.create_bucket(BUCKET)
        keys = aws.environment()
        first = Clone.of_this_repository(tmp_path / "first")
        first.use_recorded_models(judge.base_url)
        first.dvc("remote", "add", "--default", "storage", REMOTE)
        first.dvc("repro")
        first.commit("A run")
        first.dvc("push", "--run-cache", **keys)
        stored = aws.objects(BUCKET)
        assert stored
        assert {name.partition("/")[0] for name in stored} == {"tuneproof-data"}
        bought = judge.counts.requests.total()

        second = Clone(tmp_path / "second")
        run("git", "clone", "--quiet", str(first.root), str(second.root), cwd=tmp_path)
        second.set_identity()
        second.dvc("pull", **keys)
        for model in RECORDED:
            for kind in ("answers", "judgements"):
                assert second.read(f"data/{kind}/{model}.jsonl") == first.read(f"data/{kind}/{model}.jsonl")
        assert second.stages_run("--pull", **keys) == set()
        assert second.read("report/index.html") == first.read("report/index.html")
        assert judge.counts.requests.total() == bought
        assert aws.operations() <= {
            "s3:GetObject", "s3:PutObject", "s3:HeadObject", "s3:HeadBucket", "s3:ListObjectsV2",
            "s3:CreateMultipartUpload", "s3:UploadPart", "s3:CompleteMultipartUpload",
        }  # fmt: skip
        assert not [name for name, content in stored.items() if SECRET_KEY.encode() in content]
