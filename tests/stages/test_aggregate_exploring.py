"""What aggregate says beside the decision: where a model loses, any two models, kinds of question."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.made_up.aggregated_run import (
    aggregate,
    change_judgements,
    change_params,
    details,
    write_edges,
    write_small_changes,
)
from tests.made_up.run import Shape, write_run
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import ANSWERS, COMPARISONS, JUDGEMENTS
from tuneproof.records.rows import Answer, Comparison, Judgement
from tuneproof.results.details.criteria import Changes
from tuneproof.results.words.verdicts import model_sentence
from tuneproof.statistics.differences import simultaneous_differences
from tuneproof.statistics.equal_length import gain_at_equal_length

SHAPE = Shape(questions=60, models=("sft", "dpo", "orpo", "baseline"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    write_run(directory, SHAPE)
    aggregate(directory)
    return directory


def scores(run: Path, model: str) -> dict[str, dict[str, float] | None]:
    """Every question's scores."""
    return {row.id: row.scores for row in read_rows(run / JUDGEMENTS.path(model), Judgement, made_by="")}


def differences(run: Path, model: str, other: str, criterion: str) -> dict[str, float]:
    """One model less another by question, over those scored in both."""
    ours, theirs = scores(run, model), scores(run, other)
    return {one: mine[criterion] - its[criterion] for one, mine in ours.items() if mine and (its := theirs[one])}


def test_every_question_scored_in_both_improved_stayed_or_got_worse(run: Path) -> None:
    for model in ("sft", "dpo", "orpo"):
        for criterion in ("accuracy", "style"):
            found = details(run, model).criteria[criterion]
            by_question = differences(run, model, "baseline", criterion).values()
            assert found.changes
            assert found.changes.worse == sum(one < 0 for one in by_question)
            assert found.changes.same == sum(one == 0 for one in by_question)
            assert found.changes.improved == sum(one > 0 for one in by_question)
            assert sum(found.changes.model_dump().values()) == found.paired
    assert details(run, "baseline").criteria["style"].changes is None


def test_the_five_worst_questions_are_those_that_lost_most_over_the_criteria(run: Path) -> None:
    lost = {
        one: (accuracy + differences(run, "sft", "baseline", "style")[one]) / 4
        for one, accuracy in differences(run, "sft", "baseline", "accuracy").items()
    }
    found = details(run, "sft").losses
    assert [one.share for one in found] == pytest.approx(sorted(lost.values())[:5])
    for loss in found:
        assert lost[loss.question] == pytest.approx(loss.share)
        assert loss.model == scores(run, "sft")[loss.question]
        assert loss.baseline == scores(run, "baseline")[loss.question]
    assert details(run, "baseline").losses == []


def test_a_gain_at_equal_length_is_told_of_the_judges_criteria_and_of_no_baseline(run: Path) -> None:
    lengths = {
        model: {row.id: len(row.answer) for row in read_rows(run / ANSWERS.path(model), Answer, made_by="")}
        for model in ("sft", "baseline")
    }
    by_question = differences(run, "sft", "baseline", "style")
    ratios = [lengths["sft"][one] / lengths["baseline"][one] for one in by_question]
    found = details(run, "sft").criteria["style"].equal_length
    expected = gain_at_equal_length(list(by_question.values()), ratios, 0.05, (1, 3))
    assert found and expected
    assert found.model_dump() == pytest.approx(vars(expected), rel=1e-5)
    assert details(run, "baseline").criteria["style"].equal_length is None


def test_what_a_model_lost_to_the_one_before_it_is_counted_and_the_worst_of_it_listed(run: Path) -> None:
    accuracy, style = (differences(run, "dpo", "sft", name) for name in ("accuracy", "style"))
    worse = {one for one in accuracy if accuracy[one] < 0 or style[one] < 0}
    lost = details(run, "dpo").lost_to["sft"]
    assert lost.worsened == len(worse) > len(lost.worst) == 5
    assert {one.question for one in lost.worst} <= worse
    shares = sorted((accuracy[one] + style[one]) / 4 for one in worse)
    assert [one.share for one in lost.worst] == pytest.approx(shares[:5])
    for one in lost.worst:
        assert one.model == scores(run, "dpo")[one.question]
        assert one.baseline == scores(run, "sft")[one.question]
    assert [list(details(run, name).lost_to) for name in ("sft", "orpo", "baseline")] == [[], ["dpo"], []]


def test_few_questions_have_no_gain_at_equal_length(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=24))
    aggregate(tmp_path)
    assert details(tmp_path, "sft").criteria["style"].equal_length is None


def test_a_lost_question_has_what_programs_scored_and_what_the_judge_preferred(tmp_path: Path) -> None:
    write_edges(tmp_path)
    compared = read_rows(tmp_path / COMPARISONS.path("sft"), Comparison, made_by="")
    for loss in details(tmp_path, "sft").losses:
        assert list(loss.model) == ["accuracy", "style", "finished", "no_loop", "shared_words"]
        orders: dict[int, list[float]] = {}
        for row in compared:
            if row.id == loss.question and row.preference is not None:
                orders.setdefault(row.sample, []).append(row.preference)
        known = [sum(both) / 2 for both in orders.values() if len(both) == 2]
        assert loss.preference == pytest.approx(sum(known) / len(known), rel=1e-5)


def test_less_than_half_a_step_is_no_change_and_the_worst_questions_agree_with_the_counts(tmp_path: Path) -> None:
    found = details(write_small_changes(tmp_path), "sft")
    counts = {name: found.criteria[name].changes for name in ("accuracy", "style")}
    assert counts == {
        "accuracy": Changes(improved=1, same=38, worse=1),
        "style": Changes(improved=0, same=39, worse=1),
    }
    assert (found.worsened, len(found.losses)) == (2, 2), "worse in at least one criterion"
    assert [one.model for one in found.losses] == [{"accuracy": 1.5, "style": 2.0}, {"accuracy": 3.0, "style": 1.0}]
    assert found.collapses and found.collapses.share == 2 / 40, "the same two"


def test_a_kind_of_question_is_counted_by_the_same_rule(tmp_path: Path) -> None:
    found = details(write_small_changes(tmp_path), "sft")
    for tag in ("subject", "source"):
        kinds = [one for one in found.slices if one.tag == tag]
        assert len(kinds) > 1
        for name in ("accuracy", "style"):
            counts = [changes.model_dump() for one in kinds if (changes := one.criteria[name].changes)]
            whole = found.criteria[name].changes
            assert whole
            assert {key: sum(one[key] for one in counts) for key in counts[0]} == whole.model_dump()
    assert all(one.changes is None for kind in details(tmp_path, "baseline").slices for one in kind.criteria.values())


def test_a_model_that_never_loses_has_no_worst_question(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=40, unusable=0))
    best = {"accuracy": 3.0, "style": 3.0}
    change_judgements(tmp_path, "sft", lambda _, row: row.model_copy(update={"scores": best}))
    aggregate(tmp_path)
    assert details(tmp_path, "sft").losses == []
    changes = details(tmp_path, "sft").criteria["style"].changes
    assert changes and changes.worse == 0


def test_any_two_models_are_paired_and_each_sees_the_other_mirrored(run: Path) -> None:
    ours, theirs = details(run, "dpo").against["sft"], details(run, "sft").against["dpo"]
    for criterion in ("accuracy", "style"):
        by_question = list(differences(run, "dpo", "sft", criterion).values())
        one, mirrored = ours[criterion], theirs[criterion]
        assert one.gain == pytest.approx(sum(by_question) / len(by_question), rel=1e-5)
        assert one.paired == len(by_question)
        assert (mirrored.gain, mirrored.low, mirrored.high) == (-one.gain, -one.high, -one.low)
    assert set(details(run, "dpo").against) == {"sft", "orpo"}
    assert details(run, "baseline").against == {}


def test_pairs_hold_together_as_a_family_of_their_own_and_widen_no_gain(run: Path) -> None:
    rows = {}
    for later, earlier in (("dpo", "sft"), ("orpo", "sft"), ("orpo", "dpo")):
        for criterion in ("accuracy", "style"):
            by_question = differences(run, later, earlier, criterion)
            rows[later, earlier, criterion] = np.array([by_question.get(one, np.nan) for one in scores(run, later)])
    family = simultaneous_differences(rows, 0.05, dict.fromkeys(rows, (1.0, 3.0)))
    for (later, earlier, criterion), expected in family.items():
        found = details(run, later).against[earlier][criterion]
        assert found.level == pytest.approx(expected.level, rel=1e-5)
        assert (found.low, found.high) == pytest.approx((expected.interval.low, expected.interval.high), rel=1e-5)
        assert found.level != details(run, later).criteria[criterion].level


def test_a_win_rate_in_the_plan_makes_no_pair_for_it_is_not_transitive(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=40))
    change_params(tmp_path, lambda params: params.update(decision={"improves": ["win_rate"]}))
    aggregate(tmp_path)
    assert "win_rate" in details(tmp_path, "dpo").criteria
    assert set(details(tmp_path, "dpo").against["sft"]) == {"accuracy", "style"}


def test_the_verdicts_sentence_names_how_many_comparisons_share_alpha(run: Path, tmp_path: Path) -> None:
    assert details(run, "sft").run.sharing == 6
    assert "6 comparisons share the 5%" in model_sentence(details(run, "sft"))
    write_run(tmp_path, Shape(questions=40, models=("sft", "baseline"), criteria={"accuracy": (1, 2, 3)}))
    aggregate(tmp_path)
    assert "share" not in model_sentence(details(tmp_path, "sft"))


def test_in_order_it_is_the_models_that_share_alpha(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=40))
    plan = {"improves": ["accuracy", "style"], "in_order": True}
    change_params(tmp_path, lambda params: params.update(decision=plan))
    aggregate(tmp_path)
    assert details(tmp_path, "sft").run.sharing == 2
    assert "2 models share the 5%" in model_sentence(details(tmp_path, "sft"))


def test_questions_without_tags_are_told_apart_by_length_and_a_shared_word(run: Path, tmp_path: Path) -> None:
    write_run(tmp_path, SHAPE)
    path = tmp_path / "data/questions.jsonl"
    rows = [json.loads(line) | {"tags": {}} for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    aggregate(tmp_path)
    found = details(tmp_path, "sft")
    assert found.run.kinds_from_words
    assert {one.tag for one in found.slices} == {"length", "topic"}
    assert sum(one.questions for one in found.slices if one.tag == "topic") == 60
    assert not details(run, "sft").run.kinds_from_words


def test_the_gain_over_what_the_baseline_finished_leaves_out_every_question_with_an_answer_cut_off(
    tmp_path: Path,
) -> None:
    write_run(tmp_path, Shape(questions=30, samples=2, unusable=0))
    path = tmp_path / ANSWERS.path("baseline")
    answers = read_rows(path, Answer, made_by="")
    whole = [row.model_copy(update={"finish_reason": "stop"}) for row in answers]
    places = {0: "length", 7: "error", 8: "length", 9: "length"}  # of questions 0, 3 and 4: one sample is enough
    write_rows(path, [row.model_copy(update={"finish_reason": places.get(at, "stop")}) for at, row in enumerate(whole)])
    aggregate(tmp_path)
    out = {answers[place].id for place in places}
    by_question: dict[str, list[float]] = {}
    for model, sign in (("sft", 0.5), ("baseline", -0.5)):
        for row in read_rows(tmp_path / JUDGEMENTS.path(model), Judgement, made_by=""):
            by_question.setdefault(row.id, []).append(sign * (row.scores or {})["style"])
    kept = [sum(scores) for one, scores in by_question.items() if one not in out]
    found = details(tmp_path, "sft").finished
    assert found
    assert (found.questions, len(kept)) == (27, 27)
    style = found.criteria["style"]
    assert style.paired == 27
    assert style.gain == pytest.approx(sum(kept) / 27, abs=1e-6)
    assert details(tmp_path, "baseline").finished is None
    write_rows(path, whole)
    aggregate(tmp_path)
    assert details(tmp_path, "sft").finished is None, "it finished them all"


def test_very_many_pairs_share_alpha_equally(tmp_path: Path) -> None:
    models = tuple(f"model-{number}" for number in range(15))
    write_run(tmp_path, Shape(30, models=(*models, "baseline"), criteria={"style": (1, 2, 3)}, compare=False))
    aggregate(tmp_path)
    pairs = 15 * 14 // 2
    levels = {one["style"].level for one in details(tmp_path, "model-3").against.values()}
    assert len(levels) == 1
    assert levels.pop() == pytest.approx(0.05 / pairs, rel=1e-5)
