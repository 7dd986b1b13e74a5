"""Figures are what their names say, held against scikit-learn's; calibration and cut-offs do no harm."""

import numpy as np
import pytest

from tuneproof.scoring.evaluator.contract import Calibration
from tuneproof.scoring.evaluator.learning.calibrating import HeldOut, fit_calibration, fit_cuts, fit_isotonic, midpoints
from tuneproof.scoring.evaluator.learning.curves import Point, gain_of_more
from tuneproof.scoring.evaluator.learning.examples import Classes
from tuneproof.scoring.evaluator.learning.measuring import Rated, agreement, area, bins, calibration_error
from tuneproof.scoring.evaluator.words.fitting import fit_one
from tuneproof.statistics.distributions import Array

CHANCE = np.random.default_rng(5)
SCALE = Classes(("1", "2", "3"), (1.0, 2.0, 3.0))
TOPICS = Classes(("a", "b", "c"), None)


def shares_of(rows: int) -> Array:
    found = CHANCE.dirichlet((1, 1, 1), rows)
    return np.asarray(found)


def held_out(rows: int, sharpness: float) -> HeldOut:
    """Yes/no answers whose true log-odds are the logits divided by `sharpness`."""
    chance = np.random.default_rng(rows)
    logits = chance.normal(0, 2, rows)
    classes = (chance.random(rows) < 1 / (1 + np.exp(-logits))).astype(float)
    groups = [f"q{row // 4}" for row in range(rows)]
    return HeldOut(sharpness * logits[:, None], classes, np.ones(rows), groups, (0.0, 1.0), 0)


def test_kappa_and_area_are_scikit_learns() -> None:
    from sklearn.metrics import cohen_kappa_score, roc_auc_score

    wanted, shares = CHANCE.integers(0, 3, 300).astype(float), shares_of(300)
    given = shares.argmax(axis=1).astype(float)
    rated = Rated(given, shares)
    assert agreement(wanted, rated, SCALE) == pytest.approx(cohen_kappa_score(wanted, given, weights="quadratic"))
    assert agreement(wanted, rated, TOPICS) == pytest.approx(cohen_kappa_score(wanted, given))
    by_class = [roc_auc_score(wanted == each, shares[:, each]) for each in range(3)]
    assert area(wanted, rated, ordered=False) == pytest.approx(np.mean(by_class))
    by_step = [roc_auc_score(wanted > step, shares[:, step + 1 :].sum(axis=1)) for step in range(2)]
    assert area(wanted, rated, ordered=True) == pytest.approx(np.mean(by_step))


def test_sure_and_right_has_no_calibration_error_and_sure_and_wrong_all_of_it() -> None:
    wanted = np.array([0.0, 1.0, 1.0, 0.0])
    sure = np.array([[1 - each, each] for each in wanted])
    assert calibration_error(wanted, Rated(wanted, sure), ordered=True) == 0
    assert calibration_error(1 - wanted, Rated(wanted, sure), ordered=True) == 1
    assert sum(count for *_, count in bins(wanted, Rated(wanted, sure), ordered=True)) == 4


@pytest.mark.parametrize("sharpness", [0.3, 3.0])
def test_a_temperature_takes_back_too_much_or_too_little_confidence(sharpness: float) -> None:
    fitted = fit_calibration(held_out(600, sharpness))
    assert fitted.kind == "temperature"
    assert fitted.temperature == pytest.approx(sharpness, rel=0.25)
    tried = held_out(4000, sharpness)
    errors = [
        calibration_error(tried.classes, Rated(tried.classes, tried.shares(each)), ordered=True)
        for each in (fitted, Calibration())
    ]
    assert errors[0] < errors[1] / 2


def test_what_is_calibrated_is_not_made_worse() -> None:
    tried = held_out(4000, 1.0)
    fitted, plain = (
        calibration_error(tried.classes, Rated(tried.classes, tried.shares(each)), ordered=True)
        for each in (fit_calibration(held_out(900, 1.0)), Calibration())
    )
    assert fitted < plain + 0.02


def test_a_curve_rises_and_is_calibrated() -> None:
    fitted = fit_isotonic(held_out(2000, 2.0))
    (curve,) = fitted.curves
    assert list(curve.logits) == sorted(set(curve.logits))
    assert list(curve.probabilities) == sorted(curve.probabilities)
    tried = held_out(4000, 2.0)
    assert calibration_error(tried.classes, Rated(tried.classes, tried.shares(fitted)), ordered=True) < 0.05


def test_cuts_stay_at_the_nearest_step_unless_others_clearly_gain() -> None:
    assert fit_cuts(held_out(400, 1.0), Calibration()) == midpoints((0.0, 1.0))
    shifted = held_out(800, 1.0)
    moved = HeldOut(shifted.logits - 3, shifted.classes, shifted.weights, shifted.groups, shifted.steps, 0)
    (cut,) = fit_cuts(moved, Calibration())
    assert cut < 0.25


def test_logistic_regression_is_scikit_learns() -> None:
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    matrix, weights = CHANCE.normal(0, 1, (300, 5)), CHANCE.uniform(0.2, 1, 300)
    target = (matrix[:, 0] + CHANCE.normal(0, 1, 300) > 0).astype(float)
    found = fit_one(csr_array(matrix), target, weights, 0.3)
    theirs = LogisticRegression(C=0.3, tol=1e-10, max_iter=5000).fit(matrix, target, sample_weight=weights)
    assert found[:-1] == pytest.approx(theirs.coef_[0], abs=1e-4)
    assert found[-1] == pytest.approx(theirs.intercept_[0], abs=1e-4)


def test_more_labels_bring_what_the_curve_leads_to() -> None:
    curve = [Point(n, 0.8 - 4 / n**0.5) for n in (100, 200, 400, 800)]
    assert gain_of_more(curve) == pytest.approx(4 / 800**0.5 - 4 / 1800**0.5, abs=1e-3)
    assert gain_of_more(curve[:2]) is None
    assert gain_of_more([Point(n, 0.5 - n / 10_000) for n in (100, 200, 400)]) == 0
