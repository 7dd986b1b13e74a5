"""Whether something differs from one kind of question to another."""

from collections.abc import Sequence

import numpy as np

from tuneproof.statistics.agreement.scores import ranks
from tuneproof.statistics.distributions import Array

_DECIMALS = 9  # beyond which equal gains differ through floating point
FEWEST_IN_A_KIND = 5  # of which the chi-squared approximation is good enough (Kruskal and Wallis 1952)


def chance_of_such_kinds(groups: Sequence[Array]) -> float | None:
    """Returns how likely groups are to lie as far apart by chance, by the test of Kruskal and Wallis on ranks.

    Kruskal and Wallis 1952 (doi:10.1080/01621459.1952.10483441), with their correction for ties, against the
    chi-squared distribution. Groups of fewer than FEWEST_IN_A_KIND are left out.

    Returns:
        None where fewer than two groups are left, or all values are equal.
    """
    from scipy import special

    known = [group for group in groups if len(group) >= FEWEST_IN_A_KIND]
    if len(known) < 2:
        return None
    values = np.asarray(np.round(np.concatenate(known), _DECIMALS), dtype=np.float64)
    n, ranked = len(values), ranks(values)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    corrected = 1 - float(np.sum(ties**3 - ties)) / (n**3 - n)
    if corrected <= 0:
        return None
    ends = np.cumsum([len(group) for group in known])[:-1]
    apart = sum(float(part.sum()) ** 2 / len(part) for part in np.split(ranked, ends))
    statistic = (12 / (n * (n + 1)) * apart - 3 * (n + 1)) / corrected
    return float(special.chdtrc(len(known) - 1, max(statistic, 0.0)))
