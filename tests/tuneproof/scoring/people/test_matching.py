"""A label is of the answer that it was given for, whichever model writes that answer in this run."""

from pathlib import Path

import pytest

from tests.made_up.labels import label
from tests.made_up.run import Shape, write_run
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import ANSWERS, QUESTIONS
from tuneproof.records.keys import answer_label_key, pair_label_key
from tuneproof.records.rows import Answer, Question
from tuneproof.scoring.people.matching import labelled_answers, labelled_pairs
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    write_run(tmp_path, Shape(questions=6, unusable=0))
    monkeypatch.chdir(tmp_path)
    return load_params()


def read() -> tuple[dict[str, Question], list[Answer], list[Answer]]:
    return {one.id: one for one in QUESTIONS.read()}, ANSWERS.read("sft"), ANSWERS.read("baseline")


def test_an_answer_that_comes_again_from_another_model_is_labelled_already(run: Params) -> None:
    questions, answers, _ = read()
    question = questions[answers[2].id]
    key = answer_label_key(question.asked, question.reference, answers[2].answer, rubric_of(run.judge.criteria))
    given = [label(key=key), label(key=key, rater="ben"), label(key="f" * 64)]
    assert [(one.id, one.label.rater) for one in labelled_answers("sft", given, questions, run)] == [
        (question.id, "anna"), (question.id, "ben"),
    ]  # fmt: skip
    assert list(labelled_answers("dpo", given, questions, run)) == []
    write_rows(ANSWERS.path("dpo"), answers)
    assert [one.model for one in labelled_answers("dpo", given, questions, run)] == ["dpo", "dpo"]


@pytest.mark.parametrize("preference", [0, 0.5, 1])
def test_a_preference_is_the_models_whichever_of_the_two_came_first_when_it_was_given(
    run: Params, preference: float
) -> None:
    questions, answers, others = read()
    question = questions[answers[1].id]
    texts = (question.asked, question.reference)
    of_model = pair_label_key(*texts, answers[1].answer, others[1].answer, run.compare.criteria)
    of_baseline = pair_label_key(*texts, others[1].answer, answers[1].answer, run.compare.criteria)
    for key, expected in ((of_model, preference), (of_baseline, 1 - preference)):
        given = [label(key=key, kind="pair", scores=None, preference=preference)]
        found = list(labelled_pairs("sft", given, questions, run))
        assert [(one.id, one.preference) for one in found] == [(question.id, expected)]


def test_answers_are_not_read_where_there_are_no_labels(run: Params) -> None:
    assert list(labelled_answers("no-such-model", [], {}, run)) == []
    assert list(labelled_pairs("no-such-model", [label()], {}, run)) == []
