"""Gains at equal length: exact where the truth is known, and no narrower than what leaving out each question says."""

import numpy as np
import pytest

from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.equal_length import gain_at_equal_length, ratios
from tuneproof.statistics.intervals import difference_interval

SCALE = (1.0, 3.0)


def drawn(questions: int, per_doubling: float, gain: float = 0.4, noise: float = 0.3) -> tuple[Array, Array]:
    """Differences and ratios of lengths where twice the length adds `per_doubling` to a score."""
    generator = np.random.default_rng(3)
    doublings = generator.normal(0.5, 1.0, questions)
    differences = gain + per_doubling * doublings + generator.normal(0.0, noise, questions)
    return np.clip(differences, -2, 2), 2.0**doublings


def test_a_gain_that_is_all_length_is_none_at_equal_length() -> None:
    differences, lengths = drawn(200, per_doubling=0.3, gain=0.0)
    found = gain_at_equal_length(differences, lengths, 0.05, SCALE)
    assert found
    assert differences.mean() > 0.1
    assert found.low < 0 < found.high
    assert abs(found.gain) < 0.06
    assert found.doubling_low < 0.3 < found.doubling_high


def test_without_noise_gain_and_effect_are_found_exactly() -> None:
    differences, lengths = drawn(60, per_doubling=0.1, noise=0.0)
    found = gain_at_equal_length(differences, lengths, 0.05, SCALE)
    assert found
    assert (found.gain, found.doubling) == pytest.approx((0.4, 0.1))
    plain = difference_interval(differences, 0.05, SCALE)
    assert found.high - found.low == pytest.approx(plain.high - plain.low), "never narrower than the gain itself"


def test_the_errors_are_those_of_leaving_out_each_question() -> None:
    differences, lengths = drawn(40, per_doubling=0.5)
    found = gain_at_equal_length(differences, lengths, 0.05, SCALE)
    assert found
    design = np.stack([np.ones(40), np.log2(lengths)], axis=1)
    whole = np.linalg.lstsq(design, differences, rcond=None)[0]
    without = [
        np.linalg.lstsq(np.delete(design, one, 0), np.delete(differences, one), rcond=None)[0] for one in range(40)
    ]
    error = np.sqrt(np.sum((np.array(without) - whole) ** 2, axis=0)) * student_t_critical(0.05, 38)
    assert found.doubling_high - found.doubling == pytest.approx(error[1])
    plain = difference_interval(differences, 0.05, SCALE)
    assert found.high - found.gain == pytest.approx(max(error[0], plain.high - plain.mean))


def test_model_and_baseline_may_change_places() -> None:
    differences, lengths = drawn(50, per_doubling=0.2)
    found, turned = (gain_at_equal_length(sign * differences, lengths**sign, 0.05, SCALE) for sign in (1, -1))
    assert found and turned
    assert (turned.gain, turned.low, turned.high) == pytest.approx((-found.gain, -found.high, -found.low))
    assert turned.doubling == pytest.approx(found.doubling)
    assert (turned.longer, turned.shorter) == (found.shorter, found.longer)


@pytest.mark.parametrize(("shorter", "outside"), [(4, True), (5, False)])
def test_equal_length_lies_at_the_edge_where_few_answers_are_shorter(shorter: int, outside: bool) -> None:
    lengths = np.array([2.0, 3.0] * 15 + [0.5] * shorter)
    found = gain_at_equal_length(np.tile([0.0, 1.0], 18)[: len(lengths)], lengths, 0.05, SCALE)
    assert found
    assert (found.longer, found.shorter, found.questions) == (30, shorter, 30 + shorter)
    assert found.outside is outside


def test_what_cannot_be_told_is_none_and_no_gain_leaves_the_scale() -> None:
    assert gain_at_equal_length([1.0, 0.0], [2.0, 1.0], 0.05, SCALE) is None, "too few questions"
    assert gain_at_equal_length([1.0, 0.0, 1.0], [2.0, 2.0, 2.0], 0.05, SCALE) is None, "one ratio"
    assert gain_at_equal_length([1.0, 0.0, 1.0, 2.0], [1.0, 1.0, 1.0, 8.0], 0.05, SCALE) is None, "one question alone"
    doublings = np.arange(2.0, 32.0)
    found = gain_at_equal_length(np.clip(2 - 0.05 * doublings, -2, 2), 2.0**doublings, 0.05, SCALE)
    assert found
    assert found.high == 2.0
    assert ratios(np.array([0.0, 30.0]), np.array([10.0, 0.0])).tolist() == [0.1, 30.0], "an empty answer has a length"
