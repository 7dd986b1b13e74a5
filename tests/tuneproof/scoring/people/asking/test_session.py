import json
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.rating import write_rated_run
from tests.made_up.run import Shape
from tuneproof.records.handovers import QUESTIONS
from tuneproof.scoring.people.asking.items import items_of_run
from tuneproof.scoring.people.asking.labels import RaterLabels
from tuneproof.scoring.people.asking.session import NotAskedError, Session, steps_of
from tuneproof.settings.evidence.judging import Criterion
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    write_rated_run(tmp_path, Shape(questions=10, unusable=0), sample=9, pairs=6, chosen=0)
    monkeypatch.chdir(tmp_path)
    return load_params()


def begin(params: Params, rater: str = "anna") -> Session:
    items = items_of_run(params, {one.id: one for one in QUESTIONS.read()})
    return Session.begin(RaterLabels(rater), items, params)


def of_kind(session: Session, kind: str) -> list[str]:
    return [key for key, item in session.items.items() if item.kind == kind]


def say(session: Session, key: str, **values: Any) -> str:
    return session.change(key, json.dumps(values).encode())


def test_a_rating_grows_by_criterion_and_its_seconds_add_up(run: Params) -> None:
    session = begin(run)
    key = of_kind(session, "answer")[0]
    assert say(session, key, scores={"accuracy": 3}, seconds=4.04) == "partly"
    assert say(session, key, scores={"accuracy": 3, "style": 1}, note="Good.", seconds=2) == "rated"
    (found,) = RaterLabels("anna")
    assert (found.scores, found.note, found.seconds, found.round) == ({"accuracy": 3, "style": 1}, "Good.", 6.0, 1)
    assert session.summary() == "anna has rated 1, skipped 0, 14 to rate"


@pytest.mark.parametrize(("outcome", "left"), [("left", 1), ("tie", 0.5), ("right", 0)])
def test_a_preference_is_for_the_models_answer_wherever_it_stood(run: Params, outcome: str, left: float) -> None:
    session, turned = begin(run), set()
    for key in of_kind(session, "pair"):
        item, shown = session.items[key], session.shown(key)
        assert say(session, key, outcome=outcome) == "rated"
        found = session.label(item)
        assert found is not None
        stands_left = shown["answers"][0] == item.answers[0]
        turned.add(stands_left)
        assert found.preference == (left if stands_left else 1 - left)
        assert session.shown(key)["outcome"] == outcome
    assert turned == {True, False}


def test_a_pair_that_was_labelled_the_other_way_round_is_labelled_already(run: Params) -> None:
    session = begin(run)
    key = of_kind(session, "pair")[0]
    say(session, key, outcome="left")
    (given,) = RaterLabels("anna")
    item = session.items[key]
    other_key = next(one for one in item.keys if one != given.key)
    RaterLabels("ben").save(
        [given.model_copy(update={"rater": "ben", "key": other_key, "preference": given.preference})]
    )
    of_ben = begin(run, "ben")
    of_ben_item = of_ben.items[key]
    assert of_ben.state(of_ben_item) == "rated"
    words = {"left": "right", "right": "left"}
    same_side = of_ben.turned(of_ben_item) == session.turned(item)
    assert of_ben.shown(key)["outcome"] == (words["left"] if same_side else "left")


@pytest.mark.parametrize(
    "body",
    [
        {"scores": {"accuracy": 4}}, {"scores": {"accuracy": 2.5}}, {"scores": {"accuracy": True}},
        {"scores": {"tone": 1}}, {"outcome": "left"}, {"preference": 1}, {"note": "x" * 10_001}, {"seconds": -1}, [], 7,
    ],
)  # fmt: skip
def test_what_was_not_asked_is_refused_and_nothing_is_saved(run: Params, body: Any) -> None:
    session = begin(run)
    with pytest.raises(NotAskedError):
        session.change(of_kind(session, "answer")[0], json.dumps(body).encode())
    with pytest.raises(NotAskedError):
        session.change("0" * 64, b"{}")
    with pytest.raises(NotAskedError):
        session.change(of_kind(session, "pair")[0], b'{"scores": {"accuracy": 1}}')
    assert list(RaterLabels("anna")) == []


def test_what_enough_others_rated_is_taken_and_what_one_began_oneself_is_not(run: Params) -> None:
    anna, ben = begin(run), begin(run, "ben")
    key, other = of_kind(anna, "answer")[:2]
    say(anna, key, scores={"accuracy": 1})
    assert ben.shown(key)["state"] == "taken"
    say(ben, other, scores={})
    say(anna, other, scores={"accuracy": 1})
    assert ben.shown(other)["state"] == "skipped"
    three = run.model_copy(update={"people": run.people.model_copy(update={"raters": 2})})
    assert begin(three, "ben").shown(key)["state"] == "open"


def test_what_was_chosen_and_is_drawn_now_feeds_statistics_from_here_on(run: Params) -> None:
    session = begin(run)
    key = of_kind(session, "answer")[0]
    say(session, key, scores={"accuracy": 1})
    own = RaterLabels("anna")
    own.save([one.model_copy(update={"drawn": "chosen"}) for one in own])
    begin(run)
    assert [one.drawn for one in RaterLabels("anna")] == ["random"]


def test_changed_guidelines_ask_anew_in_the_next_round(run: Params) -> None:
    session = begin(run)
    key = of_kind(session, "answer")[0]
    say(session, key, scores={"accuracy": 1, "style": 1})
    people = run.people.model_copy(update={"guidelines": "Be strict."})
    changed = begin(run.model_copy(update={"people": people}))
    assert changed.shown(key)["state"] == "open"
    say(changed, key, scores={"accuracy": 2, "style": 2})
    assert [(one.round, one.scores) for one in RaterLabels("anna")] == [
        (1, {"accuracy": 1, "style": 1}), (2, {"accuracy": 2, "style": 2}),
    ]  # fmt: skip
    assert begin(run).shown(key)["scores"] == {"accuracy": 1, "style": 1}


def test_nothing_that_is_sent_names_a_model_or_tells_the_draw(run: Params) -> None:
    session = begin(run)
    sent = json.dumps([session.overview(), *(session.shown(key) for key in session.items)])
    for word in ("sft", "dpo", "baseline", "random", "chosen", *(item.id for item in session.items.values())):
        assert f'"{word}"' not in sent


@pytest.mark.parametrize(
    ("scale", "keys"),
    [
        ([1, 2, 3], "1 2 3"),
        ([0, 1], "0 1"),
        (range(11), "0 1 2 3 4 5 6 7 8 9 a"),
        ([0, 2.5, 5], "1 2 3"),
        ([-1, 0, 1], "1 2 3"),
        (range(1, 13), "1 2 3 4 5 6 7 8 9 a b c"),
    ],
)
def test_a_step_has_its_own_digit_or_that_of_its_place(scale: Any, keys: str) -> None:
    criterion = Criterion(question="?", scale={step: f"Step {step}." for step in scale})
    assert " ".join(step["key"] for step in steps_of(criterion)) == keys


def test_a_scale_of_a_hundred_steps_has_all_of_them() -> None:
    criterion = Criterion(question="?", scale=dict.fromkeys(range(101), "."))
    steps = steps_of(criterion)
    assert [step["value"] for step in steps] == list(range(101))
    pressed = [step["key"] for step in steps if step["key"]]
    assert len(pressed) == len(set(pressed))
    assert not set(pressed) & set("npsr")
