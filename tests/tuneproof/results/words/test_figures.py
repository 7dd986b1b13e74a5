"""Results in words: every verdict has its sentence, and no number is rounded into a contradiction."""

from typing import Any

import pytest

from tuneproof.results.details.criteria import CriterionDetails, CriterionVerdict
from tuneproof.results.details.model import WinRateDetails
from tuneproof.results.details.run import RubricCriterion
from tuneproof.results.words.figures import equal_length_text, gain_text, share_text, win_rate_text
from tuneproof.results.words.tables import aligned, markdown_row
from tuneproof.results.words.verdicts import criterion_clause


def criterion(**values: Any) -> CriterionDetails:
    """One criterion with a gain."""
    plain: dict[str, Any] = {
        "mean": 2.0, "low": 1.9, "high": 2.1, "method": None, "caution": None, "scored": 40,
        "mean_if_missing_worst": 2.0, "mean_if_missing_best": 2.0, "distribution": {}, "length_correlation": None,
        "lengths": [],
    }  # fmt: skip
    return CriterionDetails(**(plain | values))


def test_a_limit_that_is_not_0_is_never_shown_as_0() -> None:
    better = criterion(gain=0.1, gain_low=0.0004, gain_high=0.2, verdict="better")
    assert gain_text(better) == "+0.1000 [+0.0004, +0.2000]"
    worse = criterion(gain=-0.1, gain_low=-0.2, gain_high=-0.003, verdict="worse")
    assert gain_text(worse) == "-0.100 [-0.200, -0.003]"


def test_a_win_rate_above_one_half_is_never_shown_as_one_half() -> None:
    rate = WinRateDetails(
        win_rate=0.58, low=0.503, high=0.66, level=0.05, verdict="better", caution=None, questions=60, consistency=None,
        position_bias=None, incomplete_pairs=0, statuses={}, length_controlled=None, length_controlled_low=None,
        length_controlled_high=None, length_controlled_caution=None, length_controlled_pulled=False,
    )  # fmt: skip
    assert win_rate_text(rate) == "58.0% [50.3%, 66.0%]"
    assert win_rate_text(rate.model_copy(update={"low": 0.52})) == "58% [52%, 66%]"


SHORTER, MAY_EXPLAIN = "its answers are shorter in 34 of 40 questions", "brevity may explain a part"


@pytest.mark.parametrize(
    ("verdict", "low", "high", "text"),
    [
        ("better", 0.53, 0.84, f"{SHORTER}; at equal length it still wins 71% [53%, 84%], so that {MAY_EXPLAIN}"),
        ("better", 0.45, 0.84, f"{SHORTER}; at equal length 71% [45%, 84%], so that {MAY_EXPLAIN}"),
        ("worse", 0.1, 0.4, f"{SHORTER}; at equal length it still loses: 71% [10%, 40%], so that {MAY_EXPLAIN}"),
    ],
)
def test_what_was_found_of_length_stands_with_the_win_rate(
    verdict: CriterionVerdict, low: float, high: float, text: str
) -> None:
    rate = WinRateDetails(
        win_rate=0.76, low=0.64, high=0.85, level=0.05, verdict=verdict, caution=None, questions=60, consistency=None,
        position_bias=None, incomplete_pairs=0, statuses={}, length_controlled=0.71, length_controlled_low=low,
        length_controlled_high=high, length_controlled_caution=f"{SHORTER}, so {MAY_EXPLAIN}",
        length_controlled_pulled=False,
    )  # fmt: skip
    assert equal_length_text(rate) == text
    alike = rate.model_copy(update={"win_rate": 0.7})
    assert equal_length_text(alike).endswith("so that this does not explain it") == ("still" in text)
    assert equal_length_text(rate.model_copy(update={"length_controlled_caution": None})).startswith("at equal length")
    assert equal_length_text(rate.model_copy(update={"length_controlled": None})) == ""


@pytest.mark.parametrize(("share", "text"), [(1, "100%"), (0.9999, "99.9%"), (0.95, "95.0%"), (0, "0.0%")])
def test_only_what_is_complete_reads_100_per_cent(share: float, text: str) -> None:
    assert share_text(share) == text


def test_an_undecided_criterion_says_what_could_have_been_shown() -> None:
    undecided = criterion(
        gain=0.1, gain_low=-0.1, gain_high=0.3, verdict="undecided", paired=40, smallest_detectable=0.29
    )
    assert criterion_clause("style", undecided) == (
        "style +0.10 [-0.10, +0.30], undecided (with 40 questions a difference under 0.29 often goes unseen)"
    )


def test_a_yes_no_criterion_is_told_in_shares_of_yes() -> None:
    found = criterion(
        gain=0.1, gain_low=-0.004, gain_high=0.3, verdict="undecided", paired=40, smallest_detectable=0.29
    )
    assert criterion_clause("correct", found, yes_no=True) == (
        "correct yes +10.0% [-0.4%, +30.0%], undecided (with 40 questions a difference under 29% often goes unseen)"
    )
    steps = {"0": "It is wrong.", "1": "It is right."}
    assert RubricCriterion(question="Is it right?", scale=steps).is_yes_no
    assert not RubricCriterion(question="Is it right?", scale={"1": "Wrong.", "2": "Right."}).is_yes_no


def test_a_criterion_that_was_never_scored_has_no_numbers() -> None:
    assert gain_text(criterion(mean=None, low=None, high=None)) == "-"


def test_aligned_columns_stand_two_spaces_apart() -> None:
    assert aligned(["a", "bb"], [["long", "x"], ["y", ""]]) == ["a     bb", "long  x", "y"]


def test_markdown_cells_hold_no_markup() -> None:
    row = markdown_row(["a|b", "<img src=x>", "[click](javascript:1)", "`code`"])
    assert row == "| a\\|b | &lt;img src=x> | [click] (javascript:1) | 'code' |"
