import json
from dataclasses import astuple
from pathlib import Path

import pytest

from tests.made_up.benchmark_rows import write_benchmarks
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.records.handovers import BENCHMARKS
from tuneproof.results.details.model import Details, read_all_details
from tuneproof.results.report.sections.benchmarks import LONGEST_CHARACTERS, MOST_ITEMS, lost_items, task_rows
from tuneproof.results.words.notes import benchmark_note
from tuneproof.settings.reading import load_params

SHARES = {"sft": 0.55, "dpo": 0.35, "baseline": 0.5}


@pytest.fixture
def reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Details]:
    """A made-up run with benchmarks, aggregated and reported, in the folder that the test works in."""
    write_run(tmp_path, Shape(questions=40))
    write_benchmarks(tmp_path, SHARES, text=f"{HOSTILE_TEXTS[0]}{'x' * 2 * LONGEST_CHARACTERS}")
    monkeypatch.chdir(tmp_path)
    for script in ("aggregate.py", "report.py"):
        done = run_here(tmp_path, script)
        assert done.returncode == 0, done.stderr
    return read_all_details(load_params())


def test_guards_stand_first_and_say_whether_they_hold(reported: list[Details]) -> None:
    rows = task_rows(reported)
    assert [(row.name, row.role, row.items) for row in rows] == [("gsm8k", "guard", 120), ("mmlu", "shown", 100)]
    assert [verdict for *_, verdict in rows[0].cells] == ["guard holds", "guard broken", ""]


def test_the_items_that_a_model_lost_are_counted_and_some_are_shown(reported: list[Details]) -> None:
    lost = next(one for one in lost_items(reported) if (one.model, one.task) == ("dpo", "gsm8k"))
    metric = reported[1].benchmarks["gsm8k"].metric
    rows = [row for row in BENCHMARKS.read("baseline") if row.criterion == "gsm8k"]
    right = sum((row.scores[metric] or 0) > 0 for row in rows)
    assert len(lost.items) == MOST_ITEMS < lost.count < lost.of_items == right
    assert all(len(text) <= LONGEST_CHARACTERS + 1 for item in lost.items for text in astuple(item))


def test_of_a_lost_item_stands_what_tells_it_apart_and_the_whole_prompt_is_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, Shape(questions=40))
    write_benchmarks(tmp_path, SHARES, text="\n\n### Response:\n")
    for model in SHARES:  # the two tasks of the group have other instructions
        path = tmp_path / BENCHMARKS.path(model)
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            row["question"] = f"Answer in {row['task']}.\n\n### Instruction:\n{row['question']}"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    for script in ("aggregate.py", "report.py"):
        assert run_here(tmp_path, script).returncode == 0
    items = [item for lost in lost_items(read_all_details(load_params())) for item in lost.items]
    assert {item.prompt.split("### Instruction:\n")[1].split("\n")[0].strip() for item in items} == {
        item.told for item in items
    }
    assert {item.told.split()[-1] for item in items} == {"gsm8k?", "mmlu_anatomy?", "mmlu_virology?"}
    page = (tmp_path / "report/index.html").read_text()
    assert page.count("<summary>Whole prompt</summary>") == len(items)
    assert f"<bdi>{items[0].told}</bdi>" in page


def test_the_page_escapes_what_models_and_datasets_wrote(reported: list[Details], tmp_path: Path) -> None:
    page = (tmp_path / "report/index.html").read_text()
    assert 'id="benchmarks"' in page
    assert HOSTILE_TEXTS[0] not in page


def test_terminal_and_summary_have_one_line_of_them(reported: list[Details], tmp_path: Path) -> None:
    said = benchmark_note(reported)
    assert said.startswith("Benchmarks (2 tasks, 220 items, each interval alone): sft undecided; dpo worse in")
    assert said in (tmp_path / "report/summary.md").read_text()
    assert reported[1].decision and reported[1].decision.guards["gsm8k"].outcome == "dropped"


def test_metrics_hold_what_the_plan_names_and_details_the_rest(reported: list[Details], tmp_path: Path) -> None:
    text = (tmp_path / "metrics/dpo.json").read_text()
    assert "gsm8k" in text and "mmlu" not in text
    assert reported[1].benchmarks["mmlu"].weights == "items"
    assert reported[1].criteria["mmlu"].paired == 100
    assert reported[1].criteria["mmlu"].missing is None
