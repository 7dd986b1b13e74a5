"""The distributions at their ends, and against sums and closed forms that need no library."""

import math
from fractions import Fraction

import numpy as np
import pytest

from tuneproof.statistics.distributions import beta_cdf, beta_density, beta_quantile, student_t_critical

SHAPES = [(1, 1), (1, 30), (7, 3), (50, 20), (3, 700), (600, 600)]
PLACES = [0.001, 0.1, 0.3, 0.5, 0.9, 0.999]


def binomial_tail(x: float, a: int, b: int) -> float:
    """I_x(a, b) as the chance of a or more heads among a + b - 1 (DLMF 8.17.5), exactly."""
    n, share = a + b - 1, Fraction(x)
    heads, tails = share.numerator, share.denominator - share.numerator
    ways = sum(math.comb(n, k) * heads**k * tails ** (n - k) for k in range(a, n + 1))
    return float(Fraction(ways, share.denominator**n))


@pytest.mark.parametrize(("a", "b"), SHAPES)
@pytest.mark.parametrize("x", PLACES)
def test_beta_is_the_tail_of_a_binomial(a: int, b: int, x: float) -> None:
    assert float(beta_cdf(x, a, b)) == pytest.approx(binomial_tail(x, a, b), rel=1e-11, abs=1e-300)


@pytest.mark.parametrize(("a", "b"), SHAPES)
@pytest.mark.parametrize("probability", [1e-6, 0.025, 0.5, 0.975])
def test_beta_quantile_is_where_beta_has_that_probability(a: int, b: int, probability: float) -> None:
    assert binomial_tail(beta_quantile(probability, a, b), a, b) == pytest.approx(probability, rel=1e-11)


@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_beta_density_is_its_formula(a: int, b: int) -> None:
    ways = a * math.comb(a + b - 1, a)
    expected = [float(ways * Fraction(x) ** (a - 1) * (1 - Fraction(x)) ** (b - 1)) for x in PLACES]
    np.testing.assert_allclose(beta_density(np.array(PLACES), a, b), expected, rtol=1e-11, atol=1e-300)


def test_beta_keeps_to_its_ends() -> None:
    assert beta_cdf(np.array([-1.0, 0.0, 1.0, 2.0]), 2, 3).tolist() == [0, 0, 1, 1]


def test_shape_of_zero_is_a_point_mass() -> None:
    assert beta_cdf(np.array([0.0, 0.5, 1.0]), 0, 3).tolist() == [1, 1, 1]
    assert beta_cdf(np.array([0.0, 0.5, 1.0]), 3, 0).tolist() == [0, 0, 1]
    assert (beta_quantile(0.3, 0, 3), beta_quantile(0.3, 3, 0)) == (0.0, 1.0)


@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.0125, 1e-4, 1e-9])
def test_student_t_is_its_closed_form_where_it_has_one(alpha: float) -> None:
    assert student_t_critical(alpha, 1) == pytest.approx(1 / math.tan(math.pi * alpha / 2), rel=1e-12)
    assert student_t_critical(alpha, 2) == pytest.approx((1 - alpha) * math.sqrt(2 / (alpha * (2 - alpha))), rel=1e-12)


@pytest.mark.parametrize(("degrees", "expected"), [(5, 2.570582), (29, 2.045230), (99, 1.984217), (99_999, 1.959988)])
def test_student_t_is_that_of_printed_tables(degrees: int, expected: float) -> None:
    assert student_t_critical(0.05, degrees) == pytest.approx(expected, abs=5e-7)
