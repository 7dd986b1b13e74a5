"""What is kept of the harness's own results is what its tracker writes into the file that leaderboards read."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.recorded_outputs import evaluate_recorded, write_gsm8k

RECORDED = Path(__file__).parent / "recorded"
OF_THE_MACHINE = {  # and of the run, which describe.py adds
    "config", "git_hash", "date", "pretty_env_info", "transformers_version", "lm_eval_version", "upper_git_hash",
    "tokenizer_pad_token", "tokenizer_eos_token", "tokenizer_bos_token", "eot_token_id", "max_length", "model_source",
    "model_name", "model_name_sanitized", "system_instruction", "system_instruction_sha", "fewshot_as_multiturn",
    "chat_template", "chat_template_sha", "total_evaluation_time_seconds",
}  # fmt: skip


def what_the_tracker_writes(root: Path, outputs: dict[str, str]) -> dict[str, Any]:
    """The harness's results file for the same outputs."""
    import lm_eval
    from lm_eval.api.model import LM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    class Recorded(LM):  # type: ignore[misc]  # the harness has no types
        def generate_until(self, requests: Any) -> list[str]:
            return [outputs[request.doc["question"]] for request in requests]

        def loglikelihood(self, requests: Any) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    tracker = EvaluationTracker(output_path=str(root / "out"))
    found: Any = lm_eval.simple_evaluate(
        model=Recorded(), tasks=["tasks/recorded_gsm8k.yaml"], task_manager=TaskManager(include_defaults=False),
        bootstrap_iters=1, evaluation_tracker=tracker, log_samples=True,
    )  # fmt: skip
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    (path,) = (root / "out").rglob("results_*.json")
    document: dict[str, Any] = json.loads(path.read_text())
    for config in document["configs"].values():
        assert str(root) in config["metadata"].pop("config_source")  # a path of this machine, which is not kept
    return document


def test_the_kept_document_is_the_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    outputs, _ = write_gsm8k(tmp_path, RECORDED / "gsm8k.jsonl")
    kept = evaluate_recorded(outputs, tmp_path / "ledger.sqlite").summary.documents["recorded_gsm8k"]
    written = what_the_tracker_writes(tmp_path, outputs["recorded_gsm8k"])
    assert set(written) - OF_THE_MACHINE == set(kept)
    for part, tasks in kept.items():
        for task, value in tasks.items():
            for name in value if isinstance(value, dict) else ():
                assert value[name] == written[part][task][name], (part, name)
            assert value == written[part][task], part
