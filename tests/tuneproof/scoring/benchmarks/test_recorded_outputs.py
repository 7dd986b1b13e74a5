"""The harness's filters and metrics, as the stage uses them, give recorded outputs their recorded verdicts."""

import json
from pathlib import Path

import pytest

from tests.made_up.recorded_outputs import evaluate_recorded, write_bbh, write_gsm8k

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def test_outputs_to_big_bench_hard_get_the_verdicts_of_their_authors(tmp_path: Path) -> None:
    """An output is right where what stands after `the answer is`, or all of it, is the target."""
    outputs = write_bbh(tmp_path, RECORDED / "bbh.jsonl")
    found = evaluate_recorded(outputs, tmp_path / "ledger.sqlite")
    assert sorted(found.summary.tasks) == sorted(outputs)
    for name, summary in found.summary.tasks.items():
        assert (summary.items, summary.mean) == (8, 5 / 8), name
    rows = [json.loads(line) for line in (RECORDED / "bbh.jsonl").read_text().splitlines()[1:]]
    wanted = {row["prediction"]: row["prediction"].rstrip(".").endswith(row["target"]) for row in rows}
    assert {row.response: bool(row.scores[found.summary.tasks[row.criterion].metric]) for row in found.rows} == wanted


def test_solutions_of_grade_school_math_are_right_where_their_authors_say_so(tmp_path: Path) -> None:
    outputs, right = write_gsm8k(tmp_path, RECORDED / "gsm8k.jsonl")
    found = evaluate_recorded(outputs, tmp_path / "ledger.sqlite")
    assert found.summary.tasks["recorded_gsm8k"].metric == "exact_match,strict-match"
    assert len(found.rows) == len(right) and 0 < sum(right.values()) < len(right)
    by_question = {row.question.removeprefix("Question: ").removesuffix("\nAnswer:"): row for row in found.rows}
    assert {question: bool(row.scores["exact_match,strict-match"]) for question, row in by_question.items()} == right
