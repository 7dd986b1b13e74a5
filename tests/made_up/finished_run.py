"""A finished run in a folder, for tests of what is made of results."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import aggregate
from tuneproof.settings.worlds import EMBEDDED_CHECKS

SHA = "c" * 40
CRITERIA = {
    "accuracy": {"question": "Is it right?", "scale": {1: "Wrong.", 2: "Partly.", 3: "Right."}},
    "style": {"question": "Is it simple?", "scale": {1: "No.", 2: "Partly.", 3: "Yes."}},
}


@dataclass
class FinishedRun:
    """A finished run of three models on four questions, one of whose answers could not be judged."""

    root: Path
    ids: dict[str, str] = field(
        default_factory=lambda: {"sft": "lab/Llama-SFT", "dpo": "lab/Llama-DPO", "baseline": "meta/Llama-Instruct"}
    )
    run: str = "real"
    tasks: dict[str, Any] = field(default_factory=dict)  # gsm8k is the one that has rows here

    def write(self, **publish_settings: Any) -> None:
        params = {
            "dummy": False, "embedded": False, "baseline": "baseline", "questions": {"dataset": "lab/data"},
            "models": {key: {"id": model, "prompt": "chat"} for key, model in self.ids.items()},
            "judge": {"criteria": CRITERIA}, "compare": {"enabled": False, "criteria": "The better one."},
            "decision": {"min_questions": 2}, "benchmark": {"tasks": self.tasks},
            "publish": {"enabled": True, "workspace": "me", "private": True} | publish_settings,
        }  # fmt: skip
        self.put("params.yaml", yaml.safe_dump(params, sort_keys=False))
        self.put_rows("data/questions.jsonl", [
            {"id": f"q{n}", "instruction": f"Question {n}?", "reference": None if n == 3 else f"Ü {n}", "tags": {}}
            for n in range(4)
        ])  # fmt: skip
        source = {"requested": "lab/data", "id": "lab/data", "sha": SHA, "content": "d" * 64}
        self.put_json("data/resolved/questions.json", source | {"run": self.run, "rows": 4, "rows_sha256": "e" * 64})
        judges = [{"model": "gpt-4o-mini", "endpoint": "openai"}]
        self.put_json("data/resolved/judge.json", {"run": self.run, "backend": "openai", "judges": judges})
        for key in self.ids:
            self.write_model(key)
        self.aggregate()

    def write_model(self, key: str) -> None:
        resolved = {
            "model": key,
            "run": self.run,
            "dummy": False,
            "embedded": False,
            "engine": "vllm",
            "prompt": "chat",
        }
        identity = {"requested": self.ids[key], "id": self.ids[key], "sha": SHA, "content": "f" * 64}
        self.put_json(f"data/resolved/{key}.json", resolved | identity)
        self.put_rows(f"data/answers/{key}.jsonl", [
            {"id": f"q{n}", "sample": 0, "prompt": f"### {n}", "answer": f"{key} says {n}", "finish_reason": "stop",
             "error": None, "prompt_tokens": 5, "answer_tokens": n, "key": f"{n}" * 64}
            for n in range(4)
        ])  # fmt: skip
        self.put_rows(f"data/judgements/{key}.jsonl", [self.judgement(n) for n in range(4)])
        scores = dict.fromkeys(EMBEDDED_CHECKS.ranges, 1.0)  # a run that is not embedded has none of these criteria
        self.put_rows(f"data/checks/{key}.jsonl", [
            {"id": f"q{n}", "sample": 0, "status": "ok", "scores": scores, "reasons": {}} for n in range(4)
        ])  # fmt: skip

        self.put_rows(f"data/benchmarks/{key}.jsonl", [
            {"id": f"{n}" * 16, "criterion": "gsm8k", "task": "gsm8k", "task_version": "3.0",
             "scores": {"exact_match,strict-match": float(n < 2), "exact_match,flexible-extract": 1.0},
             "question": f"Question: {n}?\nAnswer:", "target": f"#### {n}", "response": f"It is {n}. #### {n}"}
            for n in range(4) if self.tasks
        ])  # fmt: skip
        self.put_json(f"data/benchmarks/{key}.json", self.benchmark_summary())

    def benchmark_summary(self) -> dict[str, Any]:
        if not self.tasks:
            return {"harness": "", "tasks": {}, "left_out": "not installed"}
        said = {"alias": "gsm8k", "exact_match,strict-match": 0.5, "exact_match_stderr,strict-match": 0.2886}
        document = {
            "results": {"gsm8k": said}, "group_subtasks": {"gsm8k": []}, "versions": {"gsm8k": 3.0},
            "configs": {"gsm8k": {"task": "gsm8k", "dataset_path": "openai/gsm8k", "dataset_name": "main"}},
            "n-shot": {"gsm8k": 5}, "higher_is_better": {"gsm8k": {"exact_match": True}},
            "n-samples": {"gsm8k": {"original": 1319, "effective": 4}}, "task_hashes": {"gsm8k": "b" * 64},
        }  # fmt: skip
        summary = {
            "task": "gsm8k", "metric": "exact_match,strict-match", "mean": 0.5, "standard_error": 0.2886, "items": 4,
            "weights": "items", "versions": {"gsm8k": "3.0"}, "num_fewshot": {"gsm8k": 5},
        }  # fmt: skip
        return {"harness": "lm_eval 0.4.13", "tasks": {"gsm8k": summary}, "documents": {"gsm8k": document}}

    def judgement(self, number: int, accuracy: float | None = 3) -> dict[str, Any]:
        scored = number != 2
        reply = {"judge": "gpt-4o-mini", "model": None, "attempt": 1, "probabilities": None, "error": None,
                 "prompt_tokens": 9, "reply_tokens": 9, "key": "a" * 64}  # fmt: skip
        scores = {"accuracy": accuracy, "style": 1} if scored else None
        analyses = {"accuracy": "true", "style": "stiff | dry"} if scored else None
        status, text = ("ok", None) if scored else ("unreadable", "<script>no JSON")
        replies = [reply | {"status": status, "scores": scores, "analyses": analyses, "reply": text}]
        row = {"id": f"q{number}", "sample": 0, "status": status, "scores": scores, "analyses": analyses}
        return row | {"answer_cut": False, "replies": replies}

    def change_a_score(self, key: str, score: float) -> None:
        rows = [self.judgement(n) for n in range(4)]
        rows[0]["scores"]["accuracy"] = score
        self.put_rows(f"data/judgements/{key}.jsonl", rows)
        self.aggregate()

    def aggregate(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["aggregate.py"])
            aggregate.main()

    def put(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def put_json(self, path: str, value: object) -> None:
        self.put(path, json.dumps(value))

    def put_rows(self, path: str, rows: list[dict[str, Any]]) -> None:
        self.put(path, "".join(json.dumps(row) + "\n" for row in rows))

    def published(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.root / "data/published.json").read_text())
        return document


def finished_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    """Makes the run and enters its folder, as a user in her own shell would."""
    root.mkdir()
    monkeypatch.chdir(root)
    for name in ("DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    made = FinishedRun(root)
    made.write()
    return made
