"""The downloads of the report's answer browser in Chromium: which answers the files hold, and what stands in them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import opened
from tests.made_up.run import Shape, finished
from tests.pipeline.answers_page import Question, all_questions, plain_page, saved, shown
from tuneproof.results.report.browser.texts import visible

FORMULAS = (
    '=HYPERLINK("http://127.0.0.1:9/")',
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    " =1+1",
    "\n@x",
    'plain, "text"',
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_page(tmp_path_factory.mktemp("plain"))


def records_of(page: Page) -> list[dict[str, Any]]:
    return [json.loads(line) for line in saved(page, "JSON Lines").splitlines()]


def orders_differ(pairs: list[dict[str, Any]]) -> bool:
    sides = [pair["preference"] for pair in pairs if pair["preference"] is not None]
    return len({(side > 0.5) - (side < 0.5) for side in sides}) > 1


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("status=unscored", lambda question, model: question["answers"][model][0]["scores"] is None),
        ("finish=length", lambda question, model: question["answers"][model][0]["finish"] == "length"),
        ("change=worse&criterion=accuracy", lambda question, model: (change(question, model, 0) or 0) < 0),
        ("show=orders", lambda question, model: orders_differ(question["pairs"][model])),
        ("slice=source:blog", lambda question, model: ["source", "blog"] in question["tags"]),
    ],
)
def test_without_a_chosen_model_the_files_hold_just_the_answers_that_the_filters_mean(
    browser: Browser, plain: Path, asked: str, meant: Callable[[Question, int], bool]
) -> None:
    with opened(browser, plain, f"#answers?{asked}") as watched:
        models = ["sft", "dpo", "baseline"]
        wanted = {
            (question["id"], name)
            for question in all_questions(watched.page)
            for model, name in enumerate(models)
            if meant(question, model)
        }
        records = records_of(watched.page)
        assert {(record["id"], record["model"]) for record in records} == wanted
        assert shown(watched.page) <= len(records) == len(wanted) < 3 * 120
        for kind in ("CSV", "JSON Lines"):
            assert watched.page.get_by_role("button", name=f"Download {len(wanted)} answers as {kind}").is_visible()
        assert not watched.said


def change(question: Question, model: int, criterion: int) -> float | None:
    ours, theirs = question["answers"][model][0]["scores"], question["answers"][2][0]["scores"]
    return ours[criterion] - theirs[criterion] if ours and theirs else None


@pytest.mark.exhaustive
def test_the_rows_that_the_filters_leave_can_be_taken_away(browser: Browser, plain: Path) -> None:
    with opened(browser, plain, "#answers?model=sft&criterion=accuracy&change=worse") as watched:
        questions = {one["id"]: one for one in all_questions(watched.page)}
        records = records_of(watched.page)
        table = list(csv.DictReader(saved(watched.page, "CSV").splitlines(keepends=True)))
        assert len(records) == len(table) == shown(watched.page)
        for record, row in zip(records, table, strict=True):
            answer = questions[record["id"]]["answers"][0][0]
            assert (record["model"], row["model"]) == ("sft", "sft")
            assert record["answer"] == answer["text"]
            assert row["answer"] == answer["text"]
            assert record["scores"]["accuracy"] == float(row["scores: accuracy"]) == answer["scores"][0]
            assert (
                record["question_changes"]["accuracy"]
                == float(row["question_changes: accuracy"])
                == change(questions[record["id"]], 0, 0)
            )
            assert record["reasons"]["accuracy"] == answer["judges"][0]["analyses"][0]
            assert record["tags"]["source"] == row["tags: source"]
        assert not watched.said


@pytest.mark.exhaustive
def test_no_cell_of_a_table_is_a_formula(browser: Browser, tmp_path: Path) -> None:
    path = finished(tmp_path, Shape(questions=30, hostile=FORMULAS))
    with opened(browser, path) as watched:
        records = records_of(watched.page)
        heads, *rows = csv.reader(saved(watched.page, "CSV").splitlines(keepends=True))
    assert {record["answer"] for record in records} == {visible(text) for text in FORMULAS}
    numbers = {at for at, head in enumerate(heads) if head.startswith(("question_changes: ", "scores: "))}
    texts = [cell for row in [heads, *rows] for at, cell in enumerate(row) if at not in numbers]
    assert not [cell for cell in texts if cell.strip()[:1] in {*"=+-@"} - {""} or cell[:1] in {"\t", "\r", "\n"}]
    assert "'-2+3" in texts
    assert 'plain, "text"' in texts
