"""Intervals for a mean that were tried against the chosen one, on scores given as counts of each distinct value.

Resamples are counts too, so that a bootstrap of a discrete score costs one multinomial draw. The resamples are
arguments, so that tests can give scipy.stats.bootstrap the same ones.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from tuneproof.statistics.distributions import Array, student_t_critical

Limits = tuple[float, float]


@dataclass(frozen=True)
class Moments:
    """Size, mean, variance (ddof 1) and standard error of samples that are rows of counts."""

    size: Array
    mean: Array
    variance: Array
    error: Array


def moments(values: Array, counts: Array) -> Moments:
    """Takes the distinct values and, per row, how often each occurs."""
    size = counts.sum(axis=-1)
    mean = counts @ values / size
    variance = np.sum(counts * (values - mean[..., None]) ** 2, axis=-1) / (size - 1)
    return Moments(size, mean, variance, np.sqrt(variance / size))


def student_t(values: Array, counts: Array, alpha: float) -> Limits:
    """The ordinary t interval."""
    sample = moments(values, counts)
    width = student_t_critical(alpha, float(sample.size) - 1) * float(sample.error)
    return float(sample.mean) - width, float(sample.mean) + width


def percentile(values: Array, resamples: Array, alpha: float) -> Limits:
    """The percentile bootstrap: quantiles of the resampled means."""
    low, high = np.quantile(moments(values, resamples).mean, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)


def studentized(values: Array, counts: Array, resamples: Array, alpha: float) -> Limits:
    """The bootstrap-t: quantiles of the resampled t statistics (Efron and Tibshirani 1993, chapter 12.5).

    A resample without spread has an infinite statistic; the limit it gives is infinite too.
    """
    sample, drawn = moments(values, counts), moments(values, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistics = np.nan_to_num((drawn.mean - sample.mean) / drawn.error, nan=0.0, posinf=1e9, neginf=-1e9)
    low, high = np.quantile(statistics, [alpha / 2, 1 - alpha / 2])
    return float(sample.mean - high * sample.error), float(sample.mean - low * sample.error)


def bca(values: Array, counts: Array, resamples: Array, alpha: float) -> Limits:
    """The bias-corrected and accelerated bootstrap (Efron 1987), ties counted half as in scipy.stats.bootstrap."""
    sample, means = moments(values, counts), moments(values, resamples).mean
    if sample.variance == 0:
        return float(sample.mean), float(sample.mean)
    share = (np.mean(means < sample.mean) + np.mean(means <= sample.mean)) / 2
    bias = ndtri(np.clip(share, 1e-9, 1 - 1e-9))
    deviations = values - sample.mean  # the jackknife of a mean is linear in these
    acceleration = np.sum(counts * deviations**3) / (6 * np.sum(counts * deviations**2) ** 1.5)
    shifted = bias + ndtri(np.array([alpha / 2, 1 - alpha / 2]))
    low, high = np.quantile(means, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)
