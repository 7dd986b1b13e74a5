from pathlib import Path

import pytest

from tests.made_up.aggregated_run import details
from tuneproof.results.details.slices import Slice, SliceScore
from tuneproof.results.words.questions import kinds_sentence, row_means, slice_name, spread_sentence


@pytest.mark.parametrize(
    ("tag", "value", "name"),
    [
        ("turn", "1 of 2", "first turn"),
        ("turn", "2 of 2", "second turn"),
        ("turn", "6 of 8", "turn 6"),
        ("turn", "left", "turn: left"),
        ("topic", "1 of 2", "topic: 1 of 2"),
    ],
)
def test_a_turn_is_named_by_its_place_for_not_every_question_has_all_turns(tag: str, value: str, name: str) -> None:
    assert slice_name(Slice(tag=tag, value=value, questions=40, criteria={})) == name


def test_a_row_says_over_what_it_is_a_mean(aggregated: Path) -> None:
    model = details(aggregated, "sft")
    assert row_means([model]) == ""
    assert row_means([model.model_copy(update={"answers": model.questions + 8})]) == " over its turns"
    sampled = model.model_copy(update={"answers": 3 * model.questions + 3, "samples": 3})
    assert row_means([sampled]) == " over its turns and samples"


def kind(value: str, **gain_high: float) -> Slice:
    scores = {
        name: SliceScore(mean=2, low=1, high=3, scored=9, gain=high - 1, gain_low=high - 2, gain_high=high, paired=9)
        for name, high in gain_high.items()
    }
    return Slice(tag="topic", value=value, questions=9, criteria=scores)


def test_a_model_is_said_to_lose_only_where_the_whole_interval_lies_below_0(aggregated: Path) -> None:
    model, names = details(aggregated, "sft"), ["accuracy", "style"]
    kinds = [kind("model", accuracy=-0.1, style=-0.2), kind("loss", accuracy=0.0, style=0.4), kind("data", style=-0.3)]
    assert kinds_sentence(model.model_copy(update={"slices": kinds}), names) == (
        "sft is shown to lose in 2 of the 3 kinds: topic: model (accuracy and style); topic: data (style)."
    )
    said = kinds_sentence(model.model_copy(update={"slices": kinds[1:2]}), names)
    assert said.startswith("sft is not shown to lose in the one kind: no interval lies wholly below 0. Losses may hide")
    without = Slice(tag="topic", value="new", questions=3, criteria={})
    assert kinds_sentence(model.model_copy(update={"slices": [without]}), names).startswith(
        "sft: no kind has the 25 questions that an interval takes, so none alone is shown to gain or to lose"
    )
    some = kinds_sentence(model.model_copy(update={"slices": [without, kinds[1]]}), names)
    assert some.startswith("sft is not shown to lose in the one kind with 25 questions or more: ")
    gained = model.model_copy(update={"slices": [kind("loss", accuracy=2.2, style=2.1), without]})
    assert kinds_sentence(gained, names) == (
        "sft is shown to gain in the one kind with 25 questions or more, in accuracy and style."
    )


def test_a_hostile_kind_is_one_short_line(aggregated: Path) -> None:
    model = details(aggregated, "sft").model_copy(update={"slices": [kind("x\n\u202e" + "y" * 999, style=-1.0)]})
    said = kinds_sentence(model, ["style"])
    assert said.isprintable()
    assert len(said) < 200


def test_where_a_model_gains_most_and_least_is_said_with_whether_that_is_more_than_chance(aggregated: Path) -> None:
    kinds = [kind("model", style=1.4), kind("loss", style=2.2), kind("data", style=1.9)]
    model = details(aggregated, "sft").model_copy(
        update={"slices": kinds, "kinds_by_chance": {"topic": {"style": 0.2}}}
    )
    assert spread_sentence(model, ["style"]) == (
        "sft's gains are in style largest in “topic: loss” (+1.20, 9 questions) and smallest in “topic: model” (+0.40, "
        "9); that they differ by topic is not shown (Kruskal and Wallis, the smallest p 0.2)."
    )
    shown = model.model_copy(update={"kinds_by_chance": {"topic": {"style": 0.001}, "size": {"style": 0.03}}})
    said = spread_sentence(shown, ["style"])
    assert "; they are shown to lie differently by topic in style (" in said, "0.03 is not, of two"
    untested = spread_sentence(model.model_copy(update={"kinds_by_chance": {}}), ["style"])
    assert untested.endswith("smallest in “topic: model” (+0.40, 9).")
    assert spread_sentence(model.model_copy(update={"slices": kinds[:1]}), ["style"]) == ""
    alike = [kind(value, style=1.4) for value in ("model", "loss")]
    assert spread_sentence(model.model_copy(update={"slices": alike}), ["style"]) == "", "none is the largest"
