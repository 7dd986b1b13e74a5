"""Win rates from pairwise preferences: plain, over both orders, and with answer length held equal.

A preference lies from 0 (the baseline's answer) over 0.5 (a tie) to 1 (the model's answer).
"""

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from tuneproof.statistics.differences import Verdict, in_order, verdict
from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.intervals import Interval, mean_interval

Order = Literal["model_first", "baseline_first"]
Row = tuple[str, Hashable, Order, float | None]  # question id, which answer to it, order, preference or None

PREFERENCE_SCALE = (0.0, 1.0)
LENGTH_METHOD = "length-controlled logistic regression, robust errors"

_RIDGE = 0.1  # on the length and difficulty coefficients: finite where length alone decides every preference
_QUESTIONS_PER_RIDGE = 60  # without difficulty: chosen on half of 56 recorded models, measured on the other half
_STEPS = 50  # of Newton's method, which needs fewer than ten
_MIXED_LENGTHS = 10  # questions in which each side is the longer one, below which length and quality look alike


@dataclass(frozen=True)
class WinRate:
    """A win rate as AlpacaEval counts it, as shares: the mean preference, its standard error, the number judged."""

    win_rate: float
    standard_error: float | None
    n: int


@dataclass(frozen=True)
class BothOrders:
    """The preferences for the model in the pairs judged in both orders, and how many pairs lack one or both."""

    questions: tuple[str, ...]
    model_first: Array
    baseline_first: Array
    incomplete: int


@dataclass(frozen=True)
class LengthControlled:
    """The win rate had both answers been equally long; `length_effect` is in log-odds, above 0 if longer wins.

    `pulled`: without difficulties the length effect is pulled towards 0, so that the rate lies between the plain one
    and the one that an unpulled fit would give.
    """

    interval: Interval
    length_effect: float
    pulled: bool


def win_rate(preferences: Iterable[float | None]) -> WinRate:
    """Returns the plain win rate, ties as half: the mean and its standard error (ddof 1) over what was scored.

    The convention of AlpacaEval's leaderboards, as shares and not per cent, so that recorded annotations give the
    recorded numbers. A standard error needs two preferences and is None for one.

    Raises:
        ValueError: Nothing was scored, or a preference is not between 0 and 1.
    """
    values = np.array([value for value in preferences if value is not None and not math.isnan(value)])
    if values.size == 0 or np.any((values < 0) | (values > 1)):
        raise ValueError("a win rate needs at least one preference, each between 0 and 1")
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return WinRate(float(values.mean()), error, len(values))


def both_orders(rows: Iterable[Row]) -> BothOrders:
    """Pairs the two orders of every answer to a question; a pair with an unscored order counts only as incomplete."""
    pairs: dict[tuple[str, Hashable], dict[str, float]] = {}
    for question, sample, order, preference in rows:
        found = pairs.setdefault((question, sample), {})
        if preference is not None:
            found[order] = preference
    complete = {key: pair for key, pair in pairs.items() if len(pair) == 2}
    return BothOrders(
        questions=tuple(question for question, _ in complete),
        model_first=np.array([pair["model_first"] for pair in complete.values()], dtype=np.float64),
        baseline_first=np.array([pair["baseline_first"] for pair in complete.values()], dtype=np.float64),
        incomplete=len(pairs) - len(complete),
    )


def question_preferences(orders: BothOrders, questions: Iterable[str]) -> Array:
    """Returns one preference for each of these questions, NaN where it has no pair judged in both orders.

    The orders of a pair are averaged, then the question's samples, since they are not independent.
    """
    gathered: dict[str, list[float]] = {}
    for question, first, second in zip(orders.questions, orders.model_first, orders.baseline_first, strict=True):
        gathered.setdefault(question, []).append(float(first + second) / 2)
    means = {question: math.fsum(values) / len(values) for question, values in gathered.items()}
    return in_order(means, questions)


def consistency(orders: BothOrders) -> float | None:
    """Returns the share of pairs with the same winner, or a tie, in both orders; None without pairs."""
    if not orders.questions:
        return None
    return float(np.mean(np.sign(orders.model_first - 0.5) == np.sign(orders.baseline_first - 0.5)))


def position_bias(orders: BothOrders) -> float | None:
    """Returns how much being shown first helps: 1 if the first answer always wins, 0 if order is nothing, -1 if last.

    It is the mean preference for the model when it comes first less that when it comes second; None without pairs.
    """
    if not orders.questions:
        return None
    return float(np.mean(orders.model_first - orders.baseline_first))


def win_rate_interval(preferences: ArrayLike, alpha: float) -> Interval:
    """Returns the interval for the win rate from one preference per question (`question_preferences`)."""
    return mean_interval(preferences, alpha, PREFERENCE_SCALE)


def win_rate_verdict(interval: Interval) -> Verdict:
    """Reads better, worse or undecided from where a win rate's interval lies against one half."""
    return verdict(interval.low - 0.5, interval.high - 0.5)


def length_controlled(
    preferences: ArrayLike, length_differences: ArrayLike, alpha: float, difficulties: ArrayLike | None = None
) -> LengthControlled:
    """Returns the win rate that a logistic regression predicts for answers of equal length.

    AlpacaEval 2 (Dubois, Galambosi, Liang and Hashimoto 2024, arXiv:2404.04475): the log-odds of a preference are
    quality + length effect x tanh(length difference / its standard deviation) + difficulty effect x difficulty, and
    the controlled rate is the mean prediction with the length term at 0. docs/statistics.md says where this differs.

    Without difficulties nothing tells a liking for length from longer answers being better on easy questions, and a
    free fit takes all of it for liking: the effect is then pulled towards 0 in proportion to the questions, as the
    published rates are, and the interval counts what the pull may hide.

    Args:
        preferences: One per question, from 0 to 1; in between counts as that probability.
        length_differences: The model's answer less the baseline's, in any one unit, per question.
        alpha: The share of intervals that may miss.
        difficulties: Per question, centred on 0; None where there is nothing to estimate it from.
    """
    wins, lengths = np.asarray(preferences, dtype=np.float64), np.asarray(length_differences, dtype=np.float64)
    plain = win_rate_interval(wins, alpha)
    spread = float(lengths.std(ddof=1)) if len(lengths) > 1 else 0.0
    if spread == 0 or wins.min() == wins.max():
        # One length difference, or one preference: there is nothing to regress on.
        return LengthControlled(plain, 0.0, pulled=False)
    columns = [np.ones_like(wins), np.tanh(lengths / spread)]
    if difficulties is not None:
        columns.append(np.asarray(difficulties, dtype=np.float64))
    design = np.stack(columns, axis=1)
    pulled = difficulties is None
    coefficients, covariance = _pulled_fit(design, wins) if pulled else _fit(design, wins, _RIDGE, _RIDGE)
    design[:, 1] = 0.0  # what it would have been with equal lengths
    interval = _predicted_interval(design, coefficients, covariance, student_t_critical(alpha, len(wins) - 1))
    caution = _length_caution(lengths) or plain.caution
    return LengthControlled(Interval(*interval, LENGTH_METHOD, caution), float(coefficients[1]), pulled)


def question_difficulties(other_models: Iterable[ArrayLike]) -> Array | None:
    """Estimates how hard each question is from other models' results on it, such as scores; NaN is unscored.

    Every model's results are centred, averaged over the models per question (0 where there is none) and put in
    units of their standard deviation; above 0 the others did worse than usual. None where there is no other model.
    """
    models = [np.asarray(results, dtype=np.float64) for results in other_models]
    scored = [values for values in models if not np.all(np.isnan(values))]
    if not scored:
        return None
    centred = np.stack([values - np.nanmean(values) for values in scored])
    means = np.nansum(centred, axis=0) / np.maximum(np.sum(~np.isnan(centred), axis=0), 1)
    spread = float(means.std())
    return np.asarray(-means / spread) if spread > 0 else None


def _pulled_fit(design: Array, wins: Array) -> tuple[Array, Array]:
    """The fit with a ridge that grows with the questions; as far as it pulls, so far may it be wrong."""
    free, _ = _fit(design, wins, _RIDGE, _RIDGE)
    ridge = len(wins) / _QUESTIONS_PER_RIDGE
    return _fit(design, wins, ridge, max(ridge, (ridge * float(free[1])) ** 2))


def _fit(design: Array, wins: Array, ridge: float, doubt: float) -> tuple[Array, Array]:
    """Logistic regression by Newton's method: coefficients, and their sandwich covariance over questions.

    `ridge` pulls all coefficients but the first towards 0. `doubt` stands for it in the sandwich's middle, as the
    variance of a prior would, so that what the questions cannot tell apart stays wide.
    """
    questions, terms = design.shape
    penalty = np.full(terms, ridge)
    penalty[0] = 0.0
    coefficients = np.zeros(terms)
    for _ in range(_STEPS):
        predicted = _logistic(design @ coefficients)
        hessian = (design.T * (predicted * (1 - predicted))) @ design + np.diag(penalty)
        step = np.linalg.solve(hessian, design.T @ (wins - predicted) - penalty * coefficients)
        coefficients = coefficients + step
        if np.max(np.abs(step)) < 1e-10:
            break
    scores = design * (wins - predicted)[:, None]
    inverse = np.linalg.inv(hessian)
    doubts = np.where(penalty > 0, doubt, 0.0)
    spread = scores.T @ scores * questions / (questions - terms) + np.diag(doubts)
    return coefficients, inverse @ spread @ inverse


def _predicted_interval(
    design: Array, coefficients: Array, covariance: Array, critical: float
) -> tuple[float, float, float]:
    """The mean prediction and its limits, by the delta method on the log-odds so that they stay between 0 and 1."""
    predicted = _logistic(design @ coefficients)
    rate = float(predicted.mean())
    slope = (predicted * (1 - predicted)) @ design / len(predicted) / (rate * (1 - rate))
    centre, width = math.log(rate / (1 - rate)), critical * math.sqrt(float(slope @ covariance @ slope))
    return rate, float(_logistic(np.array(centre - width))), float(_logistic(np.array(centre + width)))


def _logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)) by way of tanh, which neither overflows nor loses the symmetry of x and -x."""
    return np.asarray((1 + np.tanh(x / 2)) / 2)


def _length_caution(lengths: Array) -> str | None:
    shorter, longer = int(np.sum(lengths < 0)), int(np.sum(lengths > 0))
    if min(shorter, longer) >= _MIXED_LENGTHS:
        return None
    if max(shorter, longer) < _MIXED_LENGTHS:
        return (
            f"its answers are longer in {longer} and shorter in {shorter} questions, too few to tell what length does"
        )
    if shorter > longer:
        return f"its answers are shorter in {shorter} of {len(lengths)} questions, so brevity may explain a part"
    return f"its answers are longer in {longer} of {len(lengths)} questions, so length may explain a part"
