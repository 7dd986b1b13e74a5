"""How well texts are predicted: rolling tasks of the harness, and the test set's own references."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Project
from tests.made_up.benchmark_tasks import write_choice, write_task
from tests.made_up.finished_run import FinishedRun
from tests.stages.test_benchmark import SFT, plain_harness, rows_of, summary, with_models
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary
from tuneproof.records.rows import Benchmark
from tuneproof.results.details.model import read_details
from tuneproof.scoring.benchmarks import likelihoods

MINUS = "-bits_per_byte"
ROLLING = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: tasks/{name}.jsonl}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: text
metric_list: [{{metric: word_perplexity}}, {{metric: byte_perplexity}}, {{metric: bits_per_byte}}]
metadata: {{version: 1.0}}
"""
TEXTS = ("A tokenizer cuts text into pieces.", "Ü is two bytes in UTF-8, and one character.", "Loss falls, then rises.")


def with_rolling(project: Project, **settings: Any) -> Project:
    write_task(project.root, "texts", ROLLING.format(name="texts"), [{"text": text} for text in TEXTS])
    return with_models(project, texts={"path": "tasks/texts.yaml"} | settings)


def with_references(project: Project, questions: int, **settings: Any) -> Project:
    """A project that asks how well references of the embedded world are predicted; the last question has none."""
    with_models(project, reference_likelihood=settings)
    rows = [json.loads(line) for line in (ROOT / "data/embedded/questions.jsonl").read_text().splitlines()[:questions]]
    asked = [{"instruction": row["instruction"], "output": row["reference"]} for row in rows]
    asked.append({"instruction": "What is left?", "output": None})
    (project.root / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    return project


def test_a_rolling_task_counts_as_the_negative_of_its_bits_per_byte(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_rolling(project, metric=MINUS)
    project.run_ok("benchmark.py", "sft")
    plain = plain_harness(project.root, monkeypatch, "tasks/texts.yaml")
    rows = rows_of(project)
    for row, sample in zip(rows, plain["samples"]["texts"], strict=True):
        likelihood, size = sample["bits_per_byte"]
        assert size == len(row.target.encode())
        assert row.scores["bits_per_byte"] == pytest.approx(-likelihood / size / math.log(2))
        assert row.scores[MINUS] == -(row.scores["bits_per_byte"] or 0)
        assert row.scores["byte_perplexity"] == pytest.approx(2 ** (row.scores["bits_per_byte"] or 0))
    found = summary(project)["texts"]
    assert (found.metric, found.weights) == (MINUS, "bytes")
    assert found.mean == pytest.approx(-plain["results"]["texts"]["bits_per_byte,none"])


@pytest.mark.parametrize(
    ("metric", "line"),
    [
        ("bits_per_byte", "less is better in bits_per_byte; set metric: -bits_per_byte, so that more is"),
        (None, "word_perplexity is no mean over items; set metric: -bits_per_byte"),
    ],
)
def test_a_metric_of_which_less_is_better_needs_its_minus(project: Project, metric: str | None, line: str) -> None:
    with_rolling(project, metric=metric)
    assert line in project.error_line("benchmark.py", "sft")


def test_a_minus_before_a_metric_of_which_more_is_better_is_refused(project: Project) -> None:
    write_choice(project.root, 2)
    with_models(project, choice={"path": "tasks/choice.yaml", "metric": "-acc"})
    assert "more is better in acc; set metric: acc, without the minus" in project.error_line("benchmark.py", "sft")


def test_references_are_predicted_after_the_prompt_that_the_model_is_asked_with(project: Project) -> None:
    with_references(project, 5)
    said = project.run_ok("benchmark.py", "sft")
    assert "which is no measure of helpfulness" in said
    assert "5 requests were answered" in said
    questions = [json.loads(line) for line in (project.root / "data/questions.jsonl").read_text().splitlines()]
    rows = rows_of(project)
    assert [row.id for row in rows] == [question["id"] for question in questions if question["reference"]]
    for row in rows:
        wanted = bits_of(project.root / SFT, row.question, row.target)
        assert row.scores["bits_per_byte"] == pytest.approx(wanted, rel=1e-4)
    found = summary(project)["reference_likelihood"]
    assert found.mean == pytest.approx(sum(row.scores[MINUS] or 0 for row in rows) / 5)
    assert "0 requests were answered, 5 were in the ledger" in project.run_ok("benchmark.py", "sft")


def bits_of(folder: Path, question: str, reference: str) -> float:
    """The same with the model's library alone."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tuneproof.generation.conversations.prompts import alpaca_prompt

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    prompt = [tokenizer.bos_token_id, *tokenizer(alpaca_prompt(question), add_special_tokens=False)["input_ids"]]
    answer = tokenizer(reference, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        likelihoods = torch.log_softmax(model(torch.tensor([prompt + answer])).logits[0], dim=-1)
    total = sum(float(likelihoods[len(prompt) + place - 1, token]) for place, token in enumerate(answer))
    return -total / len(reference.encode()) / math.log(2)


def test_without_references_one_line_says_so(project: Project) -> None:
    with_references(project, 0)
    assert "no question has a reference answer" in project.error_line("benchmark.py", "sft")


def test_fewer_bits_are_a_gain(finished: FinishedRun) -> None:
    params = yaml.safe_load((finished.root / "params.yaml").read_text())
    name, bits = "reference_likelihood", {"sft": 1.0, "dpo": 3.0, "baseline": 2.0}
    finished.put("params.yaml", yaml.safe_dump(params | {"benchmark": {"tasks": {name: {}}}}))
    for model, each in bits.items():
        rows = [
            Benchmark(
                id=f"q{number}", criterion=name, task=name, task_version="1", question="", target="", response="",
                scores={"bits_per_byte": each + number / 100, MINUS: -each - number / 100},
            )
            for number in range(4)
        ]  # fmt: skip
        said = BenchmarkSummary(harness="lm_eval 0.4.13", tasks={name: likelihoods.summary_of(name, rows)})
        finished.put_rows(f"data/benchmarks/{model}.jsonl", [row.model_dump() for row in rows])
        finished.put_json(f"data/benchmarks/{model}.json", said.model_dump())
    finished.aggregate()
    found = {model: read_details(Path(f"data/details/{model}.json")).criteria[name] for model in ("sft", "dpo")}
    assert [one.gain for one in found.values()] == [1.0, -1.0]
    assert found["sft"].mean == pytest.approx(-1.015)


def test_the_range_of_a_negative_is_its_own() -> None:
    from tuneproof.settings.evidence.benchmarks import Benchmarks

    tasks = {"reference_likelihood": {}, "wikitext": {"metric": MINUS}, "gsm8k": {}, "mine": {"range": [-2, 0]}}
    assert Benchmarks.model_validate({"tasks": tasks}).ranges == {
        "reference_likelihood": (-16, 0), "wikitext": (-16, 0), "gsm8k": (0, 1), "mine": (-2, 0),
    }  # fmt: skip


def test_doctests() -> None:
    import doctest

    assert doctest.testmod(likelihoods).failed == 0


def test_a_reference_that_the_model_cannot_read_whole_is_one_clear_line(project: Project) -> None:
    with_references(project, 2)
    path = project.root / "data/questions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row | {"reference": "river " * 900}) + "\n" for row in rows))
    line = project.error_line("benchmark.py", "sft")
    assert " tokens, and the model takes 512; leave the task out, or shorten the reference" in line
