"""People rate by keyboard in a real browser, from the real server."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import Opened, watched_page
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.rating import labels_of, served, write_rated_run
from tests.made_up.run import Shape
from tests.waiting import PATIENCE_SECONDS
from tuneproof.records.handovers import ANSWERS, QUESTIONS
from tuneproof.records.keys import answer_label_key
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.reading import load_params

pytestmark = pytest.mark.exhaustive  # the report is what `make test` opens in a browser

RATINGS, KILLS = 200, 5
CRITERIA = ("accuracy", "style")
ON_THE_PAGE = """() => {
    const active = document.querySelector("fieldset.active b");
    return {
        done: !document.getElementById("done").hidden,
        stuck: !document.getElementById("trouble").hidden,
        criterion: active && active.textContent,
        answer: [...document.querySelectorAll(".answer p")].map((one) => one.textContent).join(),
        counts: document.getElementById("counts").textContent,
    };
}"""


@contextmanager
def opened_page(browser: Browser, address: str, width: int = 1440, **context: Any) -> Iterator[Opened]:
    """Opens the page in a new context and waits for the first item; whatever goes beyond its server is noted."""
    origin = address.partition("?")[0]
    with browser.new_context(viewport={"width": width, "height": 844}, **context) as own:
        own.set_default_timeout(1000 * PATIENCE_SECONDS)
        watched = watched_page(own, (origin, "data:"))
        watched.page.goto(address)
        watched.page.wait_for_selector("#item:not([hidden]), #done:not([hidden])")
        yield watched


def step_for(criterion: str, answer: str) -> int:
    """The score that the tests give an answer, so that a label can be held against its text."""
    return (len(answer) + sum(map(ord, criterion))) % 3 + 1


def rate(page: Page) -> dict[str, Any]:
    """Presses the key for what is asked now, and waits until the page has gone on or is stuck."""
    before = page.evaluate(ON_THE_PAGE)
    if not before["done"]:
        page.keyboard.press(str(step_for(before["criterion"], before["answer"])))
        page.wait_for_function(f"(before) => JSON.stringify(({ON_THE_PAGE})()) !== before", arg=as_json(page, before))
    after: dict[str, Any] = page.evaluate(ON_THE_PAGE)
    return after


def as_json(page: Page, value: object) -> str:
    text: str = page.evaluate("(value) => JSON.stringify(value)", value)
    return text


def expected_scores(directory: Path) -> dict[str, dict[str, int]]:
    """By key what `rate` gives every answer of the run."""
    params = load_params(directory / "params.yaml")
    questions = {one.id: one for one in QUESTIONS.read(directory)}
    found = {}
    for model in params.models:
        for one in ANSWERS.iterate(model, directory):
            asked, reference = questions[one.id].asked, questions[one.id].reference
            key = answer_label_key(asked, reference, one.answer, rubric_of(params.judge.criteria))
            found[key] = {name: step_for(name, one.answer) for name in CRITERIA}
    return found


def test_two_hundred_ratings_with_five_kills_of_the_server_lose_none(browser: Browser, tmp_path: Path) -> None:
    run = write_rated_run(tmp_path, Shape(questions=40, unusable=0), sample=RATINGS // 2, chosen=0)
    generator, expected = random.Random(11), expected_scores(run)
    given = kills = 0
    while True:
        with served(run, "anna") as server, opened_page(browser, server.addresses["anna"]) as watched:
            until = generator.randrange(25, 40) if kills < KILLS else RATINGS
            for _ in range(until):
                if rate(watched.page)["done"]:
                    break
                given += 1
                acknowledged = watched.page.evaluate(ON_THE_PAGE)["counts"]
            if kills == KILLS:
                assert watched.page.evaluate(ON_THE_PAGE)["done"]
                break
            watched.page.keyboard.press("3")  # on its way when the server dies
            server.kill()
            kills += 1
            seen = max(int(acknowledged.split()[0]), int(watched.page.evaluate(ON_THE_PAGE)["counts"].split()[0]))
        assert sum(set(label.scores or ()) == set(CRITERIA) for label in labels_of(run, "anna")) >= seen
    labels = labels_of(run, "anna")
    assert len({label.key for label in labels}) == len(labels) >= RATINGS // 2
    # One press of each kill was blind: it may differ, everything else is as it was given.
    differing = [label for label in labels if label.scores != expected[label.key]]
    assert len(differing) <= KILLS
    assert given >= RATINGS - KILLS


def test_two_raters_at_once_share_the_work(browser: Browser, tmp_path: Path) -> None:
    run = write_rated_run(tmp_path, Shape(questions=8, unusable=0), sample=24, chosen=0)
    with (
        served(run, "anna", "ben") as server,
        opened_page(browser, server.addresses["anna"]) as anna,
        opened_page(browser, server.addresses["ben"]) as ben,
    ):
        while not (rate(anna.page)["done"] & rate(ben.page)["done"]):
            pass
        assert anna.is_quiet(), anna
        assert ben.is_quiet(), ben
    labels, expected = [*labels_of(run, "anna"), *labels_of(run, "ben")], expected_scores(run)
    assert {label.key for label in labels} == set(expected)
    assert len(labels) < 1.5 * len(expected)  # both may have had the same one on the page
    assert {label.rater for label in labels} == {"anna", "ben"}
    assert all(label.scores == expected[label.key] for label in labels)


def test_everything_can_be_done_with_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    run = write_rated_run(tmp_path, Shape(questions=2, unusable=0, models=("sft", "baseline")), chosen=0)
    with served(run, "anna") as server, opened_page(browser, server.addresses["anna"]) as watched:
        page, counts, status = watched.page, watched.page.locator("#counts"), watched.page.locator("#status")
        expect(page.locator("#guidelines")).to_have_attribute("open", "")
        first = page.locator(".answer p").text_content()
        page.keyboard.press("n")
        page.keyboard.type("2 of 3, as I see it")
        page.keyboard.press("Escape")
        expect(status).to_have_text("Note saved")
        page.keyboard.press("3")
        expect(page.locator("fieldset.active b")).to_have_text("style")
        page.keyboard.press("1")
        expect(counts).to_have_text("1 of 4 rated")
        page.keyboard.press("s")
        expect(counts).to_have_text("1 of 4 rated, 1 skipped")
        page.keyboard.press("p")
        page.keyboard.press("p")
        expect(page.locator(".answer p")).to_have_text(first or "")
        expect(page.get_by_label("Note")).to_have_value("2 of 3, as I see it")
        expect(page.locator("button[aria-pressed=true] kbd")).to_have_text(["3", "1"])
        page.keyboard.press("2")
        page.keyboard.press("2")
        expect(page.locator("button[aria-pressed=true]")).to_have_count(0)
        page.keyboard.press("1")
        page.keyboard.press("1")
        expect(counts).to_have_text("2 of 4 rated, 1 skipped")
        page.keyboard.press("1")
        page.keyboard.press("1")
        expect(page.locator("#done h2")).to_have_text("All done. Thank you.")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Go through the skipped ones")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#item")).to_be_visible()
        page.keyboard.press("3")
        page.keyboard.press("3")
        expect(counts).to_have_text("4 of 4 rated")
        assert watched.is_quiet(), watched
    labels = labels_of(run, "anna")
    assert [label.scores for label in labels] == [{"accuracy": one, "style": one} for one in (2, 3, 1, 1)]
    assert labels[0].note == "2 of 3, as I see it"
    assert sum(label.seconds for label in labels) > 0  # to a tenth, so that a quick key alone may have none


def test_steps_are_reached_by_tab_and_enter_too(browser: Browser, tmp_path: Path) -> None:
    run = write_rated_run(tmp_path, Shape(questions=1, unusable=0), sample=3, chosen=0)
    with served(run, "anna") as server, opened_page(browser, server.addresses["anna"]) as watched:
        page = watched.page
        page.get_by_role("button", name="2 Step 2 of accuracy.").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="1 Step 1 of style.")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#counts")).to_have_text("1 of 3 rated")
    assert labels_of(run, "anna")[0].scores == {"accuracy": 2, "style": 3}


def test_a_pair_is_asked_left_tie_right(browser: Browser, tmp_path: Path) -> None:
    run = write_rated_run(tmp_path, Shape(questions=12, unusable=0), sample=0, pairs=24, chosen=0)
    answers = {model: {one.id: one.answer for one in ANSWERS.read(model, run)} for model in ("sft", "dpo", "baseline")}
    shown: list[list[str]] = []
    with served(run, "anna") as server, opened_page(browser, server.addresses["anna"]) as watched:
        while not watched.page.locator("#done").is_visible():
            shown.append(watched.page.locator(".answer p").all_text_contents())
            watched.page.keyboard.press("1")
            expect(watched.page.locator("#counts")).to_have_text(f"{len(shown)} of 24 rated")
    labels = labels_of(run, "anna")
    assert len(labels) == len(shown) == 24
    for label, (left, _) in zip(labels, shown, strict=True):
        assert label.preference == (0 if left == answers["baseline"][label.id] else 1)
    assert {label.preference for label in labels} == {0, 1}, "the model's answer always stood on one side"


@pytest.mark.parametrize(
    "bypass_csp",
    [False, True],
    ids=["with the policy", "textContent alone"],
)
def test_hostile_texts_are_text_in_the_browser(browser: Browser, tmp_path: Path, bypass_csp: bool) -> None:
    shape = Shape(questions=30, unusable=0, hostile=HOSTILE_TEXTS)
    run = write_rated_run(tmp_path, shape, sample=40, chosen=0, guidelines=HOSTILE_TEXTS[0])
    texts = {one.answer for model in shape.models for one in ANSWERS.read(model, run)}
    asked = {one.instruction for one in QUESTIONS.read(run)}
    with (
        served(run, "anna") as server,
        opened_page(browser, server.addresses["anna"], width=390, bypass_csp=bypass_csp) as watched,
    ):
        page, seen = watched.page, 0
        while not page.locator("#done").is_visible():
            page.keyboard.press("r")
            assert page.locator(".answer p").text_content() in texts
            assert page.locator("#question").text_content() in asked
            assert page.locator("main :is(img, script, iframe, form, a, style, svg)").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            page.keyboard.press("s")
            seen += 1
            page.wait_for_function("(seen) => document.getElementById('progress').value === seen", arg=seen)
        assert seen >= 30
        assert watched.is_quiet(), watched


@pytest.mark.parametrize(
    ("width", "color_scheme"),
    [
        (390, "dark"),
        (390, "light"),
        (1440, "dark"),
        (1440, "light"),
    ],
)
def test_axe_finds_nothing(browser: Browser, tmp_path: Path, color_scheme: Any, width: int) -> None:
    run = write_rated_run(tmp_path, Shape(questions=3, unusable=0), sample=3, pairs=2, chosen=0)
    with (
        served(run, "anna") as server,
        opened_page(browser, server.addresses["anna"], width=width, color_scheme=color_scheme) as watched,
    ):
        page, done = watched.page, 0
        while True:
            page.keyboard.press("r")
            found = Axe().run(page).response["violations"]
            assert [one["id"] for one in found] == []
            if page.locator("#done").is_visible():
                break
            page.keyboard.press("2" if page.locator("fieldset").count() == 2 else "s")
            done += 1
            page.wait_for_timeout(200)
        assert done >= 5


def test_a_server_that_is_gone_is_said_and_a_token_that_is_old_too(browser: Browser, tmp_path: Path) -> None:
    run = write_rated_run(tmp_path, Shape(questions=3, unusable=0), sample=9, chosen=0)
    with served(run, "anna") as first, opened_page(browser, first.addresses["anna"]) as watched:
        page, port = watched.page, first.addresses["anna"].split(":")[2].split("/")[0]
        first.kill()
        page.keyboard.press("2")
        expect(page.get_by_role("alert")).to_contain_text("Not saved: the server does not answer")
        page.keyboard.press("3")
        with served(run, "anna", options=("--port", port)):
            expect(page.get_by_role("alert")).to_contain_text("this address is not valid any more")
    assert labels_of(run, "anna") == []
