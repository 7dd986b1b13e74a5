"""What admission costs the pipeline: nothing where it is off, and its own stage where it is on."""

import json
from pathlib import Path

import pytest

from tests.made_up.golden import at_random, golden_rows, good
from tests.pipeline.pipeline import RECORDED, Clone
from tests.servers.openai.server import OpenAIServer

pytestmark = pytest.mark.exhaustive

JUDGED = {f"{stage}@{model}" for stage in ("judge", "compare") for model in RECORDED}


def test_the_judge_scores_again_only_where_admission_found_something_else(tmp_path: Path) -> None:
    with OpenAIServer(scorer=good()) as server:
        clone = Clone.of_this_repository(tmp_path / "clone")
        clone.use_recorded_models(server.base_url)
        clone.write_lines("golden.jsonl", golden_rows())
        clone.dvc("repro")
        bought = server.counts.requests.total()
        params = clone.params()
        params["admission"]["limit"] = 50
        clone.write_params(params)
        assert clone.stages_run() == {"admit"}
        assert server.counts.requests.total() == bought
        params["admission"] |= {"questions": "golden.jsonl", "limit": 60}
        clone.write_params(params)
        assert clone.stages_run() >= {"admit", "aggregate", "report"} | JUDGED
        admission = server.counts.requests.total() - bought
        assert admission > 300
        assert "is admitted: weighted kappa" in clone.read("report/summary.md").decode()
        server.scorer = at_random()
        params["admission"]["round"] = 1
        clone.write_params(params)
        assert "it is not admitted: weighted kappa of accuracy" in clone.failing_dvc("repro")
        assert server.counts.requests.total() == bought + 2 * admission
        params["admission"]["on_failure"] = "warn"
        clone.write_params(params)
        clone.dvc("repro")
        assert server.counts.requests.total() == bought + 2 * admission
        page, summary = (clone.read(f"report/{name}").decode() for name in ("index.html", "summary.md"))
        for text in (page, summary):
            assert "is not admitted (missed: admission.weighted_kappa 0.4" in text
            assert "No verdict rests on this judge, which is no better than chance in accuracy beside golden" in text
        params["decision"] = {"improves": ["accuracy"]}
        clone.write_params(params)
        clone.dvc("repro")
        assert {json.loads(clone.read(f"metrics/{model}.json"))["ship"] for model in RECORDED[:2]} == {"not yet"}
