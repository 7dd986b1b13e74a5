"""The playground of the service in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser import Opened, watched_page
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.serving import ACCURACY, ITEM, STYLE, TOKEN, Served, served
from tests.waiting import PATIENCE_SECONDS
from tuneproof.scoring.evaluator import load

pytestmark = pytest.mark.exhaustive  # the report is what `make test` opens in a browser


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with served("--threshold", "accuracy=0.5", evaluators=(ACCURACY, STYLE)) as running:
        yield running


@contextmanager
def opened_page(
    browser: Browser, service: Served, width: int = 1440, path: str = "/", **context: Any
) -> Iterator[Opened]:
    """Opens the page; whatever goes beyond its server is noted."""
    origin = f"http://127.0.0.1:{service.port}"
    with browser.new_context(viewport={"width": width, "height": 844}, **context) as own:
        own.set_default_timeout(1000 * PATIENCE_SECONDS)
        watched = watched_page(own, (origin, "data:"))
        watched.page.goto(origin + path)
        yield watched


def test_an_answer_is_tried_by_keyboard_and_its_score_shown(browser: Browser, service: Served) -> None:
    with opened_page(browser, service) as watched:
        page = watched.page
        page.get_by_label("Question").fill(ITEM["input"])
        page.get_by_label("Answer", exact=True).fill(ITEM["output"])
        page.get_by_label("What it should say").fill(ITEM["ground_truth"])
        page.get_by_label("What it should say").press("Tab")
        page.keyboard.press("Enter")
        scored = load(ACCURACY).score(**ITEM)
        expect(page.locator(".score")).to_have_count(2)
        expect(page.locator(".score").first).to_contain_text(f"accuracy{scored.probability:.2f}")
        passed = scored.probability >= 0.5
        expect(page.locator("#verdict")).to_have_text("It passes." if passed else "It does not pass.")
        assert watched.is_quiet(), watched


def test_hostile_texts_run_nothing(browser: Browser, service: Served) -> None:
    with opened_page(browser, service, width=390) as watched:
        page = watched.page
        for text in HOSTILE_TEXTS[::4]:
            page.get_by_label("Question").fill(text)
            page.get_by_label("Answer", exact=True).fill(text + "x")
            page.get_by_role("button").click()
            expect(page.locator(".score")).to_have_count(2)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert watched.is_quiet(), watched


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing(browser: Browser, service: Served, color_scheme: Any, width: int) -> None:
    with opened_page(browser, service, width, color_scheme=color_scheme) as watched:
        page = watched.page
        assert [one["id"] for one in Axe().run(page).response["violations"]] == []
        page.get_by_label("Answer", exact=True).fill(ITEM["output"])
        page.get_by_role("button").click()
        expect(page.locator(".score")).to_have_count(2)
        assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    with opened_page(browser, service, width, "/docs", color_scheme=color_scheme) as watched:
        assert [one["id"] for one in Axe().run(watched.page).response["violations"]] == []


def test_a_token_is_asked_for_where_it_is_needed(browser: Browser) -> None:
    with served(token=TOKEN) as guarded, opened_page(browser, guarded) as watched:
        page = watched.page
        page.get_by_label("Answer", exact=True).fill(ITEM["output"])
        page.get_by_role("button").click()
        expect(page.get_by_role("alert")).to_contain_text("send the service's token")
        page.get_by_label("Token of this service").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator(".score")).to_have_count(1)
        guarded.process.kill()
        guarded.process.wait()
        page.get_by_role("button").click()
        expect(page.get_by_role("alert")).to_have_text("The service does not answer.")
