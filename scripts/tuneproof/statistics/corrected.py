"""A judge's scores in people's units: what people would give on average, from the judge's scores and a few labels.

Prediction-powered inference, power-tuned (PPI++: Angelopoulos, Duchi and Zrnic 2023, arXiv:2311.01453). People rate a
random part of the questions. Their mean there, plus the judge's mean on the rest less its mean on theirs, weighed by
lambda, is unbiased whatever the judge is worth; lambda makes its error the smallest, and is 0 for a judge that says
nothing of people. The question is the sampling unit. docs/people.md says how well the intervals cover.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tuneproof.statistics.differences import (
    NO_GROUPS,
    POWER,
    Difference,
    errors_of,
    one_difference,
    questions_needed,
    simultaneous_level,
    smallest_detectable,
    verdict,
)
from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.intervals import UNSEEN_ALONE, Interval, Scale
from tuneproof.statistics.limits.collapses import unseen_share
from tuneproof.statistics.shipping import Guard, GuardOutcome, Key

FEWEST_LABELS = 50  # questions; below this neither lambda nor the error is known well enough (docs/people.md)
METHOD = "prediction-powered (PPI++)"

_USED = 2  # degrees of freedom that the mean and lambda take, as in a regression


@dataclass(frozen=True)
class Corrected:
    """An estimate of people's mean over all questions that the judge scored.

    `weight` is lambda, from 0 (labels alone) to 1 (the judge believed). `worth` is how many labels more than these
    would give the same error without the judge. `influences` has an entry for each question, in the order in which
    they came and NaN where the judge has no score: their mean is the estimate, and how they vary together is how
    several estimates on the same questions do.
    """

    mean: float
    error: float
    labels: int
    weight: float
    worth: int
    influences: Array

    def interval(self, level: float, scale: Scale) -> Interval:
        """The interval at confidence 1 - level, within the scale."""
        low, high = self.limits(level / 2, level, scale)
        few = f"only {self.labels} labelled questions" if self.labels < FEWEST_LABELS else None
        return Interval(self.mean, low, high, METHOD, few)

    def limits(self, tail: float, unseen: float, scale: Scale) -> tuple[float, float]:
        """Limits by Student's t with `tail` on each side, and never narrower than what no label can have shown.

        That is a share of questions, of which none is among those labelled with the chance `unseen`, at either end.
        """
        low, high = scale
        reach = student_t_critical(2 * tail, self.labels - _USED) * self.error
        hidden = unseen_share(self.labels, unseen)
        lowest = min(self.mean - reach, self.mean - hidden * (self.mean - low))
        highest = max(self.mean + reach, self.mean + hidden * (high - self.mean))
        return max(lowest, low), min(highest, high)


def corrected(people: Array, judge: Array) -> Corrected | None:
    """Estimates people's mean over all questions; None with fewer than three labelled ones.

    Args:
        people: One number per question, the mean over its labelled answers and their raters; NaN where not labelled.
            Which questions are labelled must not depend on the answers.
        judge: The judge's number for each question; NaN where it gave none. Such questions are left out, as they are
            of the judge's own mean.
    """
    scored = ~np.isnan(judge)
    labelled, rest = scored & ~np.isnan(people), scored & np.isnan(people)
    n, m = int(labelled.sum()), int(rest.sum())
    if n <= _USED:
        return None
    weight = _weight(people[labelled], judge[labelled], judge[rest])
    rectified, elsewhere = people[labelled] - weight * judge[labelled], weight * judge[rest]
    mean = float(rectified.mean() + (elsewhere.mean() if m else 0.0))
    variance = float(np.sum((rectified - rectified.mean()) ** 2)) / (n - (_USED if weight else 1)) / n
    variance += float(elsewhere.var(ddof=1)) / m if m > 1 else 0.0
    influences = np.full(len(judge), np.nan)
    influences[labelled] = mean + (rectified - rectified.mean()) * (n + m) / n
    influences[rest] = mean + (elsewhere - elsewhere.mean()) * (n + m) / m if m else 0.0
    alone = float(people[labelled].var(ddof=1))
    worth = max(math.floor(alone / variance + 1e-9) - n, 0) if weight else 0
    return Corrected(mean, math.sqrt(variance), n, weight, worth, influences)


def corrected_difference(found: Corrected, level: float, scale: Scale) -> Difference:
    """An estimated gain as a comparison whose `questions` are labelled ones; `scale` is that of the scores.

    `questions_needed` is how many labelled questions would show the estimated gain in 80 % of repeats, where they say
    as much as these do.
    """
    span = scale[1] - scale[0]
    interval = found.interval(level, (-span, span))
    spread = found.error * math.sqrt(found.labels)
    return Difference(
        interval=interval,
        questions=found.labels,
        level=level,
        verdict=verdict(interval.low, interval.high),
        smallest_detectable=smallest_detectable(spread, found.labels, level) if spread else None,
        questions_needed=questions_needed(interval.mean, spread, level) if spread and interval.mean else None,
    )


def simultaneous_corrected(
    found: Mapping[Key, Corrected | Array],
    alpha: float,
    scales: Mapping[Key, Scale],
    tasks: Mapping[Key, Array] = NO_GROUPS,
) -> dict[Key, Difference]:
    """Compares models with the baseline in people's units; all intervals hold together at 1 - alpha (max-t).

    Args:
        found: Per comparison, the estimated gain; or plain differences by question (NaN where not scored in both) of a
            criterion that people do not rate. All over the same questions in the same order.
        alpha: The chance of one or more false verdicts in the whole family.
        scales: Per comparison, the lowest and highest possible score.
        tasks: Of groups of tasks, as `simultaneous_differences` takes them.
    """
    values = {key: one.influences if isinstance(one, Corrected) else one for key, one in found.items()}
    known = {key: one for key, one in values.items() if not np.all(np.isnan(one))}
    level = simultaneous_level([errors_of(one, tasks.get(key)) for key, one in known.items()], alpha)
    compared: dict[Key, Difference | None] = {}
    for key in known:
        one = found[key]
        if isinstance(one, Corrected):
            compared[key] = corrected_difference(one, level, scales[key])
        else:
            compared[key] = one_difference(one, level, scales[key], tasks.get(key))
    return {key: one for key, one in compared.items() if one}


def corrected_guard(found: Corrected | None, margin: float, alpha: float, scale: Scale) -> Guard:
    """Tests in people's units whether a model's drop is more than `margin`, by limits each of which holds alone."""
    if found is None:
        return Guard(margin, None, None, None, 0, "too few", FEWEST_LABELS)
    span = scale[1] - scale[0]
    low, high = found.limits(alpha, UNSEEN_ALONE * alpha, (-span, span))
    outcome: GuardOutcome = "held" if low > -margin else "dropped" if high < -margin else "open"
    outcome = outcome if found.labels >= FEWEST_LABELS else "too few"
    room, needed = found.mean + margin, None
    if outcome in ("open", "too few") and room > 0:
        errors = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(POWER)
        by_normal = math.ceil((errors * found.error * math.sqrt(found.labels) / room) ** 2)
        needed = max(by_normal, FEWEST_LABELS)
    return Guard(margin, found.mean, low, high, found.labels, outcome, needed)


def labelled_questions_needed(
    distance: float, tail: float, spread: float, correlation: float, questions: int
) -> int | None:
    """How many labelled questions show a mean to lie beyond `distance` in 80 % of repeats; None where all are too few.

    With the best lambda the squared error of a prediction-powered mean over N questions of which n are labelled is
    spread^2 / n x (1 - correlation^2 x (N - n) / N) (PPI++, arXiv:2311.01453, section 6),
    solved for n by the normal approximation.

    Args:
        distance: From the mean as it is now to where the decision lies; not 0.
        tail: The chance of a false decision on the side of the mean.
        spread: The standard deviation of people's numbers over questions.
        correlation: Between people's and the judge's numbers over questions, -1 to 1.
        questions: How many the judge scored, at most so many can be labelled.
    """
    errors = NormalDist().inv_cdf(1 - tail) + NormalDist().inv_cdf(POWER)
    allowed = (distance / errors) ** 2 - (spread * correlation) ** 2 / questions
    if allowed <= 0:
        return None
    needed = max(math.ceil(spread**2 * (1 - correlation**2) / allowed - 1e-9), 1)
    return needed if needed <= questions else None


def _weight(people: Array, judge: Array, elsewhere: Array) -> float:
    """Lambda: how far people move with the judge, less for few unlabelled questions, within 0 to 1."""
    if len(elsewhere) < 2:
        return 0.0
    spread = float(np.concatenate([judge, elsewhere]).var(ddof=1))
    if spread == 0:
        return 0.0
    together = float((people - people.mean()) @ (judge - judge.mean())) / (len(people) - 1)
    return min(max(together / spread / (1 + len(people) / len(elsewhere)), 0.0), 1.0)
