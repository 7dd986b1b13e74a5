"""The beta and Student t distributions, out of scipy.special (https://docs.scipy.org/doc/scipy/reference/special.html).

scipy.stats would take a second to import, scipy.special a tenth of one, and only where something is computed.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def beta_cdf(x: float | Array, a: float, b: float) -> Array:
    """Returns the regularised incomplete beta function I_x(a, b), the distribution function of Beta(a, b).

    A shape of 0 is the limiting point mass: a = 0 at 0, b = 0 at 1.
    """
    from scipy import special

    values = np.clip(np.asarray(x, dtype=np.float64), 0.0, 1.0)
    if a == 0 or b == 0:
        return np.where(values >= (0.0 if a == 0 else 1.0), 1.0, 0.0)
    return np.asarray(special.betainc(a, b, values))


def beta_density(x: Array, a: float, b: float) -> Array:
    """Returns the density of Beta(a, b) at points strictly between 0 and 1."""
    from scipy import special

    return np.asarray(np.exp(special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x) - special.betaln(a, b)))


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Returns the x with I_x(a, b) = probability, of the same point masses."""
    from scipy import special

    if a == 0 or b == 0:
        return 0.0 if a == 0 else 1.0
    return float(special.betaincinv(a, b, probability))


@cache
def student_t_critical(alpha: float, degrees: float) -> float:
    """Returns the t with P(|T| > t) = alpha, `alpha` strictly between 0 and 1."""
    from scipy import special

    return -float(special.stdtrit(degrees, alpha / 2))  # from the lower tail, where small shares keep their digits
