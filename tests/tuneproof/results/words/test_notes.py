from pathlib import Path

from tests.made_up.aggregated_run import details
from tuneproof.records.documents.resolved import ResolvedScorer
from tuneproof.results.words.notes import cautions, reasons_note, win_rate_note


def test_reasons_of_a_small_model_are_said_to_be_no_argument(aggregated: Path) -> None:
    run = details(aggregated, "sft").run
    assert reasons_note(run) == "", "a judge that writes gives arguments"
    embedded = run.judge.model_copy(update={"backend": "embedded"})
    said = reasons_note(run.model_copy(update={"judge": embedded}))
    assert said == "The reasons name what weighed most in a small statistical model of words; they are no argument."
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
        "The interval may miss: sft, accuracy (only 0 of 40 questions differ); "
        "sft, style (only 1 of 40 questions differ)."
    ]


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
