"""The gain of a model over the baseline where both answers are equally long: what length does not explain."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.intervals import Scale, difference_interval

_ON_EACH_SIDE = 5  # questions whose answers are longer, and shorter, and as many in a hundred: fewer bound little
_ALONE = 0.99  # of a leverage: one question tells nearly alone what length does


@dataclass(frozen=True)
class EqualLength:
    """A gain at equal length with its limits, and what twice the length adds to a score, with its own.

    `outside`: so few answers are longer, or so few shorter, that equal length lies at the edge of what was seen.
    """

    gain: float
    low: float
    high: float
    doubling: float
    doubling_low: float
    doubling_high: float
    longer: int
    shorter: int
    questions: int
    outside: bool


def gain_at_equal_length(
    differences: ArrayLike, length_ratios: ArrayLike, alpha: float, scale: Scale
) -> EqualLength | None:
    """Returns the gain that a regression on length predicts for answers of equal length.

    The differences of the scores are regressed on the logarithm of the ratio of both lengths (least squares with
    MacKinnon and White's HC3 errors, 1985, doi:10.1016/0304-4076(85)90158-7); the gain is what it gives for a ratio of
    1. Its interval is never narrower than that of the gain itself. docs/statistics.md says how well it covers, and why
    the logarithm. It is no experiment: where a model writes longer because the question wants it, that is taken for
    length too.

    Args:
        differences: The model's score less the baseline's, per question.
        length_ratios: How many times as long the model's answer is, per question; above 0.
        alpha: The share of intervals that may miss.
        scale: The lowest and the highest possible score.

    Returns:
        None where the ratios, or all but one of them, are equal, or there are fewer than three questions.
    """
    gains, doublings = np.asarray(differences, dtype=np.float64), np.log2(np.asarray(length_ratios, dtype=np.float64))
    n = len(gains)
    if n < 3 or np.ptp(doublings) == 0:
        return None
    design = np.stack([np.ones(n), doublings], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    if leverage.max() > _ALONE:
        return None
    gain, slope = (float(one) for one in inverse @ design.T @ gains)
    weighted = design * ((gains - gain - slope * doublings) / (1 - leverage))[:, None]
    errors = np.sqrt(np.diag(inverse @ weighted.T @ weighted @ inverse)) * student_t_critical(alpha, n - 2)
    plain, span = difference_interval(gains, alpha, scale), scale[1] - scale[0]
    longer, shorter = int(np.sum(doublings > 0)), int(np.sum(doublings < 0))
    return EqualLength(
        gain=within(gain, span),
        low=within(gain - max(float(errors[0]), plain.mean - plain.low), span),
        high=within(gain + max(float(errors[0]), plain.high - plain.mean), span),
        doubling=slope,
        doubling_low=slope - float(errors[1]),
        doubling_high=slope + float(errors[1]),
        longer=longer,
        shorter=shorter,
        questions=n,
        outside=min(longer, shorter) < max(_ON_EACH_SIDE, math.ceil(n * _ON_EACH_SIDE / 100)),
    )


def within(value: float, span: float) -> float:
    """A difference cut at what the scale allows."""
    return min(max(value, -span), span)


def ratios(model: Array, baseline: Array) -> Array:
    """How many times as long each answer of the model is; an empty one counts as one character."""
    return np.maximum(model, 1.0) / np.maximum(baseline, 1.0)
