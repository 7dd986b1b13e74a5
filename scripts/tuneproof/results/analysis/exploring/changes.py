"""Where one model loses against the baseline: how many questions improved, stayed and got worse, and the worst ones."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tuneproof.results.analysis.criteria import Scored
from tuneproof.results.details.changes import Loss
from tuneproof.results.details.criteria import Changes
from tuneproof.results.details.run import RunDetails
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.shipping import Key

MOST_LOSSES = 5
ROUNDING = 1e-9  # what the means of samples differ by through floating point


def changes(differences: Array, counts_from: float) -> Changes | None:
    """Counts the questions that improved, stayed the same and got worse; None where none is scored in both.

    Less than `counts_from` is the same (`Criterion.counts_from`).

    >>> changes(np.array([1.0, 0.2, -2.0, np.nan, 0.5]), counts_from=0.5)
    Changes(improved=2, same=1, worse=1)
    """
    known = differences[~np.isnan(differences)]
    if not known.size:
        return None
    improved, worse = (int(fell(one, counts_from).sum()) for one in (-known, known))
    return Changes(improved=improved, same=len(known) - improved - worse, worse=worse)


def fell(differences: Array, counts_from: float) -> NDArray[np.bool_]:
    """Where a model is worse by so much that it counts; not where a score is missing."""
    return np.asarray(differences <= -max(counts_from - ROUNDING, ROUNDING))


def worsened(run: RunDetails, model: str, differences: Mapping[Key, Array]) -> NDArray[np.bool_]:
    """Which questions got worse in at least one of the criteria by which a question is lost."""
    falls = [fell(differences[model, name], run.criteria[name].counts_from) for name in run.by_question]
    return np.asarray(np.any(falls, axis=0))


def losses(
    run: RunDetails, model: str, differences: Mapping[Key, Array], scored: Mapping[str, Scored], ids: Sequence[str]
) -> list[Loss]:
    """The worst of the questions that got worse in any of the claim's criteria: those that lost most over all of them.

    The worst stands first, and of equal ones the first.

    Args:
        run: What the models share.
        model: The model, which is not the baseline.
        differences: By model and criterion, the model less the baseline, NaN where either has no score.
        scored: Every model's scores.
        ids: The questions, in the scores' order.
    """
    names, worse = run.by_question, worsened(run, model, differences)
    shares = np.stack([differences[model, name] / np.ptp(run.criteria[name].ends) for name in names])
    known = (~np.isnan(shares)).sum(axis=0)
    mean = np.where(known > 0, np.nansum(shares, axis=0) / np.maximum(known, 1), 0.0)
    worst = [int(place) for place in np.argsort(mean, kind="stable") if worse[place]][:MOST_LOSSES]
    return [
        Loss(
            question=ids[place],
            share=float(mean[place]),
            baseline=scores_at(scored[run.baseline], names, place),
            model=scores_at(scored[model], names, place),
        )
        for place in worst
    ]


def scores_at(scored: Scored, names: Sequence[str], place: int) -> dict[str, float]:
    """One question's scores by criterion, without those that it has not."""
    found = {name: float(scored.scores[name][place]) for name in names}
    return {name: score for name, score in found.items() if not np.isnan(score)}
