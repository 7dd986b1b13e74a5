"""A model's gain by the judge's scores where its answer is as long as the baseline's."""

import numpy as np

from tuneproof.results.analysis.criteria import Scored
from tuneproof.results.details.criteria import EqualLength
from tuneproof.results.details.run import RunDetails
from tuneproof.results.details.slices import FEWEST_FOR_INTERVAL
from tuneproof.statistics.equal_length import gain_at_equal_length, ratios


def equal_length(run: RunDetails, criterion: str, scored: Scored, baseline: Scored) -> EqualLength | None:
    """One criterion of the judge's at equal length; None for the baseline, and where too few questions can tell."""
    if criterion not in run.rubric or scored is baseline:
        return None
    differences = scored.scores[criterion] - baseline.scores[criterion]
    lengths = ratios(scored.characters, baseline.characters)
    known = ~np.isnan(differences) & ~np.isnan(lengths)
    if known.sum() < FEWEST_FOR_INTERVAL:
        return None
    found = gain_at_equal_length(differences[known], lengths[known], run.alpha, run.criteria[criterion].ends)
    return None if found is None else EqualLength(**vars(found))
