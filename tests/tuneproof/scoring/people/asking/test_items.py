"""Which answers are asked: drawn by question, whoever wrote them, and those most worth a look."""

import math
from pathlib import Path

import pytest

from tests.made_up.run import Shape, write_run
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import ANSWERS, COMPARISONS, JUDGEMENTS, QUESTIONS
from tuneproof.records.rows import Question
from tuneproof.scoring.people.asking.doubts import OPEN_WEIGHT, Scorer, doubts_of_evaluators, read_doubts
from tuneproof.scoring.people.asking.items import in_order_of, items_of_run, shuffled
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    write_run(tmp_path, Shape(questions=30, unusable=0))
    monkeypatch.chdir(tmp_path)
    return load_params()


def asking(params: Params, **people: int) -> Params:
    plain = {"sample": 0, "pairs": 0, "chosen": 0}
    return params.model_copy(update={"people": params.people.model_copy(update=plain | people)})


def questions() -> dict[str, Question]:
    return {one.id: one for one in QUESTIONS.read()}


def test_every_models_answer_to_a_drawn_question_is_asked(run: Params) -> None:
    items = items_of_run(asking(run, sample=20), questions())
    by_question = {item.id: [one for one in items if one.id == item.id] for item in items}
    assert len(by_question) == math.ceil(20 / 3)
    assert all(len(of_question) == 3 for of_question in by_question.values())
    assert {item.drawn for item in items} == {"random"}


def test_more_questions_hold_all_of_fewer_and_another_seed_other_ones(run: Params) -> None:
    few, more, other = (
        {item.key for item in items_of_run(asking(run, **people), questions())}
        for people in ({"sample": 21}, {"sample": 45}, {"sample": 21, "seed": 7})
    )
    assert few < more
    assert few != other


def test_the_draw_is_uniform_over_questions() -> None:
    names = {str(number): None for number in range(20)}
    counts = dict.fromkeys(names, 0)
    for seed in range(2_000):
        for name in shuffled(names, seed)[:5]:
            counts[name] += 1
    spread = math.sqrt(2_000 * 0.25 * 0.75)
    assert all(abs(count - 500) < 4.5 * spread for count in counts.values()), counts


def test_the_same_answer_of_two_models_is_asked_once(run: Params) -> None:
    write_rows(ANSWERS.path("dpo"), ANSWERS.read("sft"))
    items = items_of_run(asking(run, sample=90, pairs=60), questions())
    assert sum(item.kind == "answer" for item in items) == 60
    assert sum(item.kind == "pair" for item in items) == 30
    assert len({key for item in items for key in item.keys}) == 120


def test_empty_answers_and_failed_ones_are_not_asked(run: Params) -> None:
    answers = ANSWERS.read("sft")
    answers[0] = answers[0].model_copy(update={"answer": " \n"})
    answers[1] = answers[1].model_copy(update={"answer": "", "finish_reason": "error", "error": "too long"})
    write_rows(ANSWERS.path("sft"), answers)
    items = items_of_run(asking(run, sample=90, pairs=60), questions())
    assert sum(item.kind == "answer" for item in items) == 88
    assert sum(item.kind == "pair" for item in items) == 58


def test_one_sample_of_each_question_is_asked_alike_of_every_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, Shape(questions=12, unusable=0, samples=3))
    monkeypatch.chdir(tmp_path)
    items = items_of_run(asking(load_params(), sample=36, pairs=24), questions())
    samples = {(one.id, one.answer): one.sample for model in ("sft", "dpo", "baseline") for one in ANSWERS.read(model)}
    assert len(items) == 36 + 24
    asked: dict[str, set[int]] = {}
    for item in items:
        asked.setdefault(item.id, set()).update(samples[item.id, answer] for answer in item.answers)
    assert all(len(of_question) == 1 for of_question in asked.values())
    assert len({min(of_question) for of_question in asked.values()}) > 1


def test_what_the_judge_contradicts_itself_on_is_chosen_and_marked(run: Params) -> None:
    rows = JUDGEMENTS.read("dpo")
    unsure = rows[4]
    replies = [unsure.replies[0].model_copy(update={"scores": {"accuracy": one, "style": 2}}) for one in (1, 3)]
    rows[4] = unsure.model_copy(update={"replies": replies, "scores": {"accuracy": 2, "style": 2}})
    write_rows(JUDGEMENTS.path("dpo"), rows)
    for model in ("sft", "dpo"):
        write_rows(COMPARISONS.path(model), [])
    (item,) = items_of_run(asking(run, chosen=5), questions())
    assert (item.id, item.drawn, item.doubt) == (rows[4].id, "chosen", 1)


def test_orders_that_disagree_are_chosen_as_pairs_where_pairs_are_asked(run: Params) -> None:
    disagreeing = {
        (model, identity)
        for model in ("sft", "dpo")
        for identity in questions()
        if len({(one.preference or 0) > 0.5 for one in COMPARISONS.read(model) if one.id == identity}) > 1
    }
    assert disagreeing
    kinds = {item.kind for item in items_of_run(asking(run, chosen=5), questions())}
    assert kinds == {"answer"}
    chosen = [item for item in items_of_run(asking(run, chosen=500, pairs=1), questions()) if item.drawn == "chosen"]
    assert "pair" in {item.kind for item in chosen}


def test_a_model_that_is_not_decided_on_weighs_more(run: Params) -> None:
    plain, weighed = read_doubts(run, [], {}), read_doubts(run, ["dpo"], {})
    assert any(plain.values())
    for place, doubt in plain.items():
        assert weighed[place] == doubt * (OPEN_WEIGHT if place[0] == "dpo" else 1)


def test_where_judge_and_evaluator_are_furthest_apart_is_chosen_first(run: Params) -> None:
    judged = {(model, row.id): row.scores or {} for model in run.models for row in JUDGEMENTS.read(model)}
    texts = {answer.answer: (model, answer.id) for model in run.models for answer in ANSWERS.read(model)}
    scorers: dict[str, Scorer] = {
        "style": lambda rows: (1.0 for _ in rows), "accuracy": lambda rows: (None for _ in rows),
    }  # fmt: skip
    found = doubts_of_evaluators(run, questions(), set(questions()), scorers)
    assert {(model, identity): doubt for (model, identity, _), doubt in found.items()} == {
        place: (scores["style"] - 1) / 2 for place, scores in judged.items()
    }
    (item, *_) = items_of_run(
        asking(run, chosen=5), questions(), further={place: 5 * one for place, one in found.items()}
    )
    assert judged[texts[item.answers[0]]]["style"] == 3
    assert doubts_of_evaluators(run, questions(), set(), scorers) == {}


def test_a_run_that_was_not_judged_has_no_doubts(run: Params) -> None:
    for model in run.models:
        JUDGEMENTS.path(model).unlink()
        COMPARISONS.path(model).unlink()
    assert len(items_of_run(asking(run, sample=3, chosen=5), questions())) == 3


def test_every_rater_has_an_order_of_their_own_in_which_no_model_shows(run: Params) -> None:
    items = items_of_run(asking(run, sample=90), questions())
    anna, ben = in_order_of("anna", items), in_order_of("ben", list(reversed(items)))
    assert anna != ben
    assert in_order_of("anna", list(reversed(items))) == anna
    models = {one.answer: model for model in run.models for one in ANSWERS.read(model)}
    halves = [[models[item.answers[0]] for item in anna[start : start + 45]] for start in (0, 45)]
    assert all(half.count(model) > 5 for half in halves for model in run.models)


def test_an_item_names_no_model(run: Params) -> None:
    for item in items_of_run(asking(run, sample=90, pairs=60, chosen=30), questions()):
        assert not {"sft", "dpo", "baseline"} & {item.id, item.key, item.kind, item.drawn}
        assert not hasattr(item, "model")
