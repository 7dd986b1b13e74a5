from pathlib import Path

import pytest

from tests.made_up.aggregated_run import details
from tuneproof.results.details.slices import Slice
from tuneproof.results.words.questions import row_means, slice_name


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
