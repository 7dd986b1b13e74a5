"""Ship, do not ship, not yet: from numbers to the decision and what is open."""

import math

import numpy as np
import pytest

from tuneproof.statistics.differences import Difference, Verdict
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import Interval
from tuneproof.statistics.shipping import Guard, claimed_differences, decide, guard, guard_questions

SCALE = (1.0, 3.0)


def claim(verdict: Verdict, needed: int | None = None, questions: int = 100) -> Difference:
    """A comparison with this verdict."""
    mean = {"better": 0.3, "worse": -0.3, "undecided": 0.1}[verdict]
    low, high = {"better": (0.1, 0.5), "worse": (-0.5, -0.1), "undecided": (-0.1, 0.3)}[verdict]
    return Difference(Interval(mean, low, high, "", None), questions, 0.05, verdict, None, needed)


def noise(seed: int, mean: float, questions: int = 200) -> Array:
    drawn = np.random.default_rng(seed).normal(0, 0.3, questions)
    return np.asarray(drawn - drawn.mean() + mean)


HELD = Guard(0.1, 0.0, -0.05, 0.05, 100, "held", None)
OPEN = Guard(0.1, 0.0, -0.15, 0.15, 100, "open", 400)
HOPELESS = Guard(0.1, -0.12, -0.3, 0.1, 100, "open", None)
DROPPED = Guard(0.1, -0.4, -0.5, -0.3, 100, "dropped", None)
FEW = Guard(0.1, 0.0, -0.05, 0.05, 20, "too few", 30)


def test_better_on_one_worse_on_none_and_every_guard_held_ships() -> None:
    decision = decide({"a": claim("better"), "b": claim("undecided")}, {"json": HELD}, 30)

    assert (decision.ship, decision.improved, decision.questions_needed) == ("yes", ("a",), None)


def test_worse_on_any_of_the_claim_does_not_ship_whatever_else_improved() -> None:
    decision = decide({"a": claim("better"), "b": claim("worse")}, {"json": HELD}, 30)

    assert (decision.ship, decision.worsened) == ("no", ("b",))


def test_a_guard_that_dropped_does_not_ship() -> None:
    decision = decide({"a": claim("better")}, {"json": DROPPED, "short": HELD}, 30)

    assert (decision.ship, decision.dropped_guards) == ("no", ("json",))


def test_an_open_guard_is_not_yet_and_says_how_many_questions_settle_it() -> None:
    decision = decide({"a": claim("better")}, {"json": OPEN, "short": HELD}, 30)

    assert (decision.ship, decision.open_guards, decision.questions_needed) == ("not yet", ("json",), 400)


def test_no_improvement_is_not_yet_and_the_easiest_criterion_says_how_many_questions() -> None:
    claims = {"a": claim("undecided", 900), "b": claim("undecided", 250)}

    assert decide(claims, {}, 30).questions_needed == 250
    assert decide(claims, {"json": OPEN}, 30).questions_needed == 400
    assert decide(claims, {"json": HOPELESS}, 30).questions_needed is None
    assert decide(claims, {}, 30, in_order=True).questions_needed == 900  # the first alone opens the way


def test_too_few_questions_decide_nothing() -> None:
    assert decide({"a": claim("better", 10, questions=29)}, {}, 30).ship == "not yet"
    assert decide({"a": claim("worse", 10, questions=29)}, {}, 30).ship == "not yet"
    assert decide({"a": claim("better"), "b": None}, {}, 30).ship == "not yet"
    assert decide({"a": claim("better")}, {"json": FEW}, 30).ship == "not yet"
    assert decide({"a": claim("better"), "b": None}, {}, 30, in_order=True).ship == "yes"


@pytest.mark.parametrize(("mean", "outcome"), [(0.0, "held"), (-0.1, "open"), (-0.3, "dropped")])
def test_a_guard_excludes_a_drop_of_more_than_its_margin(mean: float, outcome: str) -> None:
    found = guard(noise(1, mean), 0.1, 0.05, SCALE, 30)

    assert found.outcome == outcome
    assert found.mean == pytest.approx(mean) and found.low is not None and found.high is not None
    assert found.low < mean < found.high
    assert found.questions_needed is None  # settled, or no room between the drop and the margin


def test_a_guard_over_few_questions_or_none_is_no_guard() -> None:
    few = guard(np.where(np.arange(200) < 20, noise(2, 0.3), math.nan), 0.1, 0.05, SCALE, 30)
    assert (few.outcome, few.questions) == ("too few", 20) and (few.questions_needed or 0) >= 30
    assert guard(np.full(5, math.nan), 0.1, 0.05, SCALE, 30).outcome == "too few"


def test_a_guard_without_a_single_drop_needs_as_many_questions_as_hide_its_margin() -> None:
    ties = np.zeros(100)

    found = guard(ties, 0.02, 0.05, (0, 1), 30)

    assert (found.outcome, found.questions_needed) == ("open", 149)  # 0.98 ** 149 < 0.05
    assert guard(np.zeros(149), 0.02, 0.05, (0, 1), 30).outcome == "held"
    assert guard(np.zeros(148), 0.02, 0.05, (0, 1), 30).outcome == "open"


def test_so_many_questions_hold_a_guard_in_four_of_five_repeats() -> None:
    needed = guard_questions(noise(3, 0.0, 50), 0.05, 0.05, SCALE)
    assert needed is not None
    spread = float(noise(3, 0.0, 50).std(ddof=1))
    drawn = np.random.default_rng(4).normal(0, spread, (1_000, needed)).clip(-2, 2)

    held = np.mean([guard(world, 0.05, 0.05, SCALE, 30).outcome == "held" for world in drawn])

    assert held == pytest.approx(0.8, abs=0.05)


def test_criteria_in_order_are_tested_at_full_alpha_until_one_does_not_improve() -> None:
    differences = {
        ("sft", "a"): noise(5, 0.5), ("sft", "b"): noise(6, 0.0), ("sft", "c"): noise(7, 0.5),
        ("dpo", "a"): noise(8, 0.5), ("dpo", "b"): noise(9, -0.5), ("dpo", "c"): noise(10, 0.5),
    }  # fmt: skip
    scales = dict.fromkeys(differences, SCALE)

    tested = claimed_differences(differences, 0.05, scales, ["a", "b", "c"])

    assert list(tested) == [("sft", "a"), ("sft", "b"), ("dpo", "a"), ("dpo", "b")]
    assert {one.level for one in tested.values()} == {0.025}  # two models share alpha
    assert tested["dpo", "b"].verdict == "worse"
    one = {key: values for key, values in differences.items() if key[0] == "sft"}
    assert claimed_differences(one, 0.05, scales, ["a", "b"])["sft", "a"].level == 0.05


def test_without_an_order_the_claim_is_one_family() -> None:
    differences = {("sft", "a"): noise(5, 0.5), ("sft", "b"): noise(6, 0.0)}

    tested = claimed_differences(differences, 0.05, dict.fromkeys(differences, SCALE))

    assert 0.025 <= tested["sft", "a"].level < 0.03
