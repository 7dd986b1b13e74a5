from pathlib import Path

import pytest

from tests.made_up.aggregated_run import details
from tuneproof.records.documents.admission import Figure, Orders
from tuneproof.results.details.criteria import EqualLength, JudgeAlone
from tuneproof.results.details.model import AnswerLengths, Details
from tuneproof.results.words.doubts.lengths import card_sentence, explained, length_sentence


def with_length(model: Details, characters: float | None, **changed: object) -> Details:
    one = model.criteria["style"].model_copy(update=changed)
    lengths = AnswerLengths(characters_mean=characters, characters_median=characters, tokens_mean=None)
    run = model.run.model_copy(update={"rubric": {"style": model.run.rubric["style"]}})
    return model.model_copy(update={"criteria": model.criteria | {"style": one}, "lengths": lengths, "run": run})


def equal(gain: float, doubling: tuple[float, float, float] = (0.2, 0.1, 0.3), outside: bool = False) -> EqualLength:
    value, low, high = doubling
    return EqualLength(
        gain=gain, low=gain - 0.1, high=gain + 0.1, doubling=value, doubling_low=low, doubling_high=high,
        longer=30, shorter=20, questions=50, outside=outside,
    )  # fmt: skip


def figure(value: float) -> Figure:
    return Figure(value=value, low=value - 0.2, high=value + 0.2, answers=90)


NOT_SHOWN = (0.2, -0.1, 0.5)
PART, KEPT = "length may explain a part of the difference in style", "; it is shown at equal length too"
EXPLAINS_NOTHING = "length is not shown to explain the difference in style"
EDGE = (
    "its answers are longer in 30 and shorter in 20 of 50 questions, so equal length lies at the edge of what was seen"
)


@pytest.mark.parametrize(
    ("gain", "found", "concluded", "caution"),
    [
        (0.3, equal(0.05), PART, True),
        (-0.3, equal(-0.05), PART, True),
        (0.3, equal(0.2), f"{PART}{KEPT}", True),
        (0.3, equal(0.4), f"length works against the difference in style, so it explains none of it{KEPT}", False),
        (0.3, equal(0.2, NOT_SHOWN), f"{EXPLAINS_NOTHING}{KEPT}", False),
        (0.3, equal(0.05, NOT_SHOWN), EXPLAINS_NOTHING, False),
        (0.3, equal(0.05, outside=True), EDGE, True),
        (0.3, equal(0.05, NOT_SHOWN, outside=True), EDGE, True),
    ],
)
def test_length_explains_a_part_only_where_it_is_shown_to_work_and_less_is_left_without_it(
    aggregated: Path, gain: float, found: EqualLength, concluded: str, caution: bool
) -> None:
    baseline = with_length(details(aggregated, "baseline"), 300)
    verdict = "better" if gain > 0 else "worse"
    model = with_length(details(aggregated, "sft"), 420, gain=gain, equal_length=found, verdict=verdict)
    said, warns = card_sentence(model, baseline)
    assert warns is caution
    shown = f"{found.gain:+.2f} [{found.low:+.2f}, {found.high:+.2f}] (over all {gain:+.2f})"
    assert said == (
        f"Its answers have 420 characters on average, baseline's 300. At equal length the gains are style {shown} "
        f"(exploratory: each interval alone): {concluded}."
    )
    told = length_sentence(model, baseline, "style")
    assert told.startswith(
        f"sft: at equal length the gain is {shown}; an answer twice as long as baseline's scores +0.20 "
    )
    assert told.endswith("its answers are longer in 30 and shorter in 20 of 50 questions.")


def test_what_is_open_over_all_or_rests_on_a_judge_at_chance_is_not_shown_at_equal_length(
    aggregated: Path,
) -> None:
    baseline = with_length(details(aggregated, "baseline"), 300)
    open_still = with_length(details(aggregated, "sft"), 420, gain=0.3, equal_length=equal(0.4), verdict="undecided")
    assert "shown at equal length" not in card_sentence(open_still, baseline)[0]
    orders = Orders(pairs=90, consistency=figure(0.5), by_chance=0.5, above_chance=figure(0.0))
    run = open_still.run.model_copy(update={"orders": orders})
    withheld = open_still.model_copy(update={"run": run})
    assert withheld.run.withheld
    assert card_sentence(withheld, baseline) == ("Its answers have 420 characters on average, baseline's 300.", False)


def test_what_length_does_is_not_told_where_lengths_hardly_differ(aggregated: Path) -> None:
    wide = with_length(details(aggregated, "sft"), 301, gain=0.3, equal_length=equal(0.3, (48.0, -111.0, 208.0)))
    said = length_sentence(wide, wide, "style")
    assert "lengths differ too little to tell what length does" in said
    assert "48" not in said


def test_the_judges_own_gain_is_what_length_explains_where_people_decide(aggregated: Path) -> None:
    alone = JudgeAlone(mean=2.0, low=1.9, high=2.1, gain=0.3, gain_low=0.2, gain_high=0.4, verdict="better")
    model = with_length(details(aggregated, "sft"), 420, gain=0.05, equal_length=equal(0.1), judge_alone=alone)
    assert explained(model.criteria["style"]) == "in part"
    assert "(over all +0.30)" in length_sentence(model, model, "style")


def test_without_lengths_or_questions_enough_no_gain_at_equal_length_is_told(aggregated: Path) -> None:
    baseline, sft = with_length(details(aggregated, "baseline"), 300), details(aggregated, "sft")
    assert card_sentence(with_length(sft, None, equal_length=equal(0.1)), baseline) == ("", False)
    few = with_length(sft, 420, equal_length=None)
    assert card_sentence(few, baseline) == ("Its answers have 420 characters on average, baseline's 300.", False)
    assert length_sentence(few, baseline, "style") == ""
    assert card_sentence(baseline, baseline) == ("", False)
