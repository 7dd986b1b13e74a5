import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Project
from tests.made_up.benchmark_tasks import write_choice, write_generation, write_group
from tuneproof.common.errors import UserError
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary, TaskSummary
from tuneproof.records.handovers import BENCHMARKS, benchmark_summary
from tuneproof.records.rows import Benchmark
from tuneproof.results.analysis.benchmarks import read_benchmarks
from tuneproof.settings.reading import load_params

SFT, BASE = (f"data/embedded/models/{name}" for name in ("sft", "base"))


def with_models(project: Project, **tasks: Any) -> Project:
    """A validated project with two small models of transformers and these tasks."""
    models = {"sft": {"id": SFT, "prompt": "alpaca"}, "baseline": {"id": BASE, "prompt": "alpaca"}}
    project.set(generate__engine="transformers", models=models, benchmark={"tasks": tasks})
    (project.root / "questions.jsonl").write_text('{"instruction": "Why?", "output": "So."}\n')
    project.set(questions__dataset="questions.jsonl", generate__transformers__dtype="float32")
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    return project


def rows_of(project: Project, model: str = "sft") -> list[Benchmark]:
    return BENCHMARKS.read(model, project.root)


def summary(project: Project, model: str = "sft") -> dict[str, TaskSummary]:
    text = (project.root / benchmark_summary(model).path).read_bytes()
    return BenchmarkSummary.model_validate_json(text).tasks


def plain_harness(root: Path, monkeypatch: pytest.MonkeyPatch, path: str, **options: Any) -> dict[str, Any]:
    """What the harness itself finds, asked as its own command asks it."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    monkeypatch.chdir(root)
    arguments = {"pretrained": str(root / SFT), "dtype": "float32"}
    found: dict[str, Any] = lm_eval.simple_evaluate(
        model="hf", model_args=arguments, tasks=[path], task_manager=TaskManager(include_defaults=False),
        batch_size=16, device="cpu", **options,
    )  # fmt: skip
    return found


def test_without_tasks_there_is_an_empty_file_and_no_harness_is_loaded(project: Project) -> None:
    with_models(project)
    before = "lm_eval" in sys.modules
    assert "no tasks are set" in project.run_ok("benchmark.py", "sft")
    assert (project.root / BENCHMARKS.path("sft")).read_bytes() == b""
    assert ("lm_eval" in sys.modules) == before


def test_every_item_has_a_row_as_the_harness_itself_finds_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write_choice(project.root, 24)
    write_generation(project.root, 8)
    with_models(project, choice={"path": "tasks/choice.yaml"}, says={"path": "tasks/says.yaml"})
    said = project.run_ok("benchmark.py", "sft")
    assert "104 requests were answered, 0 were in the ledger" in said
    for name, metrics in (("choice", ("acc", "acc_norm")), ("says", ("exact_match",))):
        plain = plain_harness(project.root, monkeypatch, f"tasks/{name}.yaml")
        rows = [row for row in rows_of(project) if row.criterion == name]
        assert [row.id for row in rows] == [one["doc_hash"][:16] for one in plain["samples"][name]]
        for metric in metrics:
            assert [row.scores[metric] for row in rows] == [float(one[metric]) for one in plain["samples"][name]]
        assert summary(project)[name].mean == plain["results"][name][f"{metrics[0]},none"]
        assert summary(project)[name].standard_error == pytest.approx(
            plain["results"][name][f"{metrics[0]}_stderr,none"]
        )
    assert summary(project)["choice"].chance == 0.25, "of four words one is right"
    assert summary(project)["says"].chance is None, "no choice of one"
    generated = [row for row in rows_of(project) if row.criterion == "says"]
    assert [row.response for row in generated] == [one["resps"][0][0] for one in plain["samples"]["says"]]
    row = json.loads((project.root / BENCHMARKS.path("sft")).read_text().splitlines()[0])
    assert list(row) == ["id", "criterion", "task", "task_version", "scores", "question", "target", "response"]


def test_a_second_run_asks_nothing_loads_no_weights_and_writes_the_same_bytes(project: Project) -> None:
    write_choice(project.root, 6)
    with_models(project, choice={"path": "tasks/choice.yaml"})
    project.run_ok("benchmark.py", "sft")
    written = project.files()
    (project.root / SFT / "model.safetensors").rename(project.root / "away")
    said = project.run_ok("benchmark.py", "sft")
    (project.root / "away").rename(project.root / SFT / "model.safetensors")
    assert "0 requests were answered, 24 were in the ledger" in said
    assert project.files() == written
    assert "24 requests were answered, 0 were in the ledger" in project.run_ok("benchmark.py", "baseline")


def test_another_metric_and_an_unchanged_request_are_not_bought_again(project: Project) -> None:
    write_choice(project.root, 6)
    with_models(project, choice={"path": "tasks/choice.yaml", "limit": 4})
    project.run_ok("benchmark.py", "sft")
    assert len(rows_of(project)) == 4
    project.set(benchmark={"tasks": {"choice": {"path": "tasks/choice.yaml", "metric": "acc_norm"}}})
    assert "8 requests were answered, 16 were in the ledger" in project.run_ok("benchmark.py", "sft")
    assert summary(project)["choice"].metric == "acc_norm"


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_changed_filter_metric_or_function_asks_nothing_and_scores_anew(project: Project) -> None:
    write_generation(project.root, 12)
    with_models(project, says={"path": "tasks/says.yaml"})
    project.run_ok("benchmark.py", "sft")
    yaml, function = project.root / "tasks" / "says.yaml", project.root / "tasks" / "says.py"
    (project.root / SFT / "model.safetensors").rename(project.root / "away")  # nothing may need it

    def again() -> tuple[list[dict[str, Any]], str]:
        assert "0 requests were answered, 12 were in the ledger" in project.run_ok("benchmark.py", "sft")
        return [row.scores for row in rows_of(project)], summary(project)["says"].contents["says"]

    first, as_before = again()
    assert {score["exact_match"] for score in first} == {0.0, 1.0}
    changed(function, "float(doc", "1.0 - float(doc")
    turned, with_function = again()
    assert turned == [{"exact_match": 1 - score["exact_match"]} for score in first]
    filters = "filter_list: [{name: none, filter: [{function: lowercase}, {function: take_first}]}]\nmetric_list:"
    changed(yaml, "metric_list:", filters)
    _, with_filter = again()
    changed(yaml, "process_results: !function says.scores\n", "")
    plain, with_metric = again()
    assert plain == [{"exact_match": 0.0}] * 12
    assert len({as_before, with_function, with_filter, with_metric}) == 4
    changed(yaml, "### Response", "### Answer")
    (project.root / "away").rename(project.root / SFT / "model.safetensors")
    assert "12 requests were answered, 0 were in the ledger" in project.run_ok("benchmark.py", "sft")


def test_models_that_two_states_of_a_task_scored_are_not_compared(project: Project) -> None:
    write_generation(project.root, 4)
    with_models(project, says={"path": "tasks/says.yaml"})
    project.run_ok("benchmark.py", "baseline")
    changed(project.root / "tasks" / "says.py", "float(doc", "1.0 - float(doc")
    project.run_ok("benchmark.py", "sft")
    with pytest.MonkeyPatch.context() as here, pytest.raises(UserError, match="says was another one when the baseline"):
        here.chdir(project.root)
        read_benchmarks(load_params())


@pytest.mark.parametrize(("by_size", "weights"), [(True, "items"), (False, "tasks")])
def test_a_group_is_averaged_as_its_harness_averages_it(project: Project, by_size: bool, weights: str) -> None:
    write_group(project.root, 9, 4, by_size)
    with_models(project, both={"path": "tasks/both.yaml"})
    project.run_ok("benchmark.py", "sft")
    found, rows = summary(project)["both"], rows_of(project)
    assert (found.items, found.weights, set(found.versions)) == (13, weights, {"first", "second"})
    scores = [[row.scores["acc"] or 0 for row in rows if row.task == task] for task in ("first", "second")]
    means = [sum(one) / len(one) for one in scores]
    assert found.mean == pytest.approx(sum(map(sum, scores)) / 13 if by_size else sum(means) / 2)
    assert found.chance == 0.25


def test_the_embedded_world_says_what_is_left_out_without_the_harness(
    embedded_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    said = embedded_project.run_ok("benchmark.py", "sft")
    assert "left out, lm-eval is not installed" in said
    assert "requirements/benchmarks.txt" in said and "dvc repro --single-item --force benchmark" in said
    assert rows_of(embedded_project) == []


def test_a_run_of_your_own_stops_without_the_harness(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with_models(project, gsm8k={"limit": 2})
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    line = project.error_line("benchmark.py", "sft")
    assert line.startswith("error: benchmark: the package lm-eval is not installed; install it with `pip install")


@pytest.mark.exhaustive
def test_the_embedded_world_puts_its_models_to_a_small_task(embedded_project: Project) -> None:
    project = embedded_project
    for model in ("baseline", "dpo"):
        project.run_ok("benchmark.py", model)
    rows = {model: rows_of(project, model) for model in ("baseline", "dpo")}
    assert [row.id for row in rows["baseline"]] == [row.id for row in rows["dpo"]]
    right = {model: sum(row.scores["acc_norm"] or 0 for row in found) for model, found in rows.items()}
    assert right["dpo"] > right["baseline"] + 10


@pytest.mark.parametrize(
    ("change", "line"),
    [
        pytest.param(
            {"name": {"task": "no_such_task_at_all"}},
            "benchmark.tasks.name: the harness has no task 'no_such_task",
            marks=pytest.mark.exhaustive,  # it looks through thousands of tasks
        ),
        ({"name": {"path": "tasks/none.yaml"}}, "tasks/none.yaml: there is no such file"),
        ({"name": {"path": "tasks/choice.yaml", "metric": "bleu"}}, "it has no mean bleu; name one of acc, acc_norm"),
        ({"name": {"path": "tasks/choice.yaml", "metric": "acc,strict"}}, "it has no filter strict; name one of none"),
    ],
)
def test_a_task_that_cannot_be_asked_is_one_line(project: Project, change: dict[str, Any], line: str) -> None:
    write_choice(project.root, 4)
    with_models(project, **change)
    assert line in project.error_line("benchmark.py", "sft")
    assert not (project.root / BENCHMARKS.path("sft")).exists()


def test_recorded_answers_and_jobs_on_sagemaker_are_refused_in_one_line(project: Project) -> None:
    write_choice(project.root, 4)
    with_models(project, choice={"path": "tasks/choice.yaml"})
    project.set(execution__generate__run_on="sagemaker")
    assert "a job on SageMaker answers a benchmark through lm_eval and vLLM alone" in project.error_line(
        "benchmark.py", "sft"
    )
    models = project.params()["models"] | {"sft": {"engine": "recorded", "path": "answers.jsonl"}}
    (project.root / "answers.jsonl").write_text('{"instruction": "Why?", "answer": "So."}\n')
    project.set(execution__generate__run_on="local", models=models)
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    assert "a benchmark has nothing to ask" in project.error_line("benchmark.py", "sft")


def test_a_model_behind_a_chat_endpoint_is_refused_in_one_line(project: Project) -> None:
    write_choice(project.root, 4)
    with_models(project, choice={"path": "tasks/choice.yaml"})
    served = {"engine": "endpoint", "id": "served", "base_url": "http://127.0.0.1:9/v1", "prompt": "chat"}
    project.set(models=project.params()["models"] | {"sft": served})
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    assert "gives no log-probabilities of a prompt" in project.error_line("benchmark.py", "sft")


def test_the_stage_runs_again_when_a_task_changes() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert {"tasks", "data/embedded/benchmark"} <= set(stages["benchmark"]["do"]["deps"])
