from pathlib import Path

import pytest

from tests.made_up.aggregated_run import details
from tuneproof.results.details.model import AnswerLengths, Details
from tuneproof.results.words.doubts.lengths import card_sentence, length_sentence


def with_length(model: Details, characters: float | None, **changed: float | None) -> Details:
    one = model.criteria["style"].model_copy(update={"scored": 50} | changed)
    lengths = AnswerLengths(characters_mean=characters, characters_median=characters, tokens_mean=None)
    return model.model_copy(update={"criteria": model.criteria | {"style": one}, "lengths": lengths})


@pytest.mark.parametrize(
    ("gain", "characters", "related", "said"),
    [
        (0.3, 420, 0.5, "length may explain a part of its gain: its answers are longer (300 \u2192 420 characters), "
         "and longer ones of it score higher (rank correlation +0.50)."),
        (0.3, 200, -0.5, "length may explain a part of its gain: its answers are shorter (300 \u2192 200 characters), "
         "and shorter ones of it score higher (rank correlation -0.50)."),
        (-0.3, 420, -0.5, "length may explain a part of its loss: its answers are longer (300 \u2192 420 characters), "
         "and longer ones of it score lower (rank correlation -0.50)."),
        (0.3, 420, -0.5, "length is not shown to explain its gain: its answers are longer (300 \u2192 420 characters), "
         "and longer ones of it score lower (rank correlation -0.50)."),
        (0.3, 420, 0.27, "length is not shown to explain its gain; longer answers of it are not shown to score "
         "otherwise (rank correlation +0.27, and chance alone reaches 0.28)."),
    ],
)  # fmt: skip
def test_length_explains_a_gain_only_where_it_goes_the_same_way(
    aggregated: Path, gain: float, characters: float, related: float, said: str
) -> None:
    baseline = with_length(details(aggregated, "baseline"), 300)
    model = with_length(details(aggregated, "sft"), characters, gain=gain, length_correlation=related)
    assert length_sentence(model, baseline, "style") == f"sft: {said}"
    run = model.run.model_copy(update={"rubric": {"style": model.run.rubric["style"]}})
    told, explains = card_sentence(model.model_copy(update={"run": run}), baseline)
    assert explains == ("may explain" in said)
    assert told == (
        "Length may explain a part of the difference in style."
        if explains
        else "Length is not shown to explain the difference in style."
    )


def test_without_lengths_scores_or_questions_enough_nothing_is_said(aggregated: Path) -> None:
    baseline, sft = with_length(details(aggregated, "baseline"), 300), details(aggregated, "sft")
    assert length_sentence(with_length(sft, None, gain=0.3, length_correlation=0.5), baseline, "style") == ""
    assert length_sentence(with_length(sft, 420, gain=0.3, length_correlation=None), baseline, "style") == ""
    assert length_sentence(with_length(sft, 420, gain=0.3, length_correlation=0.9, scored=9), baseline, "style") == ""
    assert length_sentence(baseline, baseline, "style") == "", "the baseline has no gain"
