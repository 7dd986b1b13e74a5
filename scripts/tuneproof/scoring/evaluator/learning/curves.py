"""What more labels would bring: agreement against the number of labels, and where that leads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneproof.scoring.evaluator.contract import Calibration
from tuneproof.scoring.evaluator.learning.calibrating import HeldOut, midpoints, places
from tuneproof.scoring.evaluator.learning.examples import Classes, Example
from tuneproof.scoring.evaluator.learning.measuring import Rated, agreement
from tuneproof.scoring.evaluator.learning.splitting import shuffled
from tuneproof.statistics.distributions import Array

SHARES = (0.125, 0.25, 0.5, 1.0)
DRAWS = 3  # subsets of each size
MORE = 1000  # labels, of which it is said what they would bring
LEAST_EXAMPLES = 20


@dataclass(frozen=True)
class Point:
    """Agreement with the held-out labels after learning from so many."""

    examples: int
    kappa: float


def subsets(examples: Sequence[Example], shares: Sequence[float], draws: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Masks of the examples of a share of the questions, drawn at random so often; all of them once."""
    groups = np.array([example.group for example in examples])
    labels = np.array([example.label for example in examples])
    for share in shares:
        for draw in range(1 if share == 1 else draws):
            order = shuffled(groups, seed + draw)
            chosen = np.isin(groups, order[: max(1, round(len(order) * share))])
            if chosen.sum() >= LEAST_EXAMPLES and len(set(labels[chosen])) > 1:
                yield chosen


def point(examples: int, logits: Array, test: Sequence[Example], classes: Classes, seed: int) -> Point:
    """The agreement that logits on held-out examples amount to, at the nearest step."""
    wanted = classes.numbers([example.label for example in test])
    groups = [example.group for example in test]
    shares = HeldOut(logits, wanted, np.ones(len(test)), groups, classes.steps, seed).shares(Calibration())
    if classes.steps is None:
        given = shares.argmax(axis=1)
    else:
        given = np.searchsorted(midpoints(classes.steps), places(shares, classes.steps), side="right")
    return Point(examples, agreement(wanted, Rated(given.astype(float), shares), classes))


def mean_points(points: Sequence[Point]) -> list[Point]:
    """The mean of the subsets of (nearly) each size, the smallest first."""
    by_size: dict[float, list[Point]] = {}
    largest = max((each.examples for each in points), default=1)
    for each in points:
        size = min(SHARES, key=lambda share: abs(np.log(share * largest / each.examples)))
        by_size.setdefault(size, []).append(each)
    return [
        Point(round(float(np.mean([p.examples for p in same]))), round(float(np.mean([p.kappa for p in same])), 3))
        for _, same in sorted(by_size.items())
    ]


def gain_of_more(points: Sequence[Point], more: int = MORE) -> float | None:
    """What so many further labels would bring to kappa, were it to go on falling short by a multiple of 1/sqrt(n).

    None where fewer than three sizes are known. Never less than 0, and no more than is left to 1.
    """
    if len(points) < 3:
        return None
    falling = np.array([each.examples**-0.5 for each in points])
    slope, _ = np.polyfit(falling, np.array([each.kappa for each in points]), 1)
    last = points[-1]
    gain = float(slope * ((last.examples + more) ** -0.5 - last.examples**-0.5))
    return round(min(max(gain, 0.0), 1 - last.kappa), 3)


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """A table for plots; every value is a number or one of our own words."""
    lines = [",".join(columns), *(",".join(str(row[column]) for column in columns) for row in rows)]
    return "\n".join(lines) + "\n"
