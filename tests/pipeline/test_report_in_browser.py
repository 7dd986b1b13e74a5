import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import Opened, opened
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.run import Shape, finished

WIDE = Shape(
    questions=40,
    models=tuple(f"a-model-with-a-long-name-{number}" for number in range(8)),
    criteria={f"criterion_with_a_long_name_{number}": (0, 2.5, 5, 7.5, 10) for number in range(6)},
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("plain"), Shape(questions=120, unusable=0.1))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("hostile"), Shape(questions=60, hostile=HOSTILE_TEXTS, unusable=0.2))


@pytest.fixture
def report(browser: Browser, plain: Path) -> Iterator[Opened]:
    with opened(browser, plain) as watched:
        yield watched
        assert watched.is_quiet(), watched


def browser_data(page: Page) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(page.locator("#data").text_content() or "")
    return data


def open_everything(page: Page) -> None:
    """Opens every question of every page, so that all texts of the run get onto the page."""
    while True:
        for summary in page.locator("#questions > details > summary").all():
            summary.click()
        following = page.get_by_role("button", name="Next")
        if not following.count() or not following.is_visible() or following.is_disabled():
            return
        following.click()


def more_filters(page: Page) -> None:
    """Opens the filters that are asked for less often."""
    page.get_by_text("More filters").click()


def counted(page: Page) -> int:
    """How many questions the filters leave."""
    text = page.locator("#count").inner_text()
    return 0 if text.startswith("No question") else int(text.split(" of ")[0].replace(",", ""))


@pytest.mark.parametrize(
    "bypass_csp",
    [
        pytest.param(False, id="with the policy", marks=pytest.mark.exhaustive),
        pytest.param(True, id="escaping alone"),
    ],
)
def test_hostile_texts_run_nothing_and_fetch_nothing(browser: Browser, hostile: Path, bypass_csp: bool) -> None:
    with opened(browser, hostile, bypass_csp=bypass_csp) as watched:
        open_everything(watched.page)
        watched.page.get_by_label("Search questions and answers").fill("<script>")
        own = "[href^='#'], [href='changes.html']"
        assert watched.page.locator(f"main img, main iframe, main [onclick], main a:not({own})").count() == 0
        assert watched.is_quiet(), watched


def test_hostile_texts_are_shown_as_they_are(browser: Browser, hostile: Path) -> None:
    with opened(browser, hostile) as watched:
        page = watched.page
        page.get_by_label("Raw text").check()
        for question in browser_data(page)["questions"][:20]:
            page.goto(f"{hostile.as_uri()}#q={quote(question['id'])}")
            expect(page.locator("#questions > details[open]")).to_have_attribute("data-id", question["id"])
            written = page.locator("#questions > details[open] .written")
            expect(written).to_have_count(3)
            assert written.all_text_contents() == [answers[0]["text"] for answers in question["answers"]]


def test_what_the_judge_said_of_a_pair_is_shown_as_it_is(browser: Browser, hostile: Path) -> None:
    with opened(browser, hostile) as watched:
        page, seen = watched.page, 0
        for question in browser_data(page)["questions"][:20]:
            page.goto(f"{hostile.as_uri()}#q={quote(question['id'])}")
            expect(page.locator("#questions > details[open]")).to_have_attribute("data-id", question["id"])
            said = [pair["text"] for pairs in question["pairs"] for pair in pairs if pair["text"]]
            assert page.locator("#questions > details[open] .pairs .prose").all_text_contents() == said
            seen += len(said)
        assert seen > 40
        assert watched.is_quiet(), watched


def test_a_pair_shows_the_preference_in_each_order(report: Opened) -> None:
    words = {1: "preferred", 0.5: "a tie", 0: "not preferred", None: "not compared: "}
    for question in browser_data(report.page)["questions"][:20]:
        report.page.locator(f"details[data-id='{question['id']}'] > summary").click()
        shown = report.page.locator(f"details[data-id='{question['id']}'] .pairs li")
        pairs = [pair for of_model in question["pairs"] for pair in of_model]
        expect(shown).to_have_count(len(pairs))
        for pair, item in zip(pairs, shown.all(), strict=True):
            order = "shown first" if pair["order"] == "model_first" else "shown second"
            expect(item).to_contain_text(f"when {order}")
            assert item.inner_text().startswith(words[pair["preference"]])


def test_the_filter_for_changed_winners_leaves_those_alone(report: Opened) -> None:
    more_filters(report.page)
    report.page.get_by_label("Show", exact=True).select_option("orders")

    def changes(pairs: list[dict[str, Any]]) -> bool:
        winners = {(pair["preference"] > 0.5) - (pair["preference"] < 0.5) for pair in pairs if pair["status"] == "ok"}
        return len(winners) > 1

    questions = browser_data(report.page)["questions"]
    assert 0 < counted(report.page) == sum(any(map(changes, one["pairs"])) for one in questions) < len(questions)


def test_a_text_cannot_turn_its_neighbours_around(browser: Browser, hostile: Path) -> None:
    with opened(browser, hostile) as watched:
        open_everything(watched.page)
        styles = watched.page.eval_on_selector_all(
            ".prose, bdi, .asked", "all => [...new Set(all.map(one => getComputedStyle(one).unicodeBidi))]"
        )
        assert set(styles) <= {"isolate", "plaintext", "isolate-override"}
        assert "\u202e" not in watched.page.locator("main").inner_text()


@pytest.mark.parametrize("width", [360, pytest.param(1440, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", [pytest.param("plain", marks=pytest.mark.exhaustive), "hostile", "wide"])
def test_nothing_makes_the_page_scroll_sideways(
    browser: Browser, tmp_path: Path, width: int, name: str, request: pytest.FixtureRequest
) -> None:
    path = finished(tmp_path, WIDE) if name == "wide" else request.getfixturevalue(name)
    with opened(browser, path, width=width) as watched:
        for summary in watched.page.locator("#questions > details > summary").all():
            summary.click()
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, pytest.param(1440, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("run", ["real", pytest.param("embedded", marks=pytest.mark.exhaustive)])
def test_axe_has_no_serious_finding(browser: Browser, tmp_path: Path, color_scheme: str, width: int, run: Any) -> None:
    path = finished(tmp_path, Shape(questions=45, run=run, unusable=0.1))
    with opened(browser, path, width=width, color_scheme=color_scheme) as watched:
        for summary in watched.page.locator("#questions > details > summary").all()[:3]:
            summary.click()
        watched.page.locator("details > summary").first.click()
        found = Axe().run(watched.page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


def test_the_first_screen_of_a_phone_names_the_better_model(browser: Browser, plain: Path) -> None:
    with opened(browser, plain, width=360) as watched:
        watched.page.set_viewport_size({"width": 360, "height": 640})
        expect(watched.page.get_by_role("heading", level=1)).to_be_in_viewport(ratio=1)
        expect(watched.page.locator(".confidence")).to_be_in_viewport(ratio=1)


def test_the_questions_with_most_disagreement_come_first(report: Opened) -> None:
    ids = report.page.eval_on_selector_all("#questions > details", "all => all.map(one => one.dataset.id)")
    assert ids == [question["id"] for question in browser_data(report.page)["questions"][:20]]


def test_the_order_says_what_stands_first(report: Opened) -> None:
    page, note = report.page, report.page.locator("#order-note")
    first = "First come the questions on which "
    apart = f"{first}the highest and the lowest model's scores lie farthest apart in "
    assert page.locator("#filter-order option").first.inner_text() == "models differ most"
    expect(note).to_have_text(f"{apart}accuracy and style.")
    page.get_by_label("Criterion", exact=True).select_option("style")
    expect(note).to_have_text(f"{apart}style.")
    page.get_by_label("Sort by", exact=True).select_option("loss")
    expect(note).to_have_text(f"{first}any model lost most against baseline in accuracy and style.")
    page.get_by_label("Model", exact=True).select_option("dpo")
    page.get_by_label("Sort by", exact=True).select_option("gain:accuracy")
    expect(note).to_have_text(f"{first}dpo gained most against baseline in accuracy.")
    page.get_by_label("Sort by", exact=True).select_option("number")
    expect(note).to_have_text("The questions stand in the order of their file.")


def test_search_finds_every_question_with_all_its_words(report: Opened) -> None:
    page, search = report.page, report.page.get_by_label("Search questions and answers")

    def has(question: dict[str, Any], word: str) -> bool:
        texts = [question["instruction"], question["reference"] or "", *(of[0]["text"] for of in question["answers"])]
        return any(word in text.lower() for text in texts)

    search.fill("Batching NOISY")
    questions = browser_data(page)["questions"]
    assert 0 < counted(page) == sum(has(one, "batching") and has(one, "noisy") for one in questions) < 120
    search.fill("no such words anywhere")
    assert counted(page) == 0
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#count")).to_contain_text("120 of 120")


def test_filters_leave_what_they_say(report: Opened) -> None:
    page, questions = report.page, browser_data(report.page)["questions"]
    more_filters(page)
    page.get_by_label("Show", exact=True).select_option("disagree")
    assert counted(page) == sum(any(spread > 0 for spread in question["spreads"]) for question in questions)
    page.get_by_label("Criterion", exact=True).select_option(label="style")
    assert counted(page) == sum(question["spreads"][1] > 0 for question in questions)
    page.get_by_label("Show", exact=True).select_option("")
    page.get_by_label("Judged", exact=True).select_option("unscored")
    page.get_by_label("Model", exact=True).select_option(label="dpo")
    assert counted(page) == sum(question["answers"][1][0]["scores"] is None for question in questions)
    page.get_by_label("Judged", exact=True).select_option("")
    page.get_by_label("Score", exact=True).select_option("3")
    assert counted(page) == sum((question["answers"][1][0]["scores"] or [0, 0])[1] == 3 for question in questions)


@pytest.mark.parametrize("width", [390, 1440])
def test_scores_are_offered_that_the_chosen_criteria_can_give_and_no_closed_filter_is_clipped(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    path = finished(tmp_path, Shape(questions=40, criteria={"accuracy": (1, 2, 3), "correct": (0, 1)}))
    offered = "all => all.filter((one) => !one.disabled).map((one) => one.value)"
    with opened(browser, path, width=width) as watched:
        page = watched.page
        more_filters(page)
        assert page.eval_on_selector_all("#filter-score option", offered) == ["", "0", "1", "2", "3"]
        page.get_by_label("Criterion", exact=True).select_option(label="accuracy")
        assert page.eval_on_selector_all("#filter-score option", offered) == ["", "1", "2", "3"]
        room = """select => {
            const drawing = document.createElement("canvas").getContext("2d");
            drawing.font = getComputedStyle(select).font;
            const widest = Math.max(...[...select.options].map((one) => drawing.measureText(one.text).width));
            return select.clientWidth - widest;
        }"""
        for name in ("model", "against", "change", "criterion", "order", "finish", "status", "show", "slice"):
            assert page.locator(f"#filter-{name}").evaluate(room) > 40, name  # the padding and the arrow
        assert watched.is_quiet(), watched


def test_length_and_tag_filters_narrow_the_list(report: Opened) -> None:
    page, questions = report.page, browser_data(report.page)["questions"]
    more_filters(page)
    page.get_by_label("Kind of question", exact=True).select_option(label="source: blog")
    blog = counted(page)
    assert blog == sum(["source", "blog"] in question["tags"] for question in questions)
    page.get_by_label("Answer length", exact=True).select_option("long")
    assert 0 < counted(page) < blog


def test_sorting_by_gain_puts_the_largest_gain_first(report: Opened) -> None:
    report.page.get_by_label("Model", exact=True).select_option("sft")
    report.page.get_by_label("Sort by", exact=True).select_option("gain")

    def gain(question: dict[str, Any]) -> float:
        ours, theirs = question["answers"][0][0]["scores"], question["answers"][2][0]["scores"]
        return sum(ours) - sum(theirs) if ours and theirs else -99

    first = report.page.locator("#questions > details").first.get_attribute("data-id")
    questions = browser_data(report.page)["questions"]
    assert gain(next(one for one in questions if one["id"] == first)) == max(map(gain, questions))


def test_a_permalink_opens_its_question_whatever_the_filters(browser: Browser, plain: Path, report: Opened) -> None:
    last = browser_data(report.page)["questions"][-1]
    with opened(browser, plain, fragment=f"#q={last['id']}") as watched:
        expect(watched.page.locator("#questions > details[open]")).to_have_attribute("data-id", last["id"])
        expect(watched.page.locator("#questions > details[open] > summary")).to_be_focused()
        watched.page.get_by_label("Search questions and answers").fill("no such words anywhere")
        watched.page.evaluate("location.hash = ''")
        watched.page.evaluate(f"location.hash = '#q={last['id']}'")
        expect(watched.page.locator("#questions > details[open]")).to_have_attribute("data-id", last["id"])
        assert watched.is_quiet()


def test_a_permalink_to_nothing_says_so(browser: Browser, plain: Path) -> None:
    with opened(browser, plain, fragment="#q=%E0%A4%A<b>") as watched:
        expect(watched.page.locator("#address-note")).to_contain_text("There is no question")
        assert watched.is_quiet(), watched


def test_everything_can_be_done_with_the_keyboard(report: Opened) -> None:
    page = report.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the answers")).to_be_focused()
    page.get_by_label("Search questions and answers").focus()
    page.keyboard.type(browser_data(page)["questions"][7]["id"])
    expect(page.locator("#count")).to_contain_text("1 of 120 questions")
    for _ in range(7):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Clear")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_contain_text("120 of 120 questions")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Raw text")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_label("Raw text")).to_be_checked()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.locator("#questions > details > summary").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Link to this question")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Link to this question")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Mark the words that differ")).to_be_focused()
    page.keyboard.press("Space")
    assert page.locator("#questions mark").count() > 0


def test_pages_turn_and_the_list_takes_the_focus(report: Opened) -> None:
    page = report.page
    first = page.locator("#questions > details").first.get_attribute("data-id")
    page.get_by_role("button", name="Next").press("Enter")
    expect(page.locator("#pages")).to_contain_text("Page 2 of 6")
    expect(page.locator("#questions")).to_be_focused()
    assert page.locator("#questions > details").first.get_attribute("data-id") != first


def test_every_answer_stands_beside_its_scores_and_the_judges_words(report: Opened) -> None:
    question = next(one for one in browser_data(report.page)["questions"] if one["answers"][0][0]["scores"])
    report.page.locator(f"details[data-id='{question['id']}'] > summary").click()
    body = report.page.locator("#questions > details[open] .body")
    expect(body.locator("section.answer")).to_have_count(3)
    for answers in question["answers"]:
        expect(body).to_contain_text(answers[0]["text"][:60])
        for judge in answers[0].get("judges", []):
            expect(body).to_contain_text(judge["analyses"][0])
    expect(body.locator(".pairs")).to_have_count(2)


def test_the_page_reads_without_scripts(browser: Browser, plain: Path) -> None:
    with opened(browser, plain, java_script_enabled=False) as watched:
        expect(watched.page.get_by_role("heading", level=1)).to_be_visible()
        expect(watched.page.locator("noscript .caution")).to_contain_text("needs JavaScript")
        expect(watched.page.locator("#filters")).to_be_hidden()


def test_print_leaves_the_controls_out(report: Opened) -> None:
    report.page.emulate_media(media="print")
    expect(report.page.locator("#filters")).to_be_hidden()
    expect(report.page.get_by_role("heading", name="Scores", exact=True)).to_be_visible()
    assert report.page.pdf().startswith(b"%PDF")


def number_in(text: str) -> str:
    return "".join(re.findall(r"[0-9]+", text)[:1])


def test_every_count_of_the_page_opens_as_many_questions(browser: Browser, plain: Path) -> None:
    with opened(browser, plain) as watched:
        page = watched.page
        links = page.locator("#losses ~ .losing a, #losses ~ p a, table a[href^='#answers?']")
        found = {(link.get_attribute("href") or "", link.inner_text()) for link in links.all()}
        seen = 0
        for address, text in sorted(found):
            page.evaluate("address => { location.hash = address }", address)
            expect(page.locator("#address-note")).to_have_text("")
            if "question=" in address:
                expect(page.locator("#questions > details[open]")).to_have_count(1)
            elif "slice=" not in address or "change=" in address:
                expect(page.locator("#count")).to_contain_text(f"{number_in(text)} of 120 questions")
                seen += 1
        assert seen > 12
        assert watched.is_quiet(), watched


def test_a_kind_of_question_opens_its_questions(browser: Browser, plain: Path) -> None:
    with opened(browser, plain) as watched:
        rows = watched.page.locator("#kinds ~ details tbody tr")
        assert rows.count() == 9
        for row in rows.all():
            row.locator("th").get_by_role("link").click()
            questions = row.locator("td").first.inner_text()
            expect(watched.page.locator("#count")).to_contain_text(f"{questions} of 120 questions")


@pytest.mark.exhaustive
def test_a_table_that_is_wider_than_the_screen_says_that_it_goes_on(browser: Browser, plain: Path) -> None:
    for width, visible_hints in ((360, True), (1440, False)):
        with opened(browser, plain, width=width) as watched:
            hint = watched.page.locator("section:has(> #coverage) .scroll-hint").first
            expect(hint).to_be_visible() if visible_hints else expect(hint).to_be_hidden()
