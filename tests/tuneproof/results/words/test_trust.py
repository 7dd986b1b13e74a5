from pathlib import Path

import pytest

from tests.made_up.aggregated_run import details
from tuneproof.records.documents.admission import BOTH_ORDERS, AdmissionResult, CriterionAdmission, Figure, Orders
from tuneproof.results.details.model import Details
from tuneproof.results.report.headline import headline
from tuneproof.results.words.trust import agreement_word, judge_sentence, needs_caution, reading_note

GOOD = Figure(value=0.62, low=0.48, high=0.74, answers=60)
ORDERS = Orders(
    pairs=90, consistency=Figure(value=0.8, low=0.7, high=0.88, answers=90), by_chance=0.5,
    above_chance=Figure(value=0.6, low=0.4, high=0.8, answers=90),
)  # fmt: skip
SHOWN = AdmissionResult(
    key="abc", source="golden answers", answers=60, answered_as=["gpt-4o-mini-local"], orders=ORDERS,
    criteria={"accuracy": CriterionAdmission(agreement=GOOD, repeat=GOOD)},
)  # fmt: skip


@pytest.fixture
def models(aggregated: Path) -> list[Details]:
    return [details(aggregated, model) for model in ("sft", "dpo", "baseline")]


def with_run(models: list[Details], judge_models: tuple[str, ...] = (), **changes: object) -> list[Details]:
    changed = {"run": models[0].run.model_copy(update=changes), "judge_models": list(judge_models)}
    return [model.model_copy(update=changed) for model in models]


def test_the_judge_that_comes_with_the_project_is_said_to_be_no_model_of_language(models: list[Details]) -> None:
    embedded = models[0].run.judge.model_copy(update={"backend": "embedded"})
    changed = with_run(models, admission=SHOWN, orders=None, judge=embedded)
    assert "(a small statistical model of words, which understands nothing) passed" in judge_sentence(changed)
    assert reading_note(changed[0].run).endswith("so it agrees with itself by its making.")
    assert "statistical" not in judge_sentence(with_run(models, admission=SHOWN, orders=None))


def test_without_admission_the_line_says_that_nothing_says_so_and_what_the_run_itself_knows(
    models: list[Details],
) -> None:
    said = judge_sentence(with_run(models, orders=ORDERS))
    assert said.startswith("Nothing says yet whether the judge ")
    assert said.endswith(
        "It gives the same preference in both orders in 80% [70%, 88%] of 90 pairs (chance 50%); 90% interval."
    )
    assert judge_sentence(with_run(models, orders=None)).endswith("no golden answers (admission).")
    assert not needs_caution(with_run(models, orders=ORDERS))


def test_an_admitted_judge_has_its_figures_with_people_with_itself_and_over_orders(models: list[Details]) -> None:
    said = judge_sentence(with_run(models, admission=SHOWN, orders=None))
    assert "is admitted: weighted kappa with golden answers 0.62 [0.48, 0.74] in accuracy; with itself" in said
    assert "80% [70%, 88%] of 90 pairs (chance 50%)" in said
    assert not needs_caution(with_run(models, admission=SHOWN, orders=None))


@pytest.mark.parametrize(
    ("kappa", "word"),
    [(-0.01, "poor"), (0.0, "slight"), (0.2, "slight"), (0.21, "fair"), (0.4, "fair"), (0.41, "moderate"),
     (0.6, "moderate"), (0.604, "moderate"), (0.606, "substantial"), (0.8, "substantial"), (0.81, "almost perfect"),
     (1.0, "almost perfect")],
)  # fmt: skip
def test_a_kappa_has_the_word_of_landis_and_koch(kappa: float, word: str) -> None:
    assert agreement_word(kappa) == word


def test_the_line_begins_with_a_plain_verdict(models: list[Details]) -> None:
    good, fair = (CriterionAdmission(agreement=GOOD.model_copy(update={"value": value})) for value in (0.94, 0.73))
    unknown = CriterionAdmission()
    both = SHOWN.model_copy(update={"criteria": {"style": good, "accuracy": fair, "tone": unknown}})
    judge = models[0].run.judge.judges[0]["model"]
    assert judge_sentence(with_run(models, admission=both)).startswith(
        f"The judge {judge} passed what was asked of it: its agreement with golden answers is almost perfect in style "
        "(weighted kappa 0.94) and substantial in accuracy (weighted kappa 0.73). It is admitted: "
    )
    refused = both.model_copy(update={"refused": ["it is 0.30, below admission.weighted_kappa 0.4"]})
    said = judge_sentence(with_run(models, admission=refused))
    assert said.startswith(f"The judge {judge} did not pass what was asked of it: ")
    assert "passed" not in said
    assert "It is not admitted (missed: " in said


def test_no_word_praises_a_judge_that_is_no_better_than_chance(models: list[Details]) -> None:
    chance = SHOWN.model_copy(update={"at_chance": ["accuracy beside golden answers"]})
    passed, refused = (
        judge_sentence(with_run(models, admission=chance.model_copy(update={"refused": missed})))
        for missed in ([], ["it is 0.10, below admission.weighted_kappa 0.4"])
    )
    doubt = "it is not shown to be better than chance in accuracy beside golden answers. It is "
    assert f"passed what was asked of it, but {doubt}admitted" in passed
    assert f"did not pass what was asked of it: {doubt}not admitted" in refused
    for said in (passed, refused):
        assert "substantial" not in said
        assert "No verdict rests on this judge" in said


def test_the_line_says_what_was_needed_and_what_golden_answers_are(models: list[Details]) -> None:
    asked = SHOWN.model_copy(update={"bars": {"weighted_kappa": 0.4, "repeat": 0.5, "consistency": 0.7}})
    said = judge_sentence(with_run(models, admission=asked, orders=None))
    assert "with golden answers 0.62 [0.48, 0.74] in accuracy (0.4 is needed); with itself" in said
    assert "(chance 50%, 70% is needed); 90% intervals" in said
    assert "Golden answers are 60 answers that were graded before the run." in reading_note(
        with_run(models, admission=asked)[0].run
    )
    people = asked.model_copy(update={"bars": {"weighted_kappa": "people"}, "source": "people"})
    changed = with_run(models, admission=people, orders=None)
    assert "(as much as two graders with each other is needed)" in judge_sentence(changed)
    assert "olden" not in reading_note(changed[0].run)


def test_a_judge_that_missed_a_bar_is_a_warning_that_names_the_bar(models: list[Details]) -> None:
    refused = SHOWN.model_copy(update={"refused": ["it is 0.30, below admission.weighted_kappa 0.4"]})
    changed = with_run(models, admission=refused)
    assert "is not admitted (missed: admission.weighted_kappa 0.4)" in judge_sentence(changed)
    assert needs_caution(changed)


def test_a_judge_that_answered_as_another_model_than_was_admitted_is_told(models: list[Details]) -> None:
    changed = with_run(models, ("gpt-5o", "gpt-4o-mini-local"), admission=SHOWN)
    assert "It answered as gpt-5o, which is not what was admitted." in judge_sentence(changed)
    assert needs_caution(changed)


def test_no_better_than_chance_comes_first_in_the_headline(models: list[Details]) -> None:
    by_chance = ORDERS.model_copy(update={"above_chance": Figure(value=0.0, low=-0.2, high=0.2, answers=90)})
    changed = with_run(models, admission=AdmissionResult(), orders=by_chance)
    assert headline(changed).startswith(
        f"No verdict rests on this judge, which is no better than chance in {BOTH_ORDERS}"
    )
    assert judge_sentence(changed).endswith(f"no better than chance in {BOTH_ORDERS}.")
    few = by_chance.model_copy(update={"pairs": 20})
    assert "No verdict" not in headline(with_run(models, admission=AdmissionResult(), orders=few))
    ties = by_chance.model_copy(update={"above_chance": None})
    assert "No verdict" not in headline(with_run(models, admission=AdmissionResult(), orders=ties))
    admitted = with_run(models, admission=SHOWN, orders=by_chance)  # its orders are known from pairs that differ
    assert "No verdict" not in headline(admitted)
