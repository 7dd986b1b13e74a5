"""On how many questions a model falls by a whole step, or half of one to the lowest, beside the baseline's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from tuneproof.results.analysis.reading.scores import ModelScores
from tuneproof.results.details.criteria import Collapses
from tuneproof.results.details.run import Criterion
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import mean_interval
from tuneproof.statistics.limits.collapses import collapsed

SHARE = (0.0, 1.0)


@dataclass(frozen=True)
class Falls:
    """By question, the share of pairs of samples in which the model falls; and of the baseline's own, where it has two.

    NaN where a score is missing.
    """

    model: Array
    baseline: Array | None

    @property
    def differences(self) -> Array:
        """What a guard is held against: the model's falls beyond the baseline's own, turned so that more is less."""
        return 0.0 - (self.model if self.baseline is None else self.model - self.baseline)


def falls(
    model: ModelScores, baseline: ModelScores, criteria: Mapping[str, Criterion], names: Sequence[str], questions: int
) -> Falls | None:
    """A model's falls on any of these criteria; None where none of them has scores by answer."""
    tables = [
        (model.by_sample(model.scores[name], questions), baseline.by_sample(baseline.scores[name], questions), one)
        for name in names
        if (one := criteria[name]) and name in model.scores
    ]
    if not tables:
        return None
    own = [(base, base, one) for _, base, one in tables]
    pairs = list(permutations(range(baseline.samples), 2))
    both = list(product(range(model.samples), range(baseline.samples)))
    return Falls(mean_falls(tables, both), mean_falls(own, pairs) if pairs else None)


def mean_falls(tables: Sequence[tuple[Array, Array, Criterion]], pairs: Sequence[tuple[int, int]]) -> Array:
    """By question, the share of these pairs of samples in which the first falls on any criterion."""
    total = np.zeros(len(tables[0][0]))
    counted = np.zeros(len(total))
    for first, second in pairs:
        fell = np.max([collapsed(a[:, first], b[:, second], one.low, one.step) for a, b, one in tables], axis=0)
        known = ~np.isnan(fell)
        total[known] += fell[known]
        counted += known
    return np.where(counted > 0, total / np.maximum(counted, 1), np.nan)


def collapse_details(found: Falls | None, alpha: float) -> Collapses | None:
    """The share of questions with its interval (as a mean score's); None where no question is scored in both."""
    if found is None:
        return None
    known = found.model[~np.isnan(found.model)]
    if known.size == 0:
        return None
    interval, own = mean_interval(known, alpha, SHARE), found.baseline
    of_baseline = float(np.nanmean(own)) if own is not None and not np.all(np.isnan(own)) else None
    return Collapses(
        share=interval.mean, low=interval.low, high=interval.high, questions=len(known), of_baseline=of_baseline
    )
