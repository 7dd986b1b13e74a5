"""The documented presets, task by task, from a local Hub whose datasets have a few rows in the real schemas."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Project
from tests.made_up.benchmark_datasets import INSTRUCTIONS, add_datasets, use_datasets
from tests.servers.hub.server import HubServer
from tests.stages.test_benchmark import BASE, SFT, rows_of, summary, with_models
from tuneproof.records.handovers import BENCHMARKS
from tuneproof.records.rows import Benchmark

LIMIT = 2
CONTEXT_TOKENS = 4096
ENDS = list(range(2, 2000, 3))
PRESETS = [
    yaml.safe_load(block)["benchmark"]["tasks"]
    for block in re.findall(r"^# (?:quick|full).*\n(benchmark: .*)$", (ROOT / "docs/benchmarks.md").read_text(), re.M)
]
TASKS: dict[str, dict[str, Any]] = {name: one for preset in PRESETS for name, one in preset.items()}
PARTS = {"mmlu": 57, "bbh": 27}


@pytest.fixture
def prepared(project: Project, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """A project whose small models take long prompts, and the Hub with the presets' datasets; nothing else is there.

    One token in three ends an answer, or the 27 tasks of bbh would take minutes to write what nobody reads.
    """
    use_datasets(hub_server, monkeypatch, tmp_path / "datasets")
    add_datasets(hub_server)
    for model in (SFT, BASE):
        for name, settings in (
            ("config.json", {"max_position_embeddings": CONTEXT_TOKENS, "eos_token_id": ENDS}),
            ("tokenizer_config.json", {"model_max_length": CONTEXT_TOKENS}),
        ):
            path = project.root / model / name
            path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return project


def test_the_documentation_has_both_presets() -> None:
    assert len(PRESETS) == 2
    assert set(TASKS) == {"gsm8k", "mmlu", "truthfulqa_mc1", "winogrande", "truthfulqa_mc2", "bbh", "ifeval"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", TASKS)
def test_a_task_of_the_presets_runs_from_the_hub(
    prepared: Project, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import nltk

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something is downloaded besides the dataset")

    monkeypatch.setattr(nltk, "download", refuse)
    limit = len(INSTRUCTIONS) if name == "ifeval" else LIMIT
    project = with_models(prepared, **{name: TASKS[name] | {"limit": limit}})
    said = project.run_ok("benchmark.py", "sft")
    assert re.search(r"[1-9]\d* requests were answered, 0 were in the ledger", said)
    rows, found = rows_of(project), summary(project)[name]
    assert len(rows) == found.items == limit * PARTS.get(name, 1)
    assert len({row.task for row in rows}) == PARTS.get(name, 1)
    assert all(row.question.strip() and row.scores[found.metric] is not None for row in rows)
    assert 0 <= found.mean <= 1
    pins = json.loads((project.root / "data/pins.json").read_text())["datasets"]
    assert len(pins) == 1  # one commit for all subsets, which is asked for once
    assert sum("/revision/main" in request.path for request in hub_server.requests) == 1
    written = (project.root / BENCHMARKS.path("sft")).read_bytes()
    assert "benchmark sft: 0 requests were answered" in project.run_ok("benchmark.py", "sft")
    assert (project.root / BENCHMARKS.path("sft")).read_bytes() == written
    if check := EXPECTED.get(name):
        check(project, rows)


def solved_examples(project: Project, rows: list[Benchmark]) -> None:
    """The examples come from the other split."""
    name = rows[0].criterion
    assert set(summary(project)[name].num_fewshot.values()) == {5}


def sentences(project: Project, rows: list[Benchmark]) -> None:
    """Both readings of the blank are shown, and which was right."""
    for row in rows:
        assert len(row.question.splitlines()) == 2
        assert row.target != row.response or row.scores["acc"] == 1
        assert row.target in row.question and row.response in row.question
    solved_examples(project, rows)


EXPECTED: dict[str, Callable[[Project, list[Benchmark]], None]] = {
    "mmlu": solved_examples,
    "gsm8k": solved_examples,
    "winogrande": sentences,
}


@pytest.mark.exhaustive
def test_a_task_that_wants_more_than_a_model_takes_is_one_line(
    project: Project, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_datasets(hub_server, monkeypatch, tmp_path / "datasets")
    add_datasets(hub_server)
    with_models(project, ifeval=TASKS["ifeval"] | {"limit": LIMIT})
    line = project.error_line("benchmark.py", "sft")
    assert "a task wants 1280 tokens, and the model takes 512" in line
