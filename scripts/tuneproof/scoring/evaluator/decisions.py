"""From logits to what an evaluator says: calibrated probabilities, a score, a class. Standard library only."""

import math
from bisect import bisect_right
from collections.abc import Sequence

from tuneproof.scoring.evaluator.contract import Calibration, Knots, Manifest, Scored

DECIMALS = 4  # the same score on every machine, whose mathematics may differ in the last bits
MAX_LOGIT = 50.0


def sigmoid(logit: float) -> float:
    """The probability of some log-odds."""
    return 1 / (1 + math.exp(-max(-MAX_LOGIT, min(MAX_LOGIT, logit))))


def decide(manifest: Manifest, logits: Sequence[float]) -> Scored:
    """What an evaluator says of an answer with these logits."""
    shares = class_shares(logits, manifest.calibration, manifest.ordered)
    probabilities = {name: round(share, DECIMALS) for name, share in zip(manifest.classes, shares, strict=True)}
    if manifest.steps is None:
        label = manifest.classes[shares.index(max(shares))]
        return Scored(label, None, probabilities[label], probabilities)
    score = math.fsum(step * share for step, share in zip(manifest.steps, shares, strict=True))
    place = round((score - manifest.steps[0]) / (manifest.steps[-1] - manifest.steps[0]), DECIMALS)
    label = manifest.classes[bisect_right(manifest.cuts, place)]
    return Scored(label, round(score, DECIMALS), place, probabilities)


def class_shares(logits: Sequence[float], calibration: Calibration, ordered: bool) -> list[float]:
    """The probability of each class. On a scale a higher class is never likelier to be reached than a lower one."""
    if not ordered:
        return softmax(calibrated_logits(logits, calibration))
    reached = [1.0]
    for place, logit in enumerate(logits):
        reached.append(min(reached[-1], calibrated(logit, calibration, place)))
    return [here - there for here, there in zip(reached, [*reached[1:], 0.0], strict=True)]


def calibrated(logit: float, calibration: Calibration, place: int) -> float:
    """The probability that a logit stands for; `place` says which of them it is."""
    if calibration.kind == "isotonic":
        return interpolated(logit, calibration.curves[place])
    return sigmoid(logit / calibration.temperature)


def calibrated_logits(logits: Sequence[float], calibration: Calibration) -> list[float]:
    """The logits of classes without order, at their temperature."""
    return [logit / calibration.temperature for logit in logits]


def softmax(logits: Sequence[float]) -> list[float]:
    """Probabilities that sum to 1."""
    highest = max(logits)
    powers = [math.exp(max(-MAX_LOGIT, logit - highest)) for logit in logits]
    total = math.fsum(powers)
    return [power / total for power in powers]


def interpolated(logit: float, curve: Knots) -> float:
    """The curve's value, straight between its points and constant beyond them."""
    above = bisect_right(curve.logits, logit)
    if above == 0:
        return curve.probabilities[0]
    if above == len(curve.logits):
        return curve.probabilities[-1]
    left, right = curve.logits[above - 1], curve.logits[above]
    low, high = curve.probabilities[above - 1], curve.probabilities[above]
    return low + (high - low) * (logit - left) / (right - left)
