"""How each question went for one model beside another, and where a model loses against the baseline.

Whether a question got better or worse is decided here and nowhere else: whoever counts or lists such questions takes
the letters of `outcomes`, or what was counted of them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tuneproof.results.analysis.criteria import Scored
from tuneproof.results.details.changes import NOT_KNOWN, Loss, Losses
from tuneproof.results.details.criteria import Changes
from tuneproof.results.details.run import RunDetails
from tuneproof.statistics.distributions import Array

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


def letters(differences: Array, counts_from: float) -> str:
    """How each question went: `b`etter, the `s`ame or `w`orse, and `-` where either has no score.

    >>> letters(np.array([1.0, 0.2, -2.0, np.nan, 0.5]), counts_from=0.5)
    'bsw-b'
    """
    found = np.where(np.isnan(differences), NOT_KNOWN, "s")
    for letter, one in (("b", -differences), ("w", differences)):
        found[fell(one, counts_from)] = letter
    return "".join(found.tolist())


def outcomes(run: RunDetails, model: str, scored: Mapping[str, Scored]) -> dict[str, dict[str, str]]:
    """How each question went for a model beside the baseline and the models before it, by criteria that score answers.

    So every two models are here once, from the side of one of them.
    """
    others = [] if model == run.baseline else [run.baseline, *models_before(run, model)]
    return {
        other: {
            name: letters(scored[model].counted(name) - scored[other].counted(name), criterion.counts_from)
            for name, criterion in run.criteria.items()
            if criterion.by_answer
        }
        for other in others
    }


def models_before(run: RunDetails, model: str) -> list[str]:
    """The models that are named before one in params.yaml, without the baseline; none for the baseline itself."""
    compared = [name for name in run.models if name != run.baseline]
    return compared[: compared.index(model)] if model in compared else []


def fell(differences: Array, counts_from: float) -> NDArray[np.bool_]:
    """Where a model is worse by so much that it counts; not where a score is missing."""
    return np.asarray(differences <= -max(counts_from - ROUNDING, ROUNDING))


def worsened(run: RunDetails, differences: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Which questions got worse in at least one of the criteria by which a question is lost."""
    falls = [fell(differences[name], run.criteria[name].counts_from) for name in run.by_question]
    return np.asarray(np.any(falls, axis=0))


def losses(
    run: RunDetails, model: Scored, other: Scored, ids: Sequence[str], preferences: Array | None = None
) -> Losses:
    """The worst of the questions that got worse in any of the claim's criteria: those that lost most over all of them.

    The worst stands first, and of equal ones the first.

    Args:
        run: What the models share.
        model: One model's scores.
        other: Those of the model that it is compared with.
        ids: The questions, in the scores' order.
        preferences: The judge's for the model beside the other, in the same order; None where nobody compared.
    """
    names = run.by_question
    shown = [*names, *(name for name, one in run.criteria.items() if one.by_answer and name not in names)]
    differences = {name: model.counted(name) - other.counted(name) for name in names}
    shares = np.stack([differences[name] / np.ptp(run.criteria[name].ends) for name in names])
    known, worse = (~np.isnan(shares)).sum(axis=0), worsened(run, differences)
    mean = np.where(known > 0, np.nansum(shares, axis=0) / np.maximum(known, 1), 0.0)
    worst = [int(place) for place in np.argsort(mean, kind="stable") if worse[place]][:MOST_LOSSES]
    found = [
        Loss(
            question=ids[place],
            share=float(mean[place]),
            baseline=scores_at(other, shown, place),
            model=scores_at(model, shown, place),
            fell=fallen_at(run, {name: differences[name][place] for name in names}),
            preference=None if preferences is None or np.isnan(preferences[place]) else float(preferences[place]),
        )
        for place in worst
    ]
    return Losses(worsened=int(worse.sum()), worst=found)


def fallen_at(run: RunDetails, differences: Mapping[str, float]) -> list[str]:
    """The criteria in which one question got worse, what fell farthest first."""
    fallen = [name for name, one in differences.items() if fell(np.array(one), run.criteria[name].counts_from)]
    return sorted(fallen, key=differences.__getitem__)


def scores_at(scored: Scored, names: Sequence[str], place: int) -> dict[str, float]:
    """One question's scores by criterion, without those that it has not."""
    found = {name: float(scored.scores[name][place]) for name in names}
    return {name: score for name, score in found.items() if not np.isnan(score)}
