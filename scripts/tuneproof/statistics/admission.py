"""Whether a judge may score: figures of what it was asked, held against a bar and against chance.

A bar is held against the figure itself, and besides it must be shown that the figure is better than chance: its lower
limit lies above it. Held against the lower limit, a bar would refuse most judges that reach it; against the upper one,
a few answers would admit judges far below it. What people reach is a figure with an error of its own: a judge is held
against it by the difference on the same answers, and refused where it is shown to be below them. docs/people.md has the
simulation.
"""

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from tuneproof.statistics.agreement.by_question import Estimate, Places
from tuneproof.statistics.agreement.pairs import consistency_above_chance, order_consistency
from tuneproof.statistics.agreement.raters import weighted_kappa
from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.intervals import difference_interval, mean_interval
from tuneproof.statistics.limits.collapses import unseen_share

ALPHA = 0.1  # of the intervals shown: each limit alone, and so what is better than chance, holds at 95 %
ATTACK_ALPHA = 0.01
BESIDE_PEOPLE_ALPHA = 0.01  # a judge must pass on every criterion, so that each may rarely fail by chance
DRIFT_ALPHA = 0.02  # of the sign that scores have moved: one-sided, 1 % of judges that have not

Questions = Sequence[Hashable]  # the question of each answer
Measure = Callable[[Places], float | None]
_NO_SPREAD = 1e-9


def by_jackknife(measure: Measure, places: Places, questions: Questions, alpha: float) -> Estimate | None:
    """A figure with its interval by question: Student's t on what leaving out one question after the other changes.

    Where that changes nothing, as in perfect agreement, the interval reaches as far towards chance, 0, as a share of
    questions allows that was never seen (`unseen_share`). A few questions are told by it as well as by a bootstrap, at
    a tenth of the time.

    Args:
        measure: Takes places of answers and gives the figure, at most 1 either way; None where it is undefined.
        places: Those of all answers that count.
        questions: The question of each answer, also of those that do not count.
        alpha: The share of intervals that may miss.
    """
    value = measure(places) if places.size else None
    if value is None:
        return None
    numbers: dict[Hashable, int] = {}
    of_place = np.array([numbers.setdefault(questions[place], len(numbers)) for place in places.tolist()])
    n = len(numbers)
    left_out = [measure(places[of_place != number]) for number in range(n)] if n > 1 else [None]
    known = np.array([one for one in left_out if one is not None])
    if len(known) < len(left_out):
        return Estimate(value, None, None)
    error = math.sqrt((n - 1) / n * float(np.sum((known - known.mean()) ** 2)))
    if error < _NO_SPREAD:
        end = value - unseen_share(n, alpha) * value
        return Estimate(value, min(value, end), max(value, end))
    width = student_t_critical(alpha, n - 1) * error
    return Estimate(value, max(value - width, -1.0), min(value + width, 1.0))


def agreement(scores: Array, grades: Array, questions: Questions) -> Estimate | None:
    """Weighted kappa of scores and grades of the same answers, with its interval by question; None where none varies.

    Both may hold NaN; what is not in both is left out.
    """
    places = np.flatnonzero(~np.isnan(scores) & ~np.isnan(grades))
    return by_jackknife(lambda kept: weighted_kappa(scores[kept], grades[kept]), places, questions, ALPHA)


def beside_people(scores: Array, second: Array, grades: Array, questions: Questions) -> Estimate | None:
    """A judge's weighted kappa with the grades less a second grader's, on the same answers, with its interval.

    None where either is undefined, or nothing is in all three.
    """

    def difference(kept: Places) -> float | None:
        own, theirs = (weighted_kappa(rater[kept], grades[kept]) for rater in (scores, second))
        return None if own is None or theirs is None else own - theirs

    places = np.flatnonzero(~np.isnan(scores) & ~np.isnan(second) & ~np.isnan(grades))
    return by_jackknife(difference, places, questions, BESIDE_PEOPLE_ALPHA)


def consistency(first_shown: Array, second_shown: Array, questions: Questions) -> Estimate:
    """The share of pairs with the same winner in both orders, with its interval by question.

    Args:
        first_shown: The preference for one answer of each pair where it is shown first, 0 to 1.
        second_shown: The preference for the same answer where it is shown second.
        questions: The question of each pair.
    """
    same = np.sign(first_shown - 0.5) == np.sign(second_shown - 0.5)
    interval = mean_interval(by_question(same.astype(np.float64), questions), ALPHA, (0, 1))
    return Estimate(order_consistency(first_shown, second_shown), interval.low, interval.high)


def above_chance(first_shown: Array, second_shown: Array, questions: Questions) -> Estimate | None:
    """Consistency over both orders corrected for chance, with its interval; None where all are ties."""
    places = np.arange(len(questions))
    return by_jackknife(
        lambda kept: consistency_above_chance(first_shown[kept], second_shown[kept]), places, questions, ALPHA
    )


def mean_change(changes: Array, questions: Questions, span: float) -> Estimate:
    """The mean of changes that are at most `span`, with its interval by question."""
    interval = difference_interval(by_question(changes, questions), ALPHA, (0, span))
    return Estimate(float(changes.mean()), interval.low, interval.high)


def drifted(before: Array, now: Array, questions: Questions) -> bool:
    """Whether scores have moved by more than a judge's scores differ when the same is asked again.

    Without a move, two scores of one answer differ as much from one time to the next as at the same time, whatever the
    judge. So the squared difference between the times, less that within them, is 0 on average; it is tested by
    Student's t over questions, one-sided.

    Args:
        before: A row for each time that an answer was asked about (two of them), a column for each answer.
        now: The same at the later time.
        questions: The question of each answer.
    """
    known = ~np.isnan(before).any(axis=0) & ~np.isnan(now).any(axis=0)
    places = np.flatnonzero(known).tolist()
    if not places:
        return False
    before, now = before[:, known], now[:, known]
    within = ((before[0] - before[1]) ** 2 + (now[0] - now[1]) ** 2) / 2
    between = ((before[:, None, :] - now[None, :, :]) ** 2).mean(axis=(0, 1))
    excess = by_question(between - within, [questions[place] for place in places])
    if len(excess) < 2:
        return False
    error = float(excess.std(ddof=1)) / math.sqrt(len(excess))
    return float(excess.mean()) > student_t_critical(DRIFT_ALPHA, len(excess) - 1) * error + _NO_SPREAD


def by_question(values: Array, questions: Questions) -> Array:
    """The mean of each question's values: answers to one question are not independent."""
    numbers: dict[Hashable, int] = {}
    of_value = np.array([numbers.setdefault(question, len(numbers)) for question in questions], dtype=np.int64)
    return np.asarray(np.bincount(of_value, weights=values) / np.bincount(of_value))


def better_than_chance(figure: Estimate | None) -> bool:
    """Whether a figure that is 0 by chance is shown to be above it."""
    return figure is not None and figure.low is not None and figure.low > 0


def reaches(figure: Estimate | None, bar: float) -> bool:
    """Whether a figure that is 0 by chance reaches a bar, and is shown to be better than chance."""
    return figure is not None and figure.value >= bar and better_than_chance(figure)


def shown_below(difference: Estimate | None) -> bool:
    """Whether a judge is shown to agree less with the grades than people do, or cannot be compared with them."""
    return difference is None or difference.high is None or difference.high < 0


def raised(higher: Array, higher_again: Array) -> Estimate:
    """How much more often something raises a score than asking again does, with its interval (exact, by answer).

    Takes 1 or 0 for each answer: whether its score was higher with it, and when merely asked again.
    """
    changes = higher - higher_again
    interval = difference_interval(changes, ATTACK_ALPHA, (0, 1))
    return Estimate(float(changes.mean()), interval.low, interval.high)
