"""What a person sees who runs agree."""

from pathlib import Path

import pytest

from tests.conftest import Project
from tests.made_up.labels import label
from tests.made_up.people import write_labels
from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.records.documents.agreement import Agreement, AnswerLabels
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import AGREEMENT, LABELLED, LABELS
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    write_run(tmp_path, Shape(questions=70))
    monkeypatch.chdir(tmp_path)
    return load_params()


def agree(said: str = "") -> tuple[Agreement, list[AnswerLabels]]:
    done = run_here(Path(), "agree.py")
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    return AGREEMENT.read(), LABELLED.read()


def test_without_labels_it_says_so_in_a_line_and_how_many_are_missing(run: Params) -> None:
    found, rows = agree("no random labels")

    assert (found.source, found.criteria, found.pairs, rows) == (None, {}, None, [])
    assert found.labels.missing == {"sft": 50, "dpo": 50, "baseline": 50}
    assert AGREEMENT.path.stat().st_size < 4000


def test_the_judge_is_put_beside_itself_over_both_orders_against_chance(run: Params) -> None:
    found, _ = agree()

    orders = found.orders["sft"]
    assert list(found.orders) == ["sft", "dpo"]
    assert orders.consistency and orders.above_chance and orders.position_effect
    assert 0 < orders.by_chance < 0.6
    assert orders.above_chance.value == pytest.approx(
        (orders.consistency.value - orders.by_chance) / (1 - orders.by_chance), abs=1e-5
    )
    assert orders.position_effect.value > 0  # the made-up judge prefers what it is shown first


def test_people_agree_with_each_other_and_the_judge_stands_beside_them(run: Params) -> None:
    write_labels(Path(), run, questions=60, raters=("anna", "ben"))

    found, rows = agree("random labels of 2 people")

    assert (found.source, found.raters) == ("labels", ["anna", "ben"])
    for name in ("accuracy", "style"):
        one = found.criteria[name]
        assert one.people and one.judge
        assert one.people.rated == one.judge.answers == found.rated
        assert one.people.questions <= 60
        figures = (one.people.krippendorff_alpha, one.people.weighted_kappa, one.judge.weighted_kappa)
        for figure in figures:
            assert figure and figure.low is not None and figure.high is not None
            assert 0.3 < figure.low < figure.value < figure.high < 1
        assert sum(map(sum, one.judge.confusion)) == one.judge.answers
        assert set(one.judge.area_under_curve) == {"2", "3"}
    assert found.pairs and found.pairs.people and found.pairs.share_equal
    assert {row.raters for row in rows} == {2}
    assert {row.model for row in rows if row.preference is not None} == {"sft", "dpo"}
    assert all(count >= 50 for count in found.labels.questions.values())
    assert set(found.labels.missing.values()) == {0}


def test_one_person_alone_agrees_with_nobody(run: Params) -> None:
    write_labels(Path(), run, questions=20)

    found, _ = agree("random labels are missing on")

    assert found.criteria["accuracy"].people is None
    assert found.criteria["accuracy"].judge is not None
    assert all(0 < count < 50 for count in found.labels.missing.values())


def test_labels_that_were_chosen_or_given_for_other_words_feed_no_statistics(run: Params) -> None:
    write_labels(Path(), run, questions=20)
    given = LABELS.read("anna")
    write_rows(LABELS.path("anna"), [one.model_copy(update={"drawn": "chosen"}) for one in given])
    write_rows(LABELS.path("ben"), [one.model_copy(update={"rater": "ben", "instructions": "old"}) for one in given])

    found, rows = agree("no random labels")

    assert (found.source, rows) == (None, [])


def test_labels_of_answers_that_this_run_does_not_have_are_counted(run: Params) -> None:
    write_labels(Path(), run, questions=10)
    gone = [label(key=f"{number:064d}", instructions=run.instructions, rater="ben") for number in range(3)]
    write_rows(LABELS.path("ben"), gone)

    found, _ = agree()

    assert found.labels.no_longer_here == 3


def test_a_broken_label_is_named_with_its_line(run: Params) -> None:
    write_labels(Path(), run, questions=2)
    LABELS.path("anna").write_text('{"key": 3}\n')

    done = run_here(Path(), "agree.py")

    assert done.returncode == 1
    assert done.stderr.startswith("error: data/labels/anna.jsonl, line 1: ")


def test_the_embedded_judge_is_measured_by_answers_graded_twice(embedded_project: Project) -> None:
    embedded_project.run_ok("validate.py")
    embedded_project.set(compare__enabled=False)

    said = embedded_project.run_ok("agree.py")

    found = Agreement.model_validate_json((embedded_project.root / AGREEMENT.path).read_bytes())
    assert (found.source, found.raters, found.rated, found.questions) == ("graded", ["first", "second"], 160, 40)
    accuracy = found.criteria["accuracy"]
    assert accuracy.people and accuracy.people.share_equal
    assert accuracy.people.share_equal.value == pytest.approx(159 / 160)
    assert accuracy.judge and accuracy.judge.weighted_kappa and accuracy.judge.weighted_kappa.low
    assert 0.5 < accuracy.judge.weighted_kappa.low < accuracy.judge.weighted_kappa.value < 0.8
    assert "random labels are missing on 50 questions" in said
    assert found.labels.missing == {"sft": 50, "dpo": 50, "baseline": 50}
