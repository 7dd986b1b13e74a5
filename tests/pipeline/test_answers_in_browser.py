"""The report's answer browser in Chromium: what its address asks for, and what filters leave."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import opened
from tests.made_up.aggregated_run import write_small_changes
from tests.made_up.run import Shape, finished
from tests.pipeline.answers_page import Question, all_questions, plain_page, shown
from tests.running import run_here
from tuneproof.records.handovers import COMPARISONS


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_page(tmp_path_factory.mktemp("plain"))


def change(question: Question, model: int, criterion: int) -> float | None:
    ours, theirs = question["answers"][model][0]["scores"], question["answers"][2][0]["scores"]
    return ours[criterion] - theirs[criterion] if ours and theirs else None


def filters_of(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.eval_on_selector_all(
        "#filters select, #filters input",
        "all => Object.fromEntries(all.filter(one => one.value).map(one => [one.name, one.value]))",
    )
    return found


def test_a_link_sets_the_filters_and_the_order(browser: Browser, plain: Path) -> None:
    asked = {
        "model": "sft",
        "criterion": "accuracy",
        "change": "worse",
        "order": "loss:accuracy",
        "slice": "source:blog",
    }
    fragment = "#answers?" + "&".join(f"{name}={value}" for name, value in asked.items())
    with opened(browser, plain, fragment) as watched:
        questions = all_questions(watched.page)
        lost = [one for one in questions if (change(one, 0, 0) or 0) < 0 and ["source", "blog"] in one["tags"]]
        assert 0 < shown(watched.page) == len(lost) < len(questions)
        assert filters_of(watched.page) == asked
        expect(watched.page.get_by_role("heading", name="Answers", exact=True)).to_be_in_viewport()
        first = watched.page.locator("#questions > details").first.get_attribute("data-id")
        assert change(next(one for one in lost if one["id"] == first), 0, 0) == min(
            change(one, 0, 0) or 0 for one in lost
        )
        assert watched.is_quiet(), watched


def test_what_counts_as_worse_in_the_list_is_what_the_page_counts(browser: Browser, tmp_path: Path) -> None:
    write_small_changes(tmp_path)
    assert run_here(tmp_path, "report.py").returncode == 0
    with opened(browser, tmp_path / "report/index.html") as watched:
        watched.page.get_by_role("link", name="The 2 questions that got worse in accuracy or style").click()
        expect(watched.page.locator("#count")).to_contain_text("2 of 40 questions")
        assert watched.page.locator("#questions .figure.worse").count() == 2
        assert watched.page.locator("#questions .figure.better").count() == 1
        watched.page.get_by_label("Against baseline", exact=True).select_option("same")
        expect(watched.page.locator("#count")).to_contain_text("38 of 40 questions")
        assert watched.is_quiet(), watched


def test_a_preference_that_reads_as_one_half_is_a_tie_and_the_banner_of_a_phone_does_not_stay(
    browser: Browser, tmp_path: Path
) -> None:
    def hardly(directory: Path) -> None:
        path = directory / COMPARISONS.path("sft")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        rows[0] |= {"status": "ok", "preference": 0.504}
        rows[1] |= {"status": "ok", "preference": 0.7}
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    page = finished(tmp_path, Shape(questions=40, run="embedded"), hardly)
    first = json.loads((tmp_path / COMPARISONS.path("sft")).read_text().splitlines()[0])["id"]
    with opened(browser, page, f"#answers?question={first}", width=390) as watched:
        pairs = watched.page.locator("details[open] .pairs").first.inner_text()
        assert (
            "a tie when shown" in pairs
            and "preferred (the judge's probability that the answer of sft is better: 70%) when" in pairs
        )
        assert "50%" not in pairs
        assert watched.page.evaluate("getComputedStyle(document.querySelector('.banner')).position") == "static"
        assert (watched.page.locator(".banner").bounding_box() or {"height": 999})["height"] < 90


@pytest.mark.parametrize("width", [390, 1440])
def test_a_row_marks_answers_that_were_cut_off_refused_or_not_scored(browser: Browser, plain: Path, width: int) -> None:
    signs: dict[str, Callable[[Any], bool]] = {
        "cut off": lambda one: one["finish"] == "length",
        "failed": lambda one: one["finish"] == "error",
        "judge refused": lambda one: one["status"] == "refused",
        "not scored": lambda one: one["status"] in ("truncated", "unreadable"),
    }
    with opened(browser, plain, width=width) as watched:
        page, questions = watched.page, {one["id"]: one for one in all_questions(watched.page)}
        seen: set[str] = set()
        while True:
            for row in page.locator("#questions > details").all():
                question = questions[row.get_attribute("data-id") or ""]
                wanted = [[name for name, has in signs.items() if has(of[0])] for of in question["answers"]]
                chips = row.locator(".chip").all()
                assert [chip.locator(".sign").all_inner_texts() for chip in chips] == wanted
                seen |= {name for of in wanted for name in of}
            following = page.get_by_role("button", name="Next")
            if following.is_disabled():
                break
            following.click()
        assert seen == {*signs}
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert watched.is_quiet(), watched


@pytest.mark.exhaustive
@pytest.mark.parametrize("wanted", ["better", "worse", "same"])
def test_every_question_scored_in_both_is_better_worse_or_the_same(browser: Browser, plain: Path, wanted: str) -> None:
    signs: dict[str, Callable[[float], bool]] = {
        "better": lambda one: one > 0, "worse": lambda one: one < 0, "same": lambda one: one == 0,
    }  # fmt: skip
    with opened(browser, plain, f"#answers?model=dpo&criterion=style&change={wanted}") as watched:
        changes = [change(one, 1, 1) for one in all_questions(watched.page)]
        assert 0 < shown(watched.page) == sum(one is not None and signs[wanted](one) for one in changes)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("fragment", "matches"),
    [
        ("status=refused", lambda one: one["status"] == "refused"),
        ("status=unscored", lambda one: one["scores"] is None),
        ("status=no_answer&finish=error", lambda one: one["status"] == "no_answer" and one["finish"] == "error"),
        ("finish=length", lambda one: one["finish"] == "length"),
        ("criterion=no_loop&score=0&model=sft", lambda one: one["checks"][1][0] == 0),
        ("search=tokenizer%20LOSS", lambda one: "tokenizer" in one["text"].lower() and "loss" in one["text"].lower()),
    ],
)
def test_a_link_leaves_the_answers_that_it_names(
    browser: Browser, plain: Path, fragment: str, matches: Callable[[Any], bool]
) -> None:
    with opened(browser, plain, f"#answers?{fragment}") as watched:
        found = [any(matches(of[0]) for of in one["answers"]) for one in all_questions(watched.page)]
        searched = "search" in fragment  # which also looks into the question and its reference
        assert shown(watched.page) >= sum(found) if searched else shown(watched.page) == sum(found)
        assert 0 < shown(watched.page) < 120


@pytest.mark.exhaustive
def test_filters_write_the_address_and_back_takes_them_away(browser: Browser, plain: Path) -> None:
    with opened(browser, plain) as watched:
        page = watched.page
        page.get_by_label("Model", exact=True).select_option("dpo")
        page.get_by_label("Search questions and answers").fill("a & b=c +#%")
        address = page.evaluate("location.href")  # page.url learns of it a moment later
        assert "#answers?" in address
        assert filters_of(page) == {"model": "dpo", "search": "a & b=c +#%"}
        page.reload()
        assert filters_of(page) == {"model": "dpo", "search": "a & b=c +#%"}
        page.evaluate("location.hash = '#answers?status=refused'")
        expect(page.locator("#filter-status")).to_have_value("refused")
        expect(page.locator("#filter-status")).to_be_visible()
        assert filters_of(page) == {"status": "refused"}
        page.evaluate("location.hash = '#scores'")
        page.wait_for_timeout(50)
        assert filters_of(page) == {"status": "refused"}
        page.go_back()
        page.go_back()
        expect(page.locator("#filter-model")).to_have_value("dpo")
        assert page.evaluate("location.href") == address
        page.get_by_role("button", name="Clear").click()
        assert page.evaluate("location.href").endswith("#answers")


@pytest.mark.exhaustive
def test_what_a_page_does_not_know_is_ignored_and_said(browser: Browser, plain: Path) -> None:
    fragment = "#answers?model=gone&status=refused&__proto__=x&order=loss:%3Cb%3E&question=nowhere"
    with opened(browser, plain, fragment) as watched:
        note = watched.page.locator("#address-note")
        for unknown in ("model=gone", "__proto__=x", "order=loss:<b>", "no question nowhere"):
            expect(note).to_contain_text(unknown)
        assert filters_of(watched.page) == {"status": "refused"}
        watched.page.get_by_label("Criterion", exact=True).select_option("style")
        expect(note).to_be_empty()
        assert watched.is_quiet(), watched
