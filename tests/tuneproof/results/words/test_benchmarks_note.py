"""What a reader is told of a benchmark beside its figures."""

from pathlib import Path

import pytest

from tests.made_up.aggregated_run import aggregate, details
from tests.made_up.run import Shape, finished, write_run
from tuneproof.common.files import write_text
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary, TaskSummary
from tuneproof.records.files import record_text, write_rows
from tuneproof.records.handovers import BENCHMARKS, benchmark_summary
from tuneproof.records.rows import Benchmark
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.programs import benchmarks_note, beside_chance

ONE = TaskSummary(
    task="best_answer", metric="acc_norm", mean=0.5, standard_error=0.1, items=40, weights="items",
    versions={"best_answer": "1.0"}, num_fewshot={"best_answer": 0}, chance=0.25, contents={"best_answer": "0" * 64},
)  # fmt: skip


def with_the_demonstrations_task(directory: Path) -> None:
    """Every model was asked the task that comes with the project, and got every second item right."""
    for model in ("sft", "dpo", "baseline"):
        rows = [
            Benchmark(
                id=f"{number:016x}", criterion="best_answer", task="best_answer", task_version="1.0",
                scores={"acc_norm": float(number % 2)}, question="Why?", target="So.", response="So.",
            )
            for number in range(40)
        ]  # fmt: skip
        write_rows(directory / BENCHMARKS.path(model), rows)
        record = BenchmarkSummary(harness="lm_eval 0.4.13", tasks={"best_answer": ONE})
        write_text(directory / benchmark_summary(model).path, record_text(record))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDetails:
    directory = tmp_path_factory.mktemp("run")
    write_run(directory, Shape(questions=10, run="embedded"))
    with_the_demonstrations_task(directory)
    aggregate(directory)
    return details(directory, "sft").run


def test_the_demonstrations_task_is_said_where_benchmarks_stand_and_led_to_before(
    tmp_path: Path,
) -> None:
    page = finished(tmp_path, Shape(questions=10, run="embedded"), with_the_demonstrations_task)
    before, _, section = page.read_text(encoding="utf-8").split("<main>")[1].partition('<h2 id="benchmarks">')
    led = before.index('What a benchmark asks: <a href="#benchmarks">')
    assert led < before.index("best_answer"), "before it stands anywhere"
    said, chance = section.split("</p>")[:2]
    assert said.split('class="note">')[1].startswith("What benchmarks measure, item by item: best_answer: ")
    assert chance.endswith("Guessing gets 0.25 in best_answer: sft, dpo and baseline are above it.")
    assert "the best of them the highest probability for its length (best by the grades in accuracy and style" in said
    assert "together) (40 items, by acc_norm)" in said
    assert "acc_norm is the share of items answered right: of the choices the right one is the likeliest for" in said


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("exact_match,strict-match", " exact_match is the share of items answered right: "),
        ("-bits_per_byte", " bits_per_byte is how many bits a byte of the text takes; less is better"),
        ("my_metric", ""),
    ],
)
def test_of_another_task_its_name_stands_and_what_is_known_of_its_metric(
    run: RunDetails, metric: str, said: str
) -> None:
    task = ONE.model_copy(update={"task": "gsm8k", "metric": metric})
    note = benchmarks_note(run, {"maths": task})
    begun, _, rest = note.partition(".")
    assert begun == f"What benchmarks measure, item by item: maths: 40 items, by {metric} of the task gsm8k"
    assert rest.startswith(said) and bool(rest) == bool(said)
    assert benchmarks_note(run, {}) == ""


def test_a_task_of_the_same_name_in_a_run_of_ones_own_is_not_taken_for_it(run: RunDetails) -> None:
    own = run.model_copy(update={"judge": run.judge.model_copy(update={"backend": "openai"})})
    assert "graded" in benchmarks_note(run, {"best_answer": ONE})
    assert "graded" not in benchmarks_note(own, {"best_answer": ONE})


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.3, 0.6, "above it"),
        (0.02, 0.2, "below it, so what it prefers is wrong more often than by chance"),
        (0.2, 0.5, "not shown to differ from it"),
    ],
)
def test_a_mean_is_held_against_guessing_by_its_interval(aggregated: Path, low: float, high: float, said: str) -> None:
    one = details(aggregated, "sft").criteria["style"].model_copy(update={"low": low, "high": high})
    assert beside_chance(one, 0.25) == said
