"""The report's answers in Chromium: what the address asks for, downloads, Markdown, and the words that differ."""

import csv
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import Opened, chromium, opened
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.injections import INJECTIONS
from tests.made_up.labels import label
from tests.made_up.run import Shape, finished
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import ANSWERS, LABELS, QUESTIONS
from tuneproof.records.keys import answer_label_key, pair_label_key
from tuneproof.results.report.browser import SCRIPT_DIRECTORY, visible
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.reading import load_params

Question = dict[str, Any]
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
ATTACKS = (
    "[read](javascript:window.ran=1) ![pixel](http://127.0.0.1:9/pixel.png) <http://127.0.0.1:9/>",
    "[a][b]\n\n[b]: http://127.0.0.1:9/ 'title'",
    "# <img src=x onerror=window.ran=1>\n\n> <script>window.ran = 2</script>\n\n- <svg onload=window.ran=3>",
    "| <iframe src=javascript:parent.ran=4> | b |\n|---|---|\n| <b onclick=window.ran=5>c</b> | `<script>` |",
    "```html\n<script>window.ran = 6</script>\n```\n~~~\nnever closed <img src=http://127.0.0.1:9/a.png>",
    "**[bold](data:text/html,<script>window.ran=7</script>)** *a **b* c** __d _e_ f__ \\<b> &lt;script&gt;",
)
DEEP = (
    "> " * 3_000 + "x", "- " * 3_000 + "x", "".join(f"{' ' * level}- x\n" for level in range(300)), "[" * 50_000,
    "*a " * 16_000, "***a " * 10_000, "`" * 300 + "".join("`" * length + " " for length in range(1, 300)),
    "_a" * 25_000, "|" * 25_000, "|" * 900 + "\n" + "|-" * 900 + "\n" + "|x\n" * 900, "# \n" * 16_000, "[a](" * 12_000,
    "[a](" + "()" * 20_000, "\n" * 49_000, "1. a\n\n" * 8_000, "```" + " " * 40_000 + "`", "-" + " " * 49_000,
    "- - " * 12_000 + "x",
)  # fmt: skip
NO_DATA = '{"models": [], "baseline": "", "questions": [], "criteria": [], "checks": []}'
POLICY = "default-src 'none'"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = Shape(questions=120, unusable=0.1, run="embedded")
    return finished(tmp_path_factory.mktemp("plain"), shape, some_checks_fail)


def some_checks_fail(directory: Path) -> None:
    """Every third of a model's checks finds something."""
    path = directory / "data/checks/sft.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[::3]:
        row["scores"]["no_loop"], row["reasons"] = 0.0, {"no_loop": "it says <b>one</b> thing again"}
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def all_questions(page: Page) -> list[Question]:
    found: list[Question] = json.loads(page.locator("#data").text_content() or "")["questions"]
    return found


def shown(page: Page) -> int:
    """How many questions are left."""
    text = page.locator("#count").inner_text()
    return 0 if text.startswith("No question") else int(text.split(" of ")[0].replace(",", ""))


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
        address = page.url
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
        assert page.url == address
        page.get_by_role("button", name="Clear").click()
        assert page.url.endswith("#answers")


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


def saved(page: Page, button: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_text(encoding="utf-8-sig")


@pytest.mark.exhaustive
def test_the_rows_that_the_filters_leave_can_be_taken_away(browser: Browser, plain: Path) -> None:
    with opened(browser, plain, "#answers?model=sft&criterion=accuracy&change=worse") as watched:
        questions = {one["id"]: one for one in all_questions(watched.page)}
        records = [json.loads(line) for line in saved(watched.page, "Download JSON Lines").splitlines()]
        table = list(csv.DictReader(saved(watched.page, "Download CSV").splitlines(keepends=True)))
        assert len(records) == len(table) == shown(watched.page)
        for record, row in zip(records, table, strict=True):
            answer = questions[record["id"]]["answers"][0][0]
            assert (record["model"], row["model"]) == ("sft", "sft")
            assert record["answer"] == answer["text"]
            assert row["answer"] == answer["text"]
            assert record["scores"]["accuracy"] == float(row["scores: accuracy"]) == answer["scores"][0]
            assert (
                record["changes"]["accuracy"]
                == float(row["changes: accuracy"])
                == change(questions[record["id"]], 0, 0)
            )
            assert record["reasons"]["accuracy"] == answer["judges"][0]["analyses"][0]
            assert record["tags"]["source"] == row["tags: source"]
        assert not watched.said


@pytest.mark.exhaustive
def test_no_cell_of_a_table_is_a_formula(browser: Browser, tmp_path: Path) -> None:
    path = finished(tmp_path, Shape(questions=30, hostile=FORMULAS))
    with opened(browser, path) as watched:
        records = [json.loads(line) for line in saved(watched.page, "Download JSON Lines").splitlines()]
        heads, *rows = csv.reader(saved(watched.page, "Download CSV").splitlines(keepends=True))
    assert {record["answer"] for record in records} == {visible(text) for text in FORMULAS}
    numbers = {at for at, head in enumerate(heads) if head.startswith(("changes: ", "scores: "))}
    texts = [cell for row in [heads, *rows] for at, cell in enumerate(row) if at not in numbers]
    assert not [cell for cell in texts if cell.strip()[:1] in {*"=+-@"} - {""} or cell[:1] in {"\t", "\r", "\n"}]
    assert "'-2+3" in texts
    assert 'plain, "text"' in texts


def script(page: Page, *parts: str) -> str:
    """The parts of the report's script by name, in a page that may fetch nothing."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    page.set_content(f'{policy}<script type="application/json" id="data">{NO_DATA}</script><main></main>')
    return "\n".join((SCRIPT_DIRECTORY / f"{name}.js").read_text(encoding="utf-8") for name in parts)


def render(page: Page, texts: list[str]) -> list[str]:
    """Puts each text on the page as Markdown. Returns the HTML of each."""
    body = f"""{script(page, "elements", "markdown")}
        return texts.map(text => {{
          const box = element("div", {{}}, formatted(text));
          document.querySelector("main").append(box);
          return box.innerHTML;
        }});"""
    found: list[str] = page.evaluate(f"texts => {{ {body} }}", texts)
    return found


def test_markdown_of_any_text_runs_nothing_fetches_nothing_and_invents_nothing(browser: Browser) -> None:
    texts = [visible(text) for text in (*INJECTIONS, *HOSTILE_TEXTS, *ATTACKS, *DEEP)]
    with browser.new_context() as context:
        watched = Opened(context.new_page())
        watched.page.on("request", lambda one: watched.requested.append(one.url))
        watched.page.on("console", lambda message: watched.said.append(message.text))
        watched.page.on("dialog", lambda dialog: watched.said.append(dialog.message))
        render(watched.page, texts)
        used, attributes, contents = watched.page.evaluate(
            """() => { const all = [...document.querySelectorAll('main *')]; return [
                [...new Set(all.map(one => one.localName))], [...new Set(all.flatMap(one => one.getAttributeNames()))],
                [...document.querySelectorAll('main > div')].map(one => one.textContent)]; }"""
        )
        assert watched.is_quiet(), watched
    blocks, parts = (
        {"div", "p", "ul", "ol", "li", "blockquote", "hr", "pre", "table", "thead", "tbody", "tr", "th", "td"},
        set(""),
    )
    parts = {"code", "strong", "em", "del", "span"}
    assert set(used) <= blocks | parts
    assert set(attributes) <= {"class", "dir", "start"}
    for text, content in zip(texts, contents, strict=True):
        left = iter(text.replace("\t", " " * 4))
        assert all(character in left for character in content.replace("\n", "")), text[:80]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo\n\nthree", "<p>one\ntwo</p><p>three</p>"),
        ("## A **bold** head", '<p class="heading level-2">A <strong>bold</strong> head</p>'),
        ("- a\n- b\n  - c\n\nd", "<ul><li><p>a</p></li><li><p>b</p><ul><li><p>c</p></li></ul></li></ul><p>d</p>"),
        ("3. a\n\n4. b", '<ol start="3"><li><p>a</p></li><li><p>b</p></li></ol>'),
        ("1. a\n   ```\n   x\n   ```", '<ol><li><p>a</p><pre><code>x</code></pre></li></ol>'),
        ("Then\n2024. was\nnice", "<p>Then\n2024. was\nnice</p>"),
        (
            "```python\nif a < b:\n    *c*\n```\nd",
            '<pre><span class="language">python</span><code>if a &lt; b:\n    *c*</code></pre><p>d</p>',
        ),
        ("> a\n> b\n\nc", "<blockquote><p>a\nb</p></blockquote><p>c</p>"),
        (
            "a | b\n--|:-:\n1 | `x`",
            "<table><thead><tr><th>a</th><th>b</th></tr></thead>"
            "<tbody><tr><td>1</td><td><code>x</code></td></tr></tbody></table>",
        ),
        ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
        ("snake_case_name, 2 * 3 * 4, **not closed", "<p>snake_case_name, 2 * 3 * 4, **not closed</p>"),
        (
            "***both*** _it_ ~~out~~ ``a ` b``",
            "<p><strong><em>both</em></strong> <em>it</em> <del>out</del> <code>a ` b</code></p>",
        ),
        ("*a **b** c*", "<p><em>a <strong>b</strong> c</em></p>"),
        (
            '[label](https://a.example/b_(c) "t") \\*d\\*',
            '<p>label<span class="address">(https://a.example/b_(c))</span> *d*</p>',
        ),
        ("![alt](https://a.example/x.png)", "<p>![alt](https://a.example/x.png)</p>"),
        ("&amp; <b>bold</b>", "<p>&amp;amp; &lt;b&gt;bold&lt;/b&gt;</p>"),
    ],
)  # fmt: skip
def test_markdown_looks_as_it_is_meant(browser: Browser, text: str, html: str) -> None:
    page = browser.new_page()
    assert render(page, [text])[0].replace(' dir="auto"', "").replace(' dir="ltr"', "") == html
    page.close()


@pytest.mark.exhaustive
def test_injections_stay_text_in_the_whole_page(browser: Browser, tmp_path: Path) -> None:
    texts = tuple(text.encode("utf-8", "replace").decode()[:20_000] for text in (*INJECTIONS, *ATTACKS))
    path = finished(tmp_path, Shape(questions=60, hostile=texts))
    for bypass_csp in (False, True):
        with opened(browser, path, bypass_csp=bypass_csp) as watched:
            for _ in range(3):
                watched.page.evaluate(
                    "document.querySelectorAll('#questions > details').forEach(one => { one.open = true; })"
                )
                expect(watched.page.locator("#questions .body").last).to_be_attached()
                for control in watched.page.get_by_label("Mark the words that differ").all():
                    control.check()
                following = watched.page.get_by_role("button", name="Next")
                if following.is_enabled():
                    following.click()
            assert (
                watched.page.locator("main img, main iframe, main svg:not(.strip), main a:not([href^='#'])").count()
                == 0
            )
            assert watched.is_quiet(), watched


def longest_common(first: list[str], second: list[str]) -> int:
    """The length of the longest common subsequence."""
    lengths = [0] * (len(second) + 1)
    for word in first:
        before = lengths[:]
        for at, other in enumerate(second):
            lengths[at + 1] = before[at] + 1 if word == other else max(before[at + 1], lengths[at])
    return lengths[-1]


@pytest.mark.exhaustive
def test_what_is_not_marked_is_the_longest_that_both_texts_have_in_common(browser: Browser) -> None:
    chance = random.Random(5)
    pairs = [[" ".join(chance.choices("abcde", k=chance.randrange(12))) for _ in range(2)] for _ in range(300)]
    pairs += [
        ["one two three", "one three"],
        ["", ""],
        ["a", ""],
        ["同じ言葉です", "同じ文です"],
        ["0.9, it's", "0.8, it's"],
    ]
    page = browser.new_page()
    found = page.evaluate(
        f"pairs => {{ {script(page, 'words')}\nreturn pairs.map(pair => differing(...pair)); }}", pairs
    )
    page.close()
    for pair, one in zip(pairs, found, strict=True):
        assert ["".join(text for text, _ in runs) for runs in one["runs"]] == pair
        kept = ["".join(text for text, alone in runs if not alone).split() for runs in one["runs"]]
        assert "".join(kept[0]) == "".join(kept[1])
        if one in found[:303]:
            assert len(kept[0]) == longest_common(pair[0].split(), pair[1].split())
    assert found[300]["runs"][0] == [["one ", False], ["two", True], [" three", False]]
    assert [text for text, alone in found[303]["runs"][0] if alone] == ["言葉"]
    assert found[304]["alone"] == [1, 1]


@pytest.mark.exhaustive
def test_one_switch_marks_the_words_that_differ_and_another_shows_the_raw_text(browser: Browser, plain: Path) -> None:
    with opened(browser, plain) as watched:
        page, question = watched.page, all_questions(watched.page)[0]
        page.locator("#questions > details > summary").first.click()
        page.get_by_label("Mark the words that differ").check()
        sft, dpo, baseline = page.locator("#questions .written").all()
        assert sft.locator("mark").count() > 0 < baseline.locator("mark").count()
        assert dpo.locator("mark").count() == 0
        expect(page.locator(".differences .meta")).to_contain_text("sft has")
        page.get_by_label("First answer").select_option(label="dpo")
        assert dpo.locator("mark").count() > 0 == sft.locator("mark").count()
        page.get_by_label("Second answer").select_option(label="dpo")
        expect(page.locator(".differences .meta")).to_have_text("Choose two different answers.")
        page.get_by_label("Mark the words that differ").uncheck()
        assert page.locator("#questions mark").count() == 0
        page.get_by_label("Raw text").check()
        texts = [of[0]["text"] for of in question["answers"]]
        assert page.locator("#questions .written").all_text_contents() == texts
        assert page.locator(".formatted").count() == 0
        assert watched.is_quiet(), watched


@pytest.mark.exhaustive
def test_checks_stand_beside_the_answer_with_their_reasons(browser: Browser, plain: Path) -> None:
    with opened(browser, plain, "#answers?model=sft&criterion=no_loop&change=worse&order=loss:no_loop") as watched:
        page = watched.page
        assert shown(page) == 40
        first = page.locator("#questions > details").first
        expect(first.locator(".figure.worse")).to_have_count(1)
        first.locator("summary").click()
        expect(first.locator(".checks").first).to_contain_text("no_loop 0 it says <b>one</b> thing again")
        assert watched.is_quiet(), watched


def anna_rates_the_first_question(directory: Path) -> None:
    """She scores the answer of sft, and finds it better than the baseline's."""
    params = load_params(directory / "params.yaml")
    question = QUESTIONS.read(directory)[0]
    texts = [ANSWERS.read(model, directory)[0].answer for model in ("sft", "baseline")]
    asked = (question.asked, question.reference)
    key = answer_label_key(*asked, texts[0], rubric_of(params.judge.criteria))
    of_pair = pair_label_key(*asked, texts[0], texts[1], params.compare.criteria)
    rows = [
        label(key=key, scores={"accuracy": 1}, note="<b>wrong</b> year", instructions=params.instructions),
        label(key=of_pair, kind="pair", scores=None, preference=1, instructions=params.instructions),
    ]
    write_rows(directory / LABELS.path("anna"), rows)


@pytest.mark.exhaustive
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_what_people_said_is_found_and_shown_and_axe_is_content(
    browser: Browser, tmp_path: Path, color_scheme: Any
) -> None:
    path = finished(tmp_path, Shape(questions=30, unusable=0), anna_rates_the_first_question)
    with opened(browser, path, "#answers?show=people", color_scheme=color_scheme) as watched:
        page = watched.page
        assert shown(page) == 1
        page.locator("#questions > details > summary").click()
        expect(page.locator(".person").first).to_contain_text("anna, accuracy 1")
        expect(page.locator(".person").first).to_contain_text("<b>wrong</b> year")
        expect(page.locator(".person").last).to_have_text("anna prefers sft")
        page.get_by_label("Mark the words that differ").check()
        assert page.locator("#questions mark").count() > 0
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        assert watched.is_quiet(), watched


@pytest.mark.exhaustive
def test_a_table_that_is_wider_than_the_screen_says_that_it_goes_on(browser: Browser, plain: Path) -> None:
    for width, visible_hints in ((360, True), (1440, False)):
        with opened(browser, plain, width=width) as watched:
            hint = watched.page.locator(".scroll-hint").first
            expect(hint).to_be_visible() if visible_hints else expect(hint).to_be_hidden()
