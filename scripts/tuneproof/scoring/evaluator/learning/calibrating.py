"""Fits, on questions that the weights were not fitted on, how logits become probabilities and where classes begin.

A calibration or a set of cuts is kept only where it also does better on questions that it was not fitted on itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.scoring.evaluator.contract import Calibration, Knots
from tuneproof.scoring.evaluator.decisions import class_shares
from tuneproof.scoring.evaluator.learning.splitting import folds_of
from tuneproof.statistics.agreement.raters import weighted_kappa
from tuneproof.statistics.distributions import Array

FOLDS = 5
DRAWS = 400
ISOTONIC_FROM = 1000  # rows; on fewer a curve follows chance
LEAST_PROBABILITY = 1e-4
COLDEST, HOTTEST = 0.05, 20.0
CANDIDATES = 40  # places of each cut that are tried
ROUNDS = 5
CLEAR_GAIN = 1e-4  # of log loss; less is no reason for a calibration


@dataclass(frozen=True)
class HeldOut:
    """Rows with the logits that they got unseen, their class by number, and what each counts."""

    logits: Array  # rows x logits
    classes: Array  # whole numbers from 0
    weights: Array
    groups: Sequence[str]
    steps: tuple[float, ...] | None  # of a scale; None for classes without order
    seed: int

    def part(self, chosen: Array) -> "HeldOut":
        """The rows that a mask chooses."""
        groups = [group for group, is_chosen in zip(self.groups, chosen, strict=True) if is_chosen]
        return HeldOut(self.logits[chosen], self.classes[chosen], self.weights[chosen], groups, self.steps, self.seed)

    def shares(self, calibration: Calibration) -> Array:
        """The probability of each class, rows x classes."""
        ordered = self.steps is not None
        return np.array([class_shares(list(row), calibration, ordered) for row in self.logits])

    def loss(self, calibration: Calibration) -> float:
        """The weighted mean of the negative log-probability of the rows' classes."""
        shares = self.shares(calibration)[np.arange(len(self.classes)), self.classes.astype(int)]
        return float(-np.average(np.log(np.maximum(shares, LEAST_PROBABILITY)), weights=self.weights))

    def unseen(self) -> list[tuple["HeldOut", "HeldOut"]]:
        """Folds of whole questions: the rows to fit on and those to try it on."""
        count = min(FOLDS, len(set(self.groups)))
        fold_of = np.array(folds_of(self.groups, count, self.seed))
        return [(self.part(fold_of != fold), self.part(fold_of == fold)) for fold in range(count)] if count > 1 else []


def fit_calibration(rows: HeldOut) -> Calibration:
    """The calibration that loses least on questions that it was not fitted on."""
    fits: list[Callable[[HeldOut], Calibration]] = [fit_temperature]
    if rows.steps is not None and len(rows.classes) >= ISOTONIC_FROM:
        fits.append(fit_isotonic)
    best, lowest = Calibration(), rows.loss(Calibration()) - CLEAR_GAIN
    for fit in fits:
        losses = [(tried.loss(fit(seen)), tried.weights.sum()) for seen, tried in rows.unseen()]
        loss = np.average([loss for loss, _ in losses], weights=[weight for _, weight in losses]) if losses else np.inf
        if loss < lowest:
            best, lowest = fit(rows), float(loss)
    return best


def fit_temperature(rows: HeldOut) -> Calibration:
    """One number that all logits are divided by (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""
    from scipy.optimize import minimize_scalar

    def at(logarithm: float) -> Calibration:
        return Calibration(kind="temperature", temperature=round(float(np.exp(logarithm)), 4))

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    found = minimize_scalar(lambda x: rows.loss(at(x)), bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return at(float(found.x))


def fit_isotonic(rows: HeldOut) -> Calibration:
    """A rising curve for each logit of a scale, by pooling adjacent violators."""
    from scipy.optimize import isotonic_regression

    curves = []
    for place in range(rows.logits.shape[1]):
        order = np.argsort(rows.logits[:, place], kind="stable")
        reached = (rows.classes[order] > place).astype(float)
        fitted = isotonic_regression(reached, weights=rows.weights[order])
        edges = list(zip(fitted.blocks[:-1], fitted.blocks[1:], strict=True))
        logits = [round(float(rows.logits[order[start:end], place].mean()), 4) for start, end in edges]
        values = [round(float(fitted.x[start]), 4) for start, _ in edges]
        least = 0.5 / len(order)
        kept = {x: min(max(y, least), 1 - least) for x, y in zip(logits, values, strict=True)}
        curves.append(Knots(logits=tuple(kept), probabilities=tuple(kept.values())))
    return Calibration(kind="isotonic", curves=tuple(curves))


def places(shares: Array, steps: Sequence[float]) -> Array:
    """Where the expected score lies between the lowest and the highest step, 0 to 1."""
    scale = (np.array(steps) - steps[0]) / (steps[-1] - steps[0])
    return np.asarray(shares @ scale)


def midpoints(steps: Sequence[float]) -> tuple[float, ...]:
    """The cuts that take every score to its nearest step."""
    scale = [(step - steps[0]) / (steps[-1] - steps[0]) for step in steps]
    return tuple(round((low + high) / 2, 4) for low, high in pairwise(scale))


def fit_cuts(rows: HeldOut, calibration: Calibration) -> tuple[float, ...]:
    """The cuts of a scale with the highest weighted kappa, where they gain on questions that they have not seen.

    The gain must pass its standard error: cuts follow chance, and the nearest step is where they should be by default.
    """
    if rows.steps is None:
        return ()
    steps, plain = rows.steps, midpoints(rows.steps)
    tried = [part for _, part in rows.unseen()]
    if not tried:
        return plain
    by_fitted, by_plain = [], []
    for seen, part in rows.unseen():
        there = places(part.shares(calibration), steps)
        fitted = best_cuts(places(seen.shares(calibration), steps), seen.classes, steps)
        by_fitted.append(np.searchsorted(fitted, there, side="right"))
        by_plain.append(np.searchsorted(plain, there, side="right"))
    classes, first, other = (np.concatenate(each) for each in ([p.classes for p in tried], by_fitted, by_plain))
    gains = [
        kappa(classes[draw], first[draw], steps) - kappa(classes[draw], other[draw], steps)
        for draw in question_draws([group for part in tried for group in part.groups], DRAWS, rows.seed)
    ]
    gain = kappa(classes, first, steps) - kappa(classes, other, steps)
    return best_cuts(places(rows.shares(calibration), steps), rows.classes, steps) if gain > np.std(gains) else plain


def question_draws(groups: Sequence[str], draws: int, seed: int) -> list[Array]:
    """Row numbers of bootstrap samples of whole questions: the answers to one are not independent."""
    chance, names = np.random.default_rng(seed), sorted(set(groups))
    of_group = np.array(groups)
    rows = [np.flatnonzero(of_group == name) for name in names]
    return [np.concatenate([rows[i] for i in chance.integers(0, len(rows), len(rows))]) for _ in range(draws)]


def best_cuts(found: Array, classes: Array, steps: Sequence[float]) -> tuple[float, ...]:
    """The cuts with the highest weighted kappa on these rows, each moved in turn until none gains."""
    cuts = list(midpoints(steps))
    tried = np.unique(np.round(np.quantile(found, np.linspace(0.02, 0.98, CANDIDATES)), 4))
    highest = kappa(classes, np.searchsorted(cuts, found, side="right"), steps)
    for _ in range(ROUNDS):
        before = highest
        for place in range(len(cuts)):
            low = cuts[place - 1] if place else 0.0
            high = cuts[place + 1] if place + 1 < len(cuts) else 1.0
            for candidate in tried[(tried > low) & (tried < high)]:
                moved = [*cuts[:place], float(candidate), *cuts[place + 1 :]]
                reached = kappa(classes, np.searchsorted(moved, found, side="right"), steps)
                if reached > highest:
                    cuts, highest = moved, reached
        if highest == before:
            break
    return tuple(cuts)


def kappa(classes: NDArray[Any], given: NDArray[Any], steps: Sequence[float]) -> float:
    """Quadratic weighted kappa of two lists of classes by number; 0 where neither varies."""
    values = np.array(steps)
    return weighted_kappa(values[classes.astype(int)], values[given.astype(int)]) or 0.0
