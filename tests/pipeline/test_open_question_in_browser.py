"""An open question of the report in Chromium: its texts and turns, the words that differ, checks and people."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser import opened
from tests.made_up.labels import label
from tests.made_up.run import Shape, finished
from tests.pipeline.answers_page import all_questions, plain_page, script, shown
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import ANSWERS, LABELS, QUESTIONS
from tuneproof.records.keys import answer_label_key, pair_label_key
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.reading import load_params


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_page(tmp_path_factory.mktemp("plain"))


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


def some_do_not_finish(directory: Path) -> None:
    """Of each model's answers every second one was cut off."""
    for model in ("sft", "dpo", "baseline"):
        path = directory / f"data/checks/{model}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows[::2]:
            row["scores"]["finished"] = 0.0
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_a_check_that_says_yes_or_no_has_one_form_beside_another(browser: Browser, tmp_path: Path) -> None:
    path = finished(tmp_path, Shape(questions=10, samples=2, unusable=0, run="embedded"), some_do_not_finish)
    with opened(browser, path, "#answers?criterion=finished") as watched:
        page = watched.page
        assert set(page.locator("#questions .question .figure b").all_text_contents()) == {"0.50"}
        page.locator("#questions > details > summary").first.click()
        checks = page.locator("#questions > details[open] .checks li b")
        expect(checks).to_have_count(18)
        assert set(checks.all_text_contents()) == {"0", "1"}, "of one answer a yes or no, without decimals"
        page.get_by_label("Criterion", exact=True).select_option("no_loop")
        assert set(page.locator("#questions .question .figure b").all_text_contents()) == {"1"}
