"""Agreement above chance, against the libraries that measure it."""

from itertools import product

import numpy as np
import pytest

from tuneproof.statistics.agreement.raters import (
    Level,
    Weights,
    fleiss_kappa,
    kappa,
    krippendorff_alpha,
    mean_kappa,
    share_equal,
    weighted_kappa,
)
from tuneproof.statistics.distributions import Array

SEEDS = range(20)
SKLEARN: dict[Weights, str | None] = {"nominal": None, "linear": "linear", "quadratic": "quadratic"}


def rated(seed: int, raters: int = 3, answers: int = 60, steps: int = 4, missing: float = 0.0) -> Array:
    """Ratings that agree somewhat; a share of them missing."""
    random = np.random.default_rng(seed)
    truth = random.integers(1, steps + 1, answers)
    noise = random.integers(-1, 2, (raters, answers)) * (random.random((raters, answers)) < 0.5)
    ratings = np.clip(truth + noise, 1, steps).astype(np.float64)
    ratings[random.random(ratings.shape) < missing] = np.nan
    return np.asarray(ratings)


@pytest.mark.parametrize(("seed", "level"), list(product(SEEDS, ("nominal", "ordinal", "interval"))))
def test_alpha_is_the_one_of_the_library_also_where_ratings_are_missing(seed: int, level: Level) -> None:
    import krippendorff

    ratings = rated(seed, raters=2 + seed % 4, missing=0.1 * (seed % 5))

    theirs = krippendorff.alpha(reliability_data=ratings, level_of_measurement=level)

    assert krippendorff_alpha(ratings, level) == pytest.approx(theirs, abs=1e-8)


def test_alpha_of_steps_that_are_not_evenly_spaced_is_the_library_s() -> None:
    import krippendorff

    ratings = rated(1) ** 2

    for level in ("ordinal", "interval"):
        theirs = krippendorff.alpha(reliability_data=ratings, level_of_measurement=level)
        assert krippendorff_alpha(ratings, level) == pytest.approx(theirs, abs=1e-8)


@pytest.mark.parametrize(("seed", "weights"), list(product(SEEDS, SKLEARN)))
def test_kappa_is_scikit_learns(seed: int, weights: Weights) -> None:
    from sklearn.metrics import cohen_kappa_score

    one, other = rated(seed, raters=2)

    theirs = cohen_kappa_score(one.astype(int), other.astype(int), weights=SKLEARN[weights])

    assert kappa(one, other, weights) == pytest.approx(theirs, abs=1e-8)


def test_kappa_leaves_out_what_one_of_the_two_did_not_rate() -> None:
    one, other = rated(3, raters=2)
    gone = one.copy()
    gone[::4] = np.nan
    rest = ~np.isnan(gone)

    assert kappa(gone, other) == kappa(one[rest], other[rest])


def test_weighted_kappa_takes_scores_between_the_steps() -> None:
    people, judge = np.array([1.0, 2.0, 3.0, 2.5]), np.array([1.2, 2.0, 2.7, 2.4])

    assert weighted_kappa(people, judge) == pytest.approx(
        1 - (0.04 + 0.09 + 0.01) / 4 / np.mean((people[:, None] - judge[None, :]) ** 2)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_fleiss_kappa_is_the_one_of_statsmodels(seed: int) -> None:
    from statsmodels.stats.inter_rater import aggregate_raters
    from statsmodels.stats.inter_rater import fleiss_kappa as fleiss_of_statsmodels

    ratings = rated(seed)

    table, _ = aggregate_raters(ratings.T.astype(int))

    assert fleiss_kappa(ratings) == pytest.approx(fleiss_of_statsmodels(table), abs=1e-8)


def test_fleiss_kappa_takes_the_answers_that_all_rated() -> None:
    ratings = rated(2)
    gone = ratings.copy()
    gone[0, :10] = np.nan

    assert fleiss_kappa(gone) == fleiss_kappa(ratings[:, 10:])


def test_share_equal_counts_pairs_of_ratings() -> None:
    ratings = np.array([[1, 2, 3, np.nan], [1, 2, 2, 3], [1, 3, np.nan, np.nan]])

    assert share_equal(ratings) == pytest.approx((3 + 1 + 0) / (3 + 3 + 1))


def test_mean_kappa_is_over_the_pairs_of_raters_that_have_one() -> None:
    ratings = rated(5)
    pairs = [kappa(ratings[first], ratings[second]) for first, second in ((0, 1), (0, 2), (1, 2))]

    assert mean_kappa(ratings) == pytest.approx(np.mean(np.array(pairs, dtype=np.float64)))
    assert mean_kappa(np.vstack([ratings, np.full((1, 60), np.nan)])) == mean_kappa(ratings)


def test_raters_who_agree_wholly_have_one() -> None:
    ratings = np.tile(rated(0, raters=1), (3, 1))

    assert krippendorff_alpha(ratings) == kappa(ratings[0], ratings[1]) == fleiss_kappa(ratings) == 1
    assert share_equal(ratings) == 1


def test_ratings_at_random_have_about_none() -> None:
    ratings = np.random.default_rng(4).integers(1, 4, (2, 20_000)).astype(np.float64)

    for found in (
        krippendorff_alpha(ratings),
        kappa(ratings[0], ratings[1]),
        kappa(ratings[0], ratings[1], "nominal"),
        fleiss_kappa(ratings),
    ):
        assert found == pytest.approx(0, abs=0.03)


def test_where_nothing_varies_or_is_shared_agreement_above_chance_is_unknown() -> None:
    same, alone = np.full((2, 5), 3.0), np.array([[1.0, np.nan], [np.nan, 2.0]])

    for ratings in (same, alone, np.full((2, 3), np.nan), np.empty((2, 0))):
        assert krippendorff_alpha(ratings) is None
        assert [kappa(ratings[0], ratings[1], weights) for weights in SKLEARN] == [None, None, None]
        assert fleiss_kappa(ratings) is None
        assert mean_kappa(ratings) is None
    assert share_equal(alone) is None
    assert share_equal(same) == 1
