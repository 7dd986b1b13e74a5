"""What an evaluator is worth on questions that it has not seen, beside what needs no evaluator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.scoring.evaluator.contract import Scored
from tuneproof.scoring.evaluator.learning.calibrating import kappa, question_draws
from tuneproof.scoring.evaluator.learning.examples import Classes, Example
from tuneproof.scoring.evaluator.words.fitting import fit
from tuneproof.scoring.evaluator.words.lexicon import words
from tuneproof.statistics.agreement.scores import ranks
from tuneproof.statistics.distributions import Array

DRAWS = 1000
BINS = 10
LEVEL = 0.95
Rows = NDArray[Any]  # numbers of rows
FREE = 1e4  # a single column needs no pull


@dataclass(frozen=True)
class Rated:
    """What somebody says of some answers: each one's class by number, and the probability of every class."""

    given: Array
    shares: Array  # rows x classes

    @classmethod
    def of(cls, scored: Sequence[Scored], classes: Classes) -> "Rated":
        """What an evaluator said."""
        shares = np.array([list(one.probabilities.values()) for one in scored])
        return cls(classes.numbers([one.label for one in scored]), shares)

    def drawn(self, rows: Rows) -> "Rated":
        """The rows that a bootstrap draws."""
        return Rated(self.given[rows], self.shares[rows])


def reached(shares: Array, wanted: Array, ordered: bool) -> tuple[Array, NDArray[np.bool_]]:
    """Probabilities, and whether each came true: on a scale that each step is reached, else that each class is it.

    Both are rows x events.
    """
    if ordered:
        events = np.arange(shares.shape[1] - 1)
        return 1 - np.cumsum(shares, axis=1)[:, :-1], wanted[:, None] > events
    return shares, wanted[:, None] == np.arange(shares.shape[1])


def area(wanted: Array, rated: Rated, ordered: bool) -> float:
    """The area under the ROC curve, the mean over the events that come true for some answers and not for others."""
    chances, came = reached(rated.shares, wanted, ordered)
    areas = []
    for chance, true in zip(chances.T, came.T, strict=True):
        above, below = int(true.sum()), int((~true).sum())
        if above and below:
            areas.append((ranks(np.round(chance, 9))[true].sum() - above * (above + 1) / 2) / (above * below))
    return float(np.mean(areas)) if areas else float("nan")


def agreement(wanted: Array, rated: Rated, classes: Classes) -> float:
    """Kappa with the labels: quadratic weights on a scale, none for classes without order."""
    if classes.steps is not None:
        return kappa(wanted, rated.given, classes.steps)
    observed = float((wanted == rated.given).mean())
    numbers = range(len(classes.names))
    by_chance = sum(float((wanted == each).mean() * (rated.given == each).mean()) for each in numbers)
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def bins(wanted: Array, rated: Rated, ordered: bool) -> list[tuple[float, float, int]]:
    """In ten equally wide bins of the probability: its mean, how often it came true, and how many there are."""
    chances, came = (np.asarray(each, dtype=float).ravel() for each in reached(rated.shares, wanted, ordered))
    place = np.minimum((chances * BINS).astype(int), BINS - 1)
    filled = [place == number for number in range(BINS) if (place == number).any()]
    return [(float(chances[here].mean()), float(came[here].mean()), int(here.sum())) for here in filled]


def calibration_error(wanted: Array, rated: Rated, ordered: bool) -> float:
    """The expected calibration error: by how much probability and frequency differ, the mean over all probabilities."""
    found = bins(wanted, rated, ordered)
    total = sum(count for *_, count in found)
    return sum(abs(chance - share) * count for chance, share, count in found) / total


def with_interval(measure: Callable[[Rows], float], draws: Sequence[Rows], rows: int) -> dict[str, float]:
    """A figure with its interval from a bootstrap of whole questions."""
    values = [measure(draw) for draw in draws]
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"evaluator": rounded(measure(np.arange(rows, dtype=int))), "low": rounded(low), "high": rounded(high)}


def rounded(value: Any) -> float:
    """A figure as a report has it."""
    return round(float(value), 3) + 0.0


def figures(
    test: Sequence[Example], classes: Classes, rated: Rated, raw: Rated, learned: Sequence[Example], seed: int
) -> dict[str, Any]:
    """The figures of an evaluator on held-out examples; `raw` is what it says uncalibrated.

    Beside them: what the number of words alone would be worth, always the commonest class, and people.
    """
    wanted, ordered = classes.numbers([example.label for example in test]), classes.steps is not None
    draws = question_draws([example.group for example in test], DRAWS, seed)
    length, majority = length_only(learned, test, classes), commonest(learned, len(test), classes)
    kappas = with_interval(lambda d: agreement(wanted[d], rated.drawn(d), classes), draws, len(test))
    areas = with_interval(lambda d: area(wanted[d], rated.drawn(d), ordered), draws, len(test))
    errors = with_interval(lambda d: calibration_error(wanted[d], rated.drawn(d), ordered), draws, len(test))
    for name, other in (("length_only", length), ("majority", majority)):
        kappas[name] = rounded(agreement(wanted, other, classes))
        areas[name] = rounded(area(wanted, other, ordered))
    between = people_among_themselves([*learned, *test], classes)
    kappas |= {} if between is None else {"people": rounded(between)}
    errors["uncalibrated"] = rounded(calibration_error(wanted, raw, ordered))
    questions = len({example.group for example in test})
    return {
        "kappa": kappas, "auc": areas, "calibration_error": errors,
        "held_out": {"answers": len(test), "questions": questions},
    }  # fmt: skip


def length_only(learned: Sequence[Example], test: Sequence[Example], classes: Classes) -> Rated:
    """What the same kind of model says that is given nothing but the number of words."""
    columns = [np.array([[np.log1p(len(words(each.texts.output)))] for each in part]) for part in (learned, test)]
    targets = classes.targets([example.label for example in learned])
    weights, intercepts = fit(columns[0], targets, np.ones(len(learned)), FREE)
    chances = 1 / (1 + np.exp(-np.clip(columns[1] @ weights + intercepts, -50, 50)))
    if classes.steps is None:
        shares = chances / chances.sum(axis=1, keepdims=True)
        return Rated(shares.argmax(axis=1).astype(float), shares)
    falling = np.minimum.accumulate(np.hstack([np.ones((len(test), 1)), chances]), axis=1)
    shares = falling - np.hstack([falling[:, 1:], np.zeros((len(test), 1))])
    scores = shares @ np.array(classes.steps)
    return Rated(classes.numbers([classes.nearest(float(score)) for score in scores]), shares)


def commonest(learned: Sequence[Example], rows: int, classes: Classes) -> Rated:
    """Always the commonest class."""
    counts = np.bincount(classes.numbers([e.label for e in learned]).astype(int), minlength=len(classes.names))
    return Rated(np.full(rows, float(counts.argmax())), np.tile(counts / counts.sum(), (rows, 1)))


def people_among_themselves(examples: Sequence[Example], classes: Classes) -> float | None:
    """Kappa of the people with each other, over all pairs of ratings of one answer; None where there is no pair."""
    pairs = [pair for example in examples for pair in combinations(example.ratings, 2)]
    both = [*pairs, *((second, first) for first, second in pairs)]  # neither of the two comes first
    if not both:
        return None
    first, second = (classes.numbers(side) for side in zip(*both, strict=True))
    return agreement(first, Rated(second, np.zeros((len(second), len(classes.names)))), classes)
