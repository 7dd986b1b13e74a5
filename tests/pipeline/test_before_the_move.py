"""What was bought before the code moved into its rooms is found again: a ledger and a dvc.lock of then."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.pipeline.pipeline import Clone, run
from tests.servers.openai.server import OpenAIServer

pytestmark = pytest.mark.exhaustive

BEFORE = ROOT / "tests" / "pipeline" / "before_the_move"
BOUGHT = ("generate", "judge", "compare")


def outs(lock: Path) -> dict[str, str]:
    """The hashes of what the stages that buy something have written, by path, as a dvc.lock holds them."""
    stages = yaml.safe_load(lock.read_text())["stages"]
    bought = [stage for name, stage in stages.items() if name.partition("@")[0] in BOUGHT]
    return {out["path"]: out["md5"] for stage in bought for out in stage["outs"]}


def test_nothing_that_was_bought_before_the_move_is_bought_again(tmp_path: Path) -> None:
    clone = Clone.of_this_repository(tmp_path / "clone")
    with OpenAIServer() as server:
        clone.use_recorded_models(server.base_url)
        params = clone.params()
        params["judge"]["served_as"] = "judge"
        clone.write_params(params)
        shutil.copy(BEFORE / "dvc.lock", clone.root)
        done = run(
            "python", "-m", "tuneproof.records.exchange", "import", str(BEFORE / "ledger.jsonl"),
            cwd=clone.root, PYTHONPATH="scripts",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        clone.dvc("repro")
        assert server.counts.requests.total() == 0
    assert outs(clone.root / "dvc.lock") == outs(BEFORE / "dvc.lock")
    assert len(outs(BEFORE / "dvc.lock")) == 12
