"""A model's gain by the judge's scores where its answer is as long as the baseline's."""

import numpy as np

from tuneproof.results.details.criteria import EqualLength
from tuneproof.results.details.run import RunDetails
from tuneproof.results.details.slices import FEWEST_FOR_INTERVAL
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.equal_length import gain_at_equal_length


def equal_length(run: RunDetails, criterion: str, differences: Array, lengths: Array) -> EqualLength | None:
    """One criterion of the judge's at equal length; None of another source, and where too few questions can tell.

    `differences` to the baseline and ratios of `lengths` are by question, NaN where either has none.
    """
    if criterion not in run.rubric:
        return None
    known = ~np.isnan(differences) & ~np.isnan(lengths)
    if known.sum() < FEWEST_FOR_INTERVAL:
        return None
    found = gain_at_equal_length(differences[known], lengths[known], run.alpha, run.criteria[criterion].ends)
    return None if found is None else EqualLength(**vars(found))
