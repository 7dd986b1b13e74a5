import json
from pathlib import Path

import pytest

from tests.made_up.aggregated_run import details
from tuneproof.records.documents.admission import AdmissionResult
from tuneproof.records.documents.agreement import Agreement, ScoreBias, Source
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.doubts.mistakes import (
    bend_clause,
    beyond_the_rated,
    errors_by_criterion,
    mistakes_note,
    one_source_note,
    preference_text,
    witness_text,
)


def agreement(source: Source, share: float) -> Agreement:
    figure = {"value": share, "low": None, "high": None}
    biased = [{"score": 3, "answers": 55, "bias": -0.58}]
    judge = {
        "answers": 40, "questions": 40, "weighted_kappa": None, "nominal_kappa": None, "share_equal": figure,
        "rank_correlation": None, "area_under_curve": {}, "bias": None, "bias_by_score": biased, "length_effect": None,
        "steps": [1, 2, 3], "confusion": [[0, 0, 0], [0, 1, 0], [1, 24, 30]],
    }  # fmt: skip
    labels = {"needed": 50, "questions": {}, "missing": {}, "no_longer_here": 0}
    made = {
        "run": "real", "source": source, "raters": ["ada"], "rated": 40, "questions": 40,
        "criteria": {"style": {"people": None, "judge": judge}}, "pairs": None, "orders": {}, "labels": labels,
    }  # fmt: skip
    return Agreement.model_validate_json(json.dumps(made))


def asked(run: RunDetails) -> RunDetails:
    admission = AdmissionResult(key="k", source="golden answers")
    return run.model_copy(update={"admission": admission})


def test_mistakes_are_counted_beside_people_and_said_to_gather_in_the_worst_questions(aggregated: Path) -> None:
    run = details(aggregated, "sft").run.model_copy(update={"agreement": agreement("labels", 0.75)})
    said = mistakes_note(run)
    assert said.startswith(
        "These are the largest falls of all, so a mistake of the judge, in either answer, is likelier"
    )
    assert "People scored otherwise than it did in 25.0% in style of the answers that they rated. Read both" in said


@pytest.mark.parametrize("graded", [True, False])
def test_answers_of_another_time_say_nothing_of_mistakes_in_this_runs(aggregated: Path, graded: bool) -> None:
    run = details(aggregated, "sft").run
    known = run.model_copy(update={"agreement": agreement("graded", 0.75)}) if graded else asked(run)
    said = mistakes_note(known)
    assert "none of them is of this run, so how often it is mistaken about answers like baseline's is not known" in said
    assert ("25.0% in style" in said) is graded


def test_a_judge_that_nobody_checked_is_called_so_and_one_that_takes_no_part_is_not_spoken_of(aggregated: Path) -> None:
    run = details(aggregated, "sft").run
    assert "nothing was held against it" in mistakes_note(run)
    checks = {name: one.model_copy(update={"source": "check"}) for name, one in run.criteria.items()}
    assert mistakes_note(run.model_copy(update={"criteria": checks})) == ""


def test_a_preference_is_told_but_for_a_judge_that_prefers_by_its_scores(aggregated: Path) -> None:
    run = details(aggregated, "sft").run
    said = [preference_text(run, "sft", preference) for preference in (1.0, 0.5, 0.42, 0.25, None)]
    assert said == [
        "Shown both answers in both orders, the judge prefers sft's",
        "Shown both answers in both orders, the judge does not tell which is better",
        "Shown both answers in both orders, the judge leans to baseline's",
        "Shown both answers in both orders, the judge prefers baseline's",
        "",
    ]
    embedded = run.model_copy(update={"judge": run.judge.model_copy(update={"backend": "embedded"})})
    assert preference_text(embedded, "sft", 1.0) == ""


def test_what_the_judge_gave_the_best_and_the_worst_answers_by_people_is_told(aggregated: Path) -> None:
    run = details(aggregated, "sft").run
    assert errors_by_criterion(run) == [], "nobody rated"
    assert errors_by_criterion(run.model_copy(update={"agreement": agreement("graded", 0.75)})) == [
        "style: of 55 answers that people gave 3 it gave 3 to 30, 2 to 24, 1 to 1 (0.58 below people on average)"
    ]


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([(0.3, 0.1)], "speaks for a loss"),
        ([(0.1, 0.3), (0.0, 1.0)], "speaks against a loss"),
        ([(0.3, 0.1), (0.0, 1.0)], "speaks both ways"),
        ([(None, 1.0)], "says nothing of a loss"),
    ],
)
def test_what_programs_scored_speaks_for_a_loss_or_against_it(
    aggregated: Path, scores: list[tuple[float | None, float | None]], said: str
) -> None:
    run = details(aggregated, "sft").run
    assert witness_text(run, [("check", before, after) for before, after in scores]) == said


def test_what_the_embedded_judge_counts_itself_is_no_second_witness(aggregated: Path) -> None:
    run = details(aggregated, "sft").run
    embedded = run.model_copy(update={"judge": run.judge.model_copy(update={"backend": "embedded"})})
    scores = [("shared_words", 0.3, 0.1)]
    assert witness_text(embedded, scores) == "speaks for a loss, but this judge counts shared words too"
    assert witness_text(run, scores) == "speaks for a loss"
    assert "shared_words is no second witness" in one_source_note(embedded)
    assert one_source_note(run) == ""


@pytest.mark.parametrize(("low", "high", "said"), [(0.4, -0.6, "larger"), (-0.4, 0.6, "smaller"), (0.4, 0.6, "")])
def test_what_the_judges_errors_do_to_a_distance_is_said(low: float, high: float, said: str) -> None:
    judge = agreement("graded", 0.75).criteria["style"].judge
    assert judge
    biases = [ScoreBias(score=step, answers=9, bias=bias) for step, bias in ((1, low), (3, high))]
    found = bend_clause(judge.model_copy(update={"bias_by_score": biases}))
    assert (f"between such answers a gain is rather {said} by people's measure" in found) if said else found == ""


def test_where_no_answer_of_the_run_was_rated_what_errors_do_to_its_gains_is_unknown(
    aggregated: Path,
) -> None:
    run = details(aggregated, "sft").run
    said = [
        beyond_the_rated(run.model_copy(update={"agreement": found}))
        for found in (agreement("graded", 0.75), agreement("labels", 0.75), None)
    ]
    assert said[0].startswith("None of these is of this run. How it scores answers like baseline's is not known, nor")
    assert said[1:] == ["", ""]
