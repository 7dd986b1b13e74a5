from pathlib import Path

from tests.made_up.aggregated_run import details
from tuneproof.records.documents.resolved import ResolvedScorer
from tuneproof.results.words.notes import cautions, rate_level, reasons_note, win_rate_note
from tuneproof.results.words.verdicts import rate_verdict


def test_reasons_of_a_small_model_are_said_to_be_no_argument(aggregated: Path) -> None:
    run = details(aggregated, "sft").run
    assert reasons_note(run) == "", "a judge that writes gives arguments"
    embedded = run.judge.model_copy(update={"backend": "embedded"})
    said = reasons_note(run.model_copy(update={"judge": embedded}))
    assert said == (
        "The reasons name what weighed most in a small statistical model of words: what it counted, and no argument."
    )
    trained = {"style": ResolvedScorer(id="style", sha=None, content="c")}
    mixed = run.judge.model_copy(update={"evaluators": trained})
    assert reasons_note(run.model_copy(update={"judge": mixed})).startswith("The reasons in style name")


def test_a_caution_about_many_intervals_is_said_once(aggregated: Path) -> None:
    sft = details(aggregated, "sft")
    few = "only {} of 40 questions differ: the interval may miss"
    criteria = {
        name: one.model_copy(update={"caution": None, "gain_caution": few.format(count)})
        for count, (name, one) in enumerate(sft.criteria.items())
    }
    said = cautions([sft.model_copy(update={"criteria": criteria, "win_rate": None})])
    assert said == [
        (
            "The interval may miss.",
            ["sft: gain in accuracy (only 0 of 40 questions differ); gain in style (only 1 of 40 questions differ)."],
        )
    ]


def test_a_length_that_explains_no_win_rate_is_no_caution(aggregated: Path) -> None:
    sft = details(aggregated, "sft")
    assert sft.win_rate is not None
    plain = {name: one.model_copy(update={"caution": None, "gain_caution": None}) for name, one in sft.criteria.items()}
    changed = {
        "verdict": "better", "win_rate": 0.7, "caution": None, "length_controlled": 0.75, "length_controlled_low": 0.6,
        "length_controlled_high": 0.85, "length_controlled_caution": "its answers are shorter, so brevity may explain",
    }  # fmt: skip
    rate = sft.win_rate.model_copy(update=changed)
    model = sft.model_copy(update={"criteria": plain, "win_rate": rate})
    assert cautions([model]) == []
    weaker = model.model_copy(update={"win_rate": rate.model_copy(update={"length_controlled": 0.65})})
    assert cautions([weaker]) == [
        ("Its answers are shorter, so brevity may explain.", ["sft: win rate at equal length."])
    ]


def test_a_win_rate_says_the_level_of_its_interval_where_it_is_not_the_plans(aggregated: Path) -> None:
    sft = details(aggregated, "sft")
    assert sft.win_rate is not None
    assert rate_level(sft.run, sft.win_rate) == "interval at 97.5%"
    assert rate_verdict(sft).endswith(", shown only")
    alone = sft.win_rate.model_copy(update={"level": sft.run.alpha})
    assert rate_level(sft.run, alone) == ""


def test_what_the_interval_of_a_win_rate_is_is_said_once_for_all_places(aggregated: Path) -> None:
    models = [details(aggregated, model) for model in ("sft", "dpo", "baseline")]
    said = (
        "The interval of a win rate is the same on the cards, under Scores and under Charts: at 97.5%, so that those "
        "of all 2 models hold together at 95%; they are a family of their own beside the gains."
    )
    assert win_rate_note(models) == said
    criteria = models[0].run.criteria | {"win_rate": models[0].run.criteria["style"]}
    run = models[0].run.model_copy(update={"criteria": criteria})
    assert win_rate_note([one.model_copy(update={"run": run}) for one in models]) == (
        f"{said} Its gain over one half, by which the plan decides, is tested among the gains."
    )
    assert win_rate_note([one.model_copy(update={"win_rate": None}) for one in models]) == ""
