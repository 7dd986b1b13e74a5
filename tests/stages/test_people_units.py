"""People's labels of a run's own answers through agree, aggregate and report: scores in people's units."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.made_up.aggregated_run import change_params, details
from tests.made_up.people import Opinion, as_the_judge, write_labels
from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.results.details.model import Details
from tuneproof.results.words.decisions import ship_sentence
from tuneproof.results.words.people import disagreement_sentence, people_sentence
from tuneproof.results.words.verdicts import model_sentence
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params

QUESTIONS = 150
Decided = Callable[..., list[Details]]


def not_of_sft(model: str, score: float, chance: random.Random) -> float:
    """Rates as the judge does, but for sft, of which people think a step less."""
    return max(as_the_judge(model, score, chance) - (1 if model == "sft" else 0), 1)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    write_run(tmp_path, Shape(questions=QUESTIONS, models=("sft", "baseline")))
    change_params(tmp_path, lambda params: params.update(decision={"improves": ["accuracy", "style"]}))
    monkeypatch.chdir(tmp_path)
    return load_params()


def decided(run: Params, labelled: int, opinion: Opinion = as_the_judge, **decision: object) -> Details:
    """What aggregate makes of sft with labels on so many questions."""
    change_params(Path(), lambda params: params["decision"].update(decision))
    write_labels(Path(), run, labelled, ("anna", "ben"), opinion)
    for script in ("agree.py", "aggregate.py"):
        done = run_here(Path(), script)
        assert done.returncode == 0, done.stderr
    return details(Path(), "sft")


def test_below_fifty_labels_the_raw_figures_are_told_and_how_many_are_missing(run: Params) -> None:
    found = decided(run, 20)

    people = found.criteria["accuracy"].people
    assert people
    assert (people.mean, people.gain, people.verdict) == (None, None, None)
    assert people.people_mean is not None
    assert people.judge_mean is not None
    assert 0 < people.labels <= 20
    assert f"{50 - (people.gain_labels or 0)} of 50 labelled questions are missing" in people_sentence(found)
    assert found.people and (found.people.people, found.people.disagree) == ("too few", False)


def test_with_labels_enough_every_mean_gain_and_win_rate_is_corrected_beside_the_judges(run: Params) -> None:
    found = decided(run, 100)

    for name in ("accuracy", "style"):
        one = found.criteria[name]
        people = one.people
        assert people and people.mean is not None and people.low is not None and people.high is not None
        assert people.low < people.mean < people.high
        assert people.weight is not None and 0 < people.weight <= 1
        assert people.gain is not None and people.gain_low is not None and people.gain_high is not None
        assert people.gain_low < people.gain < people.gain_high
        assert people.level is not None and 0.025 <= people.level <= 0.05  # two criteria together
        assert one.judge_alone is None
        assert one.gain != people.gain
    rate = found.win_rate
    assert rate and rate.people and rate.people.mean is not None and rate.win_rate != rate.people.mean
    said = people_sentence(found)
    assert "lambda" in said and "more labels" in said


def test_where_the_judge_and_people_disagree_it_is_said_first(run: Params) -> None:
    found = decided(run, 130, not_of_sft)

    assert found.people and found.people.disagree
    assert (found.people.judge, found.people.people) == (found.verdict, "worse")
    sentence = disagreement_sentence(found)
    assert sentence.startswith("The verdicts of judge and people differ on sft: by the judge's scores it is ")
    assert sentence.endswith("by people's it is worse than baseline.")
    assert run_here(Path(), "report.py").returncode == 0
    summary, page = Path("report/summary.md").read_text(), Path("report/index.html").read_text()
    assert summary.splitlines()[0] == f"- **{sentence}**"
    assert page.index("The verdicts of judge and people differ") < page.index('<section class="verdicts"')
    assert "judge with people" in summary
    assert "judge with people" in page
    assert f"<dd>{run.people.guidelines}</dd>" in page


def test_the_plan_rests_on_people_where_it_says_so(run: Params) -> None:
    by_judge = decided(run, 130, not_of_sft)
    found = decided(run, 130, not_of_sft, in_units_of="people")

    accuracy = found.criteria["accuracy"]
    assert by_judge.decision and found.decision
    assert by_judge.decision.ship != "no"
    assert found.decision.ship == "no"
    assert found.verdict == accuracy.verdict == "worse"
    assert accuracy.people and accuracy.judge_alone
    assert (accuracy.mean, accuracy.gain, accuracy.paired) == (
        accuracy.people.mean, accuracy.people.gain, accuracy.people.gain_labels
    )  # fmt: skip
    assert accuracy.judge_alone.gain == by_judge.criteria["accuracy"].gain
    assert accuracy.gain_method == "prediction-powered (PPI++)"
    assert "sft: do not ship, for it is worse on accuracy" in ship_sentence(found)


def test_without_labels_enough_a_plan_in_peoples_units_is_not_yet(run: Params) -> None:
    found = decided(run, 30, in_units_of="people")

    labels = found.criteria["accuracy"].paired
    assert found.decision and found.decision.ship == "not yet"
    assert found.verdict == found.criteria["accuracy"].verdict == "too few"
    assert labels is not None and 20 <= labels <= 30
    assert f"{labels} questions are labelled in both and 50 are needed" in ship_sentence(found)
    assert f"{50 - labels} more labelled questions come first" in ship_sentence(found)
    assert "labelled in both, 50 needed" in model_sentence(found)


def test_guards_and_an_order_are_tested_in_peoples_units_too(run: Params) -> None:
    found = decided(run, 140, in_units_of="people", improves=["accuracy"], in_order=True, must_not_drop={"style": 1.5})

    assert found.decision
    guard = found.decision.guards["style"]
    style = found.criteria["style"].people
    assert style and guard.difference == style.gain
    assert (guard.questions, guard.outcome) == (style.gain_labels, "held")
    assert found.criteria["style"].verdict == "not tested"


def test_a_check_in_the_plan_stays_what_it_is(run: Params) -> None:
    change_params(Path(), lambda params: params.update(check={"finished": {"kind": "finish"}}))
    assert run_here(Path(), "check.py", "sft").returncode == run_here(Path(), "check.py", "baseline").returncode == 0

    found = decided(run, 140, in_units_of="people", improves=["accuracy", "finished"])

    finished = found.criteria["finished"]
    assert (finished.people, finished.judge_alone) == (None, None)
    assert finished.paired is not None and finished.paired >= QUESTIONS - 2
    assert finished.level == found.criteria["accuracy"].level


def test_a_label_of_a_question_that_is_gone_is_a_mistake_in_one_line(run: Params) -> None:
    decided(run, 60)
    path = Path("data/labelled/answers.jsonl")
    path.write_text(path.read_text().replace('"model":"sft"', '"model":"gone"', 1))

    done = run_here(Path(), "aggregate.py")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "error: data/labelled/answers.jsonl: this run has no answer of gone to "
    )
