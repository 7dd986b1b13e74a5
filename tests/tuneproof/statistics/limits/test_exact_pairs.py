"""The exact interval for pairs of right or wrong answers, against scipy's distributions and by enumeration."""

import numpy as np
import pytest
import scipy

from tuneproof.statistics.limits.exact_pairs import exact_paired_interval, exact_test_rejects

PENALTY = 0.02  # of the level


def unconditional_p(better: int, differing: int, n: int, tail: float) -> float:
    """One side's exact p-value by brute force over all tables of n pairs, with Berger and Boos's penalty."""
    penalty, numbers = PENALTY * tail, np.arange(1, n + 1)
    z = (2 * better - differing) / np.sqrt(differing)
    heads = np.ceil((numbers + z * np.sqrt(numbers)) / 2 - 1e-9)
    lowest = scipy.stats.beta.ppf(penalty / 2, differing, n - differing + 1)
    highest = scipy.stats.beta.ppf(1 - penalty / 2, differing + 1, n - differing) if differing < n else 1.0
    chances = scipy.stats.binom.pmf(numbers, n, np.linspace(lowest, highest, 500)[:, None])
    return float((chances @ scipy.stats.binom.sf(heads - 1, numbers, 0.5)).max()) + penalty


@pytest.mark.parametrize("n", [12, 31])
@pytest.mark.parametrize("alpha", [0.05, 0.0131])
def test_the_interval_excludes_zero_just_when_the_exact_test_rejects(n: int, alpha: float) -> None:
    for better in range(0, n + 1, 2):
        for worse in range(0, n + 1 - better, 3):
            low, high = exact_paired_interval(better, worse, n, alpha)
            assert -1 <= low <= (better - worse) / n <= high <= 1
            for excluded, side in ((low > 0, better), (high < 0, worse)):
                rejected = better != worse and unconditional_p(side, better + worse, n, alpha / 2) <= alpha / 2
                assert excluded == rejected


@pytest.mark.parametrize("n", [1, 7, 30, 100])
@pytest.mark.parametrize("tail", [0.025, 0.00655])
def test_false_verdicts_are_at_most_as_many_as_said(n: int, tail: float) -> None:
    numbers = np.arange(n + 1)
    rejected = []
    for differing in range(n + 1):
        at_least = (b for b in range(differing + 1) if exact_test_rejects(b, differing - b, n, tail))
        rejected.append(scipy.stats.binom.sf(next(at_least, differing + 1) - 1, differing, 0.5))
    chances = scipy.stats.binom.pmf(numbers, n, np.linspace(0, 1, 2_001)[:, None])
    worst = float((chances @ np.array(rejected)).max())
    assert worst <= tail
    assert n < 30 or worst > 0.8 * tail


def test_it_rejects_more_often_than_mcnemars_conditional_test() -> None:
    assert exact_test_rejects(4, 0, 30, 0.025), "four of thirty pairs differ, all of them for the better"
    found = [(better, worse) for better in range(61) for worse in range(61 - better)]
    exact = {pair for pair in found if exact_test_rejects(*pair, 60, 0.025)}
    conditional = {(b, w) for b, w in found if scipy.stats.binom.sf(b - 1, b + w, 0.5) < 0.025}
    assert conditional < exact
    assert exact_test_rejects(2_600, 2_400, 20_000, 0.025) == (scipy.stats.binom.sf(2_599, 5_000, 0.5) < 0.025)


@pytest.mark.parametrize(("better", "worse", "n"), [(9, 2, 44), (6, 0, 100), (3, 7, 40), (130, 70, 1000), (20, 1, 22)])
def test_the_limits_are_the_melded_ones(better: int, worse: int, n: int) -> None:
    low, high = exact_paired_interval(better, worse, n, 0.05)

    melded = fay_lumbard_low(better, worse, n, 0.025)
    assert low == pytest.approx(max(melded, 0) if low > 0 else melded, abs=1e-3)
    assert (high, low) == tuple(-limit for limit in exact_paired_interval(worse, better, n, 0.05))


def fay_lumbard_low(better: int, worse: int, n: int, tail: float) -> float:
    """The lower limit by brute force: two million draws of both confidence distributions."""
    generator = np.random.default_rng(5)
    better_share = generator.beta(better, worse + 1, 2_000_000)
    differing = better + worse
    limits = [
        np.quantile(generator.beta(a, b, 2_000_000) * (2 * better_share - 1), tail)
        for a, b in ((differing, n - differing + 1), (differing + 1, n - differing))
    ]
    return float(min(limits))


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (0, 5), (5, 0), (30, 0), (15, 15)])
def test_the_interval_at_its_ends(better: int, worse: int) -> None:
    low, high = exact_paired_interval(better, worse, 30, 0.05)

    # With nothing better the limit is Clopper and Pearson's for the share that differs, so never without width.
    reference = scipy.stats.binomtest(better + worse, 30).proportion_ci(0.95, method="exact")
    assert low == pytest.approx(-reference.high) if better == 0 else low > -reference.high
    assert high == pytest.approx(reference.high) if worse == 0 else high < reference.high
    assert low < high


@pytest.mark.parametrize("n", [15, 21])
def test_each_limit_misses_at_most_as_often_as_it_says(n: int) -> None:
    tables = np.array([(better, worse) for better in range(n + 1) for worse in range(n + 1 - better)])
    lows = np.array([exact_paired_interval(better, worse, n, 0.05)[0] for better, worse in tables.tolist()])
    counts = np.column_stack([tables, n - tables.sum(axis=1)])
    for differing in (0.05, 0.2, 0.5, 0.8, 0.95, 0.988, 1.0):
        for difference in (-0.5, -0.1, -1e-4, 0.0, 1e-4, 0.01, 0.03, 0.06, 0.108, 0.2, 0.4, 0.7):
            if abs(difference) <= differing:
                better, worse = (differing + difference) / 2, (differing - difference) / 2
                chances = scipy.stats.multinomial.pmf(counts, n, [better, worse, 1 - differing])
                assert chances[lows > difference].sum() <= 0.025, (better, worse)
