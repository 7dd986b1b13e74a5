"""The report on a phone, in Chromium: the menu of sections, and tables whose rows become blocks."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import opened
from tests.made_up.run import Shape, finished

PHONE, DESK = 390, 1440
LABEL = "cell => getComputedStyle(cell, '::before').content"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("plain"), Shape(questions=60, run="embedded"))


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_menu_of_sections_stands_at_the_top_and_reaches_all_of_them(
    browser: Browser, plain: Path, width: int
) -> None:
    with opened(browser, plain, width=width) as watched:
        page, menu = watched.page, watched.page.get_by_role("navigation", name="Sections")
        expect(menu).to_be_in_viewport()
        box = menu.bounding_box() or {"y": 999, "height": 999}
        assert box["y"] < 200 and box["height"] < 50, "it is one line above the headline"
        links = menu.get_by_role("link").all()
        assert len(links) > 8
        for link in links:
            link.focus()
            own = link.bounding_box() or {"x": -1, "width": 0}
            assert own["x"] >= 0 and own["x"] + own["width"] <= width - 16, "a focused link is never half hidden"
            expect(page.locator(link.get_attribute("href") or "")).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("document.activeElement.blur()")
        links[-1].click()
        expect(page.get_by_role("heading", name="Cost and tokens")).to_be_in_viewport()
        assert watched.is_quiet(), watched


def test_on_a_phone_each_kind_of_question_is_a_block_with_a_line_for_every_model_and_criterion(
    browser: Browser, plain: Path
) -> None:
    with opened(browser, plain, width=PHONE) as watched:
        table = watched.page.locator("#kinds ~ details table")
        region = watched.page.locator("#kinds ~ details .scroll")
        assert region.evaluate("region => region.scrollWidth <= region.clientWidth")
        expect(watched.page.locator("#kinds ~ details .scroll-hint")).to_be_hidden()
        heads = table.locator("thead th").all_inner_texts()
        names = [", ".join(text.split("\n")) for text in heads][1:]
        assert names[:3] == ["questions", "sft, accuracy", "sft, style"]
        for row in table.locator("tbody tr").all():
            cells = row.locator("td").all()
            assert [cell.evaluate(LABEL).strip('"') for cell in cells] == names
            tops = [(cell.bounding_box() or {"y": 0})["y"] for cell in cells]
            assert tops == sorted({*tops}), "each stands below the one before it"
        rows = table.locator("tbody tr").count()
        assert table.get_by_role("rowheader").count() == rows, "it is still a table to be heard"
        assert table.get_by_role("cell").count() == rows * len(names)
        assert watched.is_quiet(), watched


def test_on_a_desk_the_columns_have_their_names_above_them_alone(browser: Browser, plain: Path) -> None:
    with opened(browser, plain, width=DESK) as watched:
        table = watched.page.locator("#kinds ~ details table")
        assert table.locator("td").first.evaluate(LABEL) == "none"
        heads, cells = table.locator("thead th"), table.locator("tbody tr").first.locator("td")
        for head, cell in zip(heads.all()[1:], cells.all(), strict=True):
            above, below = head.bounding_box(), cell.bounding_box()
            assert above and below and above["x"] == below["x"] and above["y"] < below["y"]
        assert re.search("sft\\s+accuracy", heads.nth(2).inner_text())
