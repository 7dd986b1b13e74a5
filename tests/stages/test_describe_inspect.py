"""`describe.py --inspect`: the run as logs of Inspect, read by inspect_ai itself in the environment that has it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import describe
from tests.made_up.finished_run import FinishedRun
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.run import Shape
from tests.made_up.run import finished as finished_project
from tests.running import run_here
from tuneproof.records.rows import Answer, Message, Question
from tuneproof.results.publishing.inspect_logs import messages_before

REAL = os.environ.get("TUNEPROOF_LIGHTEVAL_PYTHON")  # lighteval brings inspect_ai along
READ = """
import json, sys
from inspect_ai.log import list_eval_logs, read_eval_log
logs = [read_eval_log(one) for one in list_eval_logs("report/inspect")]
print(json.dumps({log.eval.model: {
    "status": log.status, "samples": len(log.samples), "inputs": [str(one.input) for one in log.samples],
    "means": {score.name: score.metrics["mean"].value for score in log.results.scores},
    "scored": {score.name: score.scored_samples for score in log.results.scores},
} for log in logs}))
"""


def logs(folder: Path = Path()) -> dict[str, dict[str, Any]]:
    """What was written, by model."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "report/inspect").iterdir()]
    return {document["eval"]["model"]: document for document in documents}


def test_each_model_is_a_log_with_every_answer_and_no_score_that_was_not_given(
    finished: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished.write()
    monkeypatch.setattr(sys, "argv", ["describe.py", "--inspect"])
    describe.main()
    describe.main()  # a second time leaves no log of the first
    written = logs()
    assert set(written) == {f"tuneproof/{key}" for key in finished.ids}
    log = written["tuneproof/sft"]
    assert log["results"]["total_samples"] == len(log["samples"]) == 4
    first, *_, last = log["samples"]
    assert first["input"] == "Question 0?" and first["output"]["completion"] == "sft says 0"
    unscored = [one for one in log["samples"] if "accuracy" not in one["scores"]]
    assert len(unscored) == 1 and unscored[0]["metadata"]["status"] != "ok"
    accuracy = next(one for one in log["results"]["scores"] if one["name"] == "accuracy")
    assert (accuracy["scored_samples"], accuracy["unscored_samples"]) == (3, 1)
    assert last["target"] == ""


def test_a_turn_of_a_conversation_comes_after_the_models_own_answers() -> None:
    question = Question(
        id="q", instruction="One?", reference=None, turns=["One?", "Two?"], references=[None, None],
        history=[Message(role="system", content="Be brief.")],
    )  # fmt: skip
    answer = Answer(
        id="q", sample=0, prompt="", answer="2", finish_reason="stop", error=None, prompt_tokens=1, answer_tokens=1,
        key="0" * 64, turn=1,
    )  # fmt: skip
    shown = [message["content"] for message in messages_before(question, answer, {("q", 0, 0): "1"})]
    assert shown == ["Be brief.", "One?", "1", "Two?"]


@pytest.mark.exhaustive
@pytest.mark.skipif(not REAL, reason="TUNEPROOF_LIGHTEVAL_PYTHON names no environment with inspect_ai")
def test_inspect_lists_reads_and_bundles_the_logs(tmp_path: Path) -> None:
    project = finished_project(tmp_path, Shape(questions=60, hostile=HOSTILE_TEXTS, unusable=0.2)).parent.parent
    done = run_here(project, "describe.py", "--inspect")
    assert done.returncode == 0, done.stderr
    assert REAL
    read = subprocess.run([REAL, "-c", READ], cwd=project, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    found, written = json.loads(read.stdout), logs(project)
    assert set(found) == set(written)
    for model, said in found.items():
        assert (said["status"], said["samples"]) == ("success", len(written[model]["samples"]))
        of_log = {one["name"]: one for one in written[model]["results"]["scores"]}
        assert said["means"] == {name: one["metrics"]["mean"]["value"] for name, one in of_log.items()}
        assert said["scored"] == {name: one["scored_samples"] for name, one in of_log.items()}
    bundle = [REAL, "-m", "inspect_ai", "view", "bundle", "--log-dir", "report/inspect", "--output-dir", "bundle"]
    done_bundle = subprocess.run(bundle, cwd=project, capture_output=True, text=True, check=False)
    assert done_bundle.returncode == 0, done_bundle.stderr
    assert (project / "bundle/index.html").is_file()
    assert len(list((project / "bundle/logs").glob("*_tuneproof_*.json"))) == len(written)
