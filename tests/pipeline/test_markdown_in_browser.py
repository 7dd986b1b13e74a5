"""Markdown in the report's script, in Chromium: what a text looks like, and what no text can do."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import Opened, opened
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.injections import INJECTIONS
from tests.made_up.run import Shape, finished
from tests.pipeline.answers_page import script
from tuneproof.results.report.browser.texts import visible

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


def test_no_heading_of_an_answer_looks_like_one_of_the_page(browser: Browser, tmp_path: Path) -> None:
    text = "\n\n".join(f"{'#' * level} baseline" for level in range(1, 7))
    with opened(browser, finished(tmp_path, Shape(questions=10, unusable=0, hostile=(text,))), width=1440) as watched:
        page = watched.page
        page.locator("#questions > details > summary").first.click()
        expect(page.locator("#questions > details[open] .written")).to_have_count(3)
        look = """all => all.map((one) => {
            const { fontSize, color, backgroundColor } = getComputedStyle(one);
            return [parseFloat(fontSize), color, backgroundColor, getComputedStyle(one, "::before").content];
        })"""
        written = page.locator("#questions > details[open] .written").first.locator(".heading").evaluate_all(look)
        titles = page.locator("#questions > details[open] .answer > h3").evaluate_all(look)
        assert len(written) == 6
        assert max(size for size, *_ in written) < min(size for size, *_ in titles)
        assert not {(color, wash) for _, color, wash, _ in written} & {(color, wash) for _, color, wash, _ in titles}
        assert [mark.split('"')[1].strip() for *_, mark in written] == ["#" * level for level in range(1, 7)]
