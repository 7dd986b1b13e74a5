"""Any two models in the report's answer browser: what the filters leave is what the page counts."""

import math
from collections.abc import Iterator
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import Opened, opened
from tests.made_up.aggregated_run import details, write_edges
from tests.made_up.run import Shape, finished
from tests.pipeline.answers_page import all_questions, script, shown
from tests.running import run_here
from tuneproof.results.details.criteria import Changes
from tuneproof.results.details.model import Details

WAYS = ("better", "same", "worse")
FOLLOW = """address => new Promise((done) => {
  addEventListener("hashchange", done, { once: true });
  location.hash = address;
})"""


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("edges")
    write_edges(directory)
    assert run_here(directory, "report.py").returncode == 0
    return directory


@pytest.fixture
def report(browser: Browser, edges: Path) -> Iterator[Opened]:
    with opened(browser, edges / "report/index.html") as watched:
        yield watched
        assert watched.is_quiet(), watched


def asks(page: Page, address: str) -> int:
    """How many questions an address leaves."""
    page.evaluate(FOLLOW, address)
    expect(page.locator("#address-note")).to_have_text("")
    return shown(page)


def counted(models: dict[str, Details], model: str, other: str, criterion: str) -> dict[str, int]:
    """What aggregate counted for one model beside another, from whichever of the two has it."""
    baseline = models[model].run.baseline
    if other == baseline:
        changes = models[model].criteria[criterion].changes
    elif model == baseline:
        turned = counted(models, other, model, criterion)
        return {"better": turned["worse"], "same": turned["same"], "worse": turned["better"]}
    else:
        changes = models[model].against[other][criterion].changes
    assert isinstance(changes, Changes)
    return {"better": changes.improved, "same": changes.same, "worse": changes.worse}


def mean_of(samples: list[dict[str, Any]], criterion: int) -> float:
    """The mean score of an answer's samples, NaN where none has one."""
    known = [of["scores"][criterion] for of in samples if of["scores"]]
    return sum(known) / len(known) if known else math.nan


def test_for_every_two_models_and_criterion_the_list_has_as_many_rows_as_are_counted(
    report: Opened, edges: Path
) -> None:
    names = ("sft", "dpo", "orpo", "baseline")
    models = {name: details(edges, name) for name in names}
    criteria = [name for name, one in models["sft"].run.criteria.items() if one.by_answer]
    assert criteria == ["accuracy", "style", "finished", "no_loop", "shared_words"]
    seen = 0
    for model, other in permutations(names, 2):
        for criterion in criteria:
            found = {
                way: asks(report.page, f"#answers?model={model}&against={other}&criterion={criterion}&change={way}")
                for way in WAYS
            }
            assert found == counted(models, model, other, criterion), (model, other, criterion)
            seen += min(found.values()) > 0
    assert seen > 30
    at_the_edge = [
        difference
        for question in all_questions(report.page)
        for first, second in combinations(question["answers"], 2)
        if (difference := abs(mean_of(first, 1) - mean_of(second, 1))) == pytest.approx(0.15, abs=1e-12)
    ]
    assert len(at_the_edge) > 20
    assert {one < 0.15 for one in at_the_edge} == {True, False}, "no float is half of 0.3"


def test_every_count_of_two_models_leads_to_its_questions_and_the_rows_bear_the_sign(report: Opened) -> None:
    page = report.page
    page.get_by_text("All 3 pairs on every criterion").click()
    links = page.locator("section:has(> #pairs) a[href*='change=']")
    found = [(link.get_attribute("href") or "", int(link.inner_text())) for link in links.all()]
    assert len(found) > 40
    for address, number in sorted(set(found)):
        assert asks(page, address) == number, address
        if "change=worse" in address:
            model = ["sft", "dpo", "orpo"].index(address.split("model=")[1].split("&")[0])
            rows = page.locator(f"#questions > details > summary .chip:nth-child({model + 1})")
            assert rows.locator(".worse").count() == rows.count() == min(number, 20)


def test_a_question_that_was_lost_to_the_model_before_opens(report: Opened) -> None:
    page = report.page
    lost = page.locator("section:has(> #pairs) .worst a").first
    asked = lost.inner_text()
    lost.click()
    assert page.locator("#questions details[open] > summary").inner_text().startswith(asked.rstrip("…")[:60])


def test_the_largest_loss_against_the_chosen_model_comes_first(report: Opened) -> None:
    page = report.page
    page.get_by_label("Model", exact=True).select_option("dpo")
    page.get_by_label("Compare with", exact=True).select_option("sft")
    page.get_by_label("Against sft", exact=True).select_option("worse")
    page.get_by_label("Criterion", exact=True).select_option("accuracy")
    page.get_by_label("Sort by", exact=True).select_option("loss:accuracy")
    assert page.evaluate("location.hash") == (
        "#answers?model=dpo&against=sft&change=worse&criterion=accuracy&order=loss:accuracy"
    )

    first = page.locator("#questions > details").first
    losses = {one["id"]: mean_of(one["answers"][0], 0) - mean_of(one["answers"][1], 0) for one in all_questions(page)}
    largest = max(loss for loss in losses.values() if not math.isnan(loss))
    assert losses[first.get_attribute("data-id") or ""] == pytest.approx(largest)
    expect(page.locator(".reference").first).to_have_text("sft")
    first.locator("summary").click()
    both = page.locator("select[aria-label$=answer] option:checked")
    expect(both).to_have_text(["dpo, sample 1", "sft, sample 1"])
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".reference").first).to_have_text("baseline")


def test_a_model_beside_itself_is_said_to_be_and_the_baseline_may_be_named(report: Opened) -> None:
    assert asks(report.page, "#answers?model=sft&against=sft&change=worse") == 0
    expect(report.page.locator("#count")).to_have_text("No question matches: sft is compared with itself.")
    assert (
        asks(report.page, "#answers?model=sft&against=baseline&change=worse")
        == asks(report.page, "#answers?model=sft&change=worse")
        > 0
    )


def test_with_one_model_beside_the_baseline_there_is_nothing_to_choose(browser: Browser, tmp_path: Path) -> None:
    path = finished(tmp_path, Shape(questions=20, models=("sft", "baseline")))
    with opened(browser, path, "#answers?model=sft&change=better") as watched:
        assert shown(watched.page) > 0
        expect(watched.page.get_by_label("Compare with")).to_have_count(0)
        expect(watched.page.get_by_label("Against baseline", exact=True)).to_have_value("better")
        assert watched.is_quiet(), watched


def test_a_score_is_the_mean_over_samples_of_the_mean_over_their_turns(browser: Browser) -> None:
    page = browser.new_page()
    scores = [1, 0, None, 1]  # two samples of two turns
    found = page.evaluate(
        f"scores => {{ {script(page, 'elements', 'scores')}\n"
        "return questionMean({ turns: [0, 1] }, scores.map(score => ({ checks: [[score]] })), 0); }",
        scores,
    )
    page.close()
    assert found == 0.75
