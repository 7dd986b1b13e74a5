from pathlib import Path

import pytest

from tests.made_up.aggregated_run import aggregate, change_params, details
from tests.made_up.run import Shape, write_run
from tuneproof.records.rows import World
from tuneproof.results.details.changes import PairGain
from tuneproof.results.details.criteria import CriterionVerdict
from tuneproof.results.details.decisions import DecisionDetails, Ship
from tuneproof.results.details.model import Details
from tuneproof.results.report.headline import headline
from tuneproof.results.words.pairs import (
    best_shipping,
    between_shipping,
    counted,
    neighbours,
    outcome_counts,
    pair_sentence,
    pairs,
    pairs_note,
)

MODELS = ("sft", "dpo", "orpo", "baseline")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Details]:
    directory = tmp_path_factory.mktemp("run")
    write_run(directory, Shape(questions=40, models=MODELS))
    aggregate(directory)
    return [details(directory, model) for model in MODELS]


TURNED: dict[CriterionVerdict, CriterionVerdict] = {"better": "worse", "worse": "better", "undecided": "undecided"}


def with_verdicts(dpo: Details, *verdicts: CriterionVerdict, other: str = "sft") -> Details:
    gains = {
        name: PairGain(gain=0.2, low=0.1, high=0.3, level=0.01, paired=40, verdict=verdict)
        for name, verdict in zip(("accuracy", "style"), verdicts, strict=True)
    }
    return dpo.model_copy(update={"against": dpo.against | {other: gains}})


def test_every_pair_is_there_once_and_neighbours_come_first(models: list[Details]) -> None:
    found = [(one.model, other) for one, other in pairs(models)]
    assert found == [("dpo", "sft"), ("orpo", "dpo"), ("orpo", "sft")]
    assert neighbours(models) == 2
    assert (pairs(models[2:]), neighbours(models[3:])) == ([], 0)


def test_every_verdict_on_a_pair_has_its_sentence(models: list[Details]) -> None:
    dpo = models[1]
    said = {
        verdicts: pair_sentence(with_verdicts(dpo, *verdicts), "sft").split(":")[0]
        for verdicts in (
            ("better", "undecided"), ("undecided", "worse"), ("better", "worse"), ("undecided", "undecided"),
            ("better", "too few"),
        )
    }  # fmt: skip
    assert list(said.values()) == [
        "dpo is better than sft",
        "dpo is worse than sft",
        "dpo is better than sft in one respect and worse in another",
        "dpo against sft is undecided",
        "dpo against sft",
    ]
    assert "accuracy +0.20 [+0.10, +0.30], better; style" in pair_sentence(with_verdicts(dpo, "better", "worse"), "sft")


def may(model: Details, ship: Ship) -> Details:
    decision = DecisionDetails(ship=ship, improved=[], worsened=[], guards={}, questions_needed=None)
    return model.model_copy(update={"decision": decision})


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("better", "undecided"), "dpo is better than sft in accuracy, +0.20 [+0.10, +0.30]"),
        (
            ("better", "worse"),
            "dpo is better than sft in accuracy, +0.20 [+0.10, +0.30] and "
            "worse than sft in style, +0.20 [+0.10, +0.30]",
        ),
        (("undecided", "undecided"), "dpo and sft cannot be told apart"),
    ],
)
def test_of_two_models_that_may_ship_the_better_one_is_named(
    models: list[Details], verdicts: tuple[CriterionVerdict, CriterionVerdict], said: str
) -> None:
    sft, dpo = may(models[0], "yes"), may(with_verdicts(models[1], *verdicts), "yes")
    assert between_shipping([sft, dpo, *models[2:]]) == said
    assert between_shipping([sft, may(dpo, "not yet"), *models[2:]]) == ""


@pytest.mark.parametrize(
    ("verdicts", "best", "said"),
    [
        (("better", "undecided"), "dpo", "Ship dpo: it is better than sft, which may ship too"),
        (("better", "worse"), None, "Each of sft and dpo may ship"),
        (("undecided", "undecided"), None, "Each of sft and dpo may ship"),
    ],
)
def test_the_headline_names_the_best_of_those_that_may_ship_where_there_is_one(
    models: list[Details], verdicts: tuple[CriterionVerdict, CriterionVerdict], best: str | None, said: str
) -> None:
    others = [one.model_copy(update={"decision": None}) for one in models[2:]]
    sft = with_verdicts(models[0], *(TURNED[verdict] for verdict in verdicts), other="dpo")
    both = [may(sft, "yes"), may(with_verdicts(models[1], *verdicts), "yes"), *others]
    assert best_shipping(both) == best
    assert headline(both) == said
    alone = [both[1], *others]
    assert best_shipping(alone) is None
    assert headline(alone) == "Ship dpo"


def test_a_pair_is_counted_question_by_question_and_mirrored(models: list[Details]) -> None:
    sft, dpo = models[:2]
    for name, one in dpo.against["sft"].items():
        turned = sft.against["dpo"][name].changes
        assert one.changes is not None and turned is not None
        assert (one.changes.improved, one.changes.same, one.changes.worse) == (
            turned.worse, turned.same, turned.improved,
        )  # fmt: skip
        assert one.changes.improved + one.changes.same + one.changes.worse == one.paired
    changes = dpo.against["sft"]["style"].changes
    assert changes is not None
    assert counted(dpo, "sft")["style"] == changes
    assert [(words, number) for _, words, number in outcome_counts(changes)] == [
        ("better", changes.improved), ("the same", changes.same), ("worse", changes.worse),
    ]  # fmt: skip
    before = {name: one.model_copy(update={"changes": None}) for name, one in dpo.against["sft"].items()}
    assert counted(dpo.model_copy(update={"against": {"sft": before}}), "sft") == {}, "a file of before"


def test_the_note_says_that_win_rates_are_not_transitive_and_what_a_comparison_takes(models: list[Details]) -> None:
    note = pairs_note(models[0].run)
    assert "not transitive" in note
    assert "family of their own" in note
    assert "only the comparisons are asked for" in note
    people = models[0].run.model_copy(update={"in_units_of": "people"})
    assert "In the judge's units" in pairs_note(people)


def test_a_plan_by_win_rate_alone_compares_models_by_the_rubric(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=40))
    change_params(tmp_path, lambda params: params.update(decision={"improves": ["win_rate"]}))
    aggregate(tmp_path)
    assert "accuracy" in pair_sentence(details(tmp_path, "dpo"), "sft")


@pytest.mark.parametrize(("kind", "named"), [("dummy", "rehearsal"), ("embedded", "demonstration")])
def test_a_headline_says_first_that_a_run_is_no_real_one(models: list[Details], kind: World, named: str) -> None:
    run = models[0].run.model_copy(update={"run": kind})
    alone = [one.model_copy(update={"run": run}) for one in (may(models[0], "yes"), models[-1])]
    said = headline(alone)
    assert said.startswith(f"In this {named}, ")
    assert "ship sft" in said.lower()
