"""Ship, do not ship, or not yet: what a plan that was written down before the numbers makes of them.

A model ships when it improved and no guard may have dropped by more than its margin. The claim is tested as one family
at alpha; a guard is tested alone at alpha, one-sided, and has no price for the others, since a model ships only when
all of the tests together say so (intersection-union: Berger 1982, Technometrics 24).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from tuneproof.statistics.differences import NO_GROUPS, POWER, Difference, simultaneous_differences
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import UNSEEN_ALONE, Scale, is_two_step, one_sided_limits
from tuneproof.statistics.limits.strata import spread_of

Ship = Literal["yes", "no", "not yet"]
GuardOutcome = Literal["held", "dropped", "open", "too few"]
Key = tuple[str, str]  # a model and a criterion


@dataclass(frozen=True)
class Guard:
    """One guard on one model: the mean difference to the baseline, and limits each of which holds alone at 1 - alpha.

    `held`: a drop of more than the margin is excluded. `dropped`: a smaller one is. `questions_needed` would exclude it
    in 80 % of repeats if the observed difference is the true one; None where it is settled, or the drop is too large.
    """

    margin: float
    mean: float | None
    low: float | None
    high: float | None
    questions: int
    outcome: GuardOutcome
    questions_needed: int | None


@dataclass(frozen=True)
class Decision:
    """Whether a model ships, and the criteria and guards that say so; `questions_needed` would settle what is open.

    `questions_needed` is None where nothing is open, and where no number of questions would do at what was observed.
    """

    ship: Ship
    improved: tuple[str, ...]
    worsened: tuple[str, ...]
    open_guards: tuple[str, ...]
    dropped_guards: tuple[str, ...]
    questions_needed: int | None


def claimed_differences(
    differences: Mapping[Key, Array],
    alpha: float,
    scales: Mapping[Key, Scale],
    order: Sequence[str] | None = None,
    tasks: Mapping[Key, Array] = NO_GROUPS,
) -> dict[Key, Difference]:
    """Compares every model with the baseline on what is claimed, at `alpha` over all of it.

    Args:
        differences: By model and criterion, as `simultaneous_differences` takes them.
        alpha: The chance of one or more false verdicts.
        scales: By model and criterion, the lowest and the highest score.
        order: Criteria to test one after the other, each at the model's whole share of alpha, as long as all before it
            are better (a fixed sequence: Maurer, Hothorn and Lehmacher 1995). None tests all of them at once.
        tasks: Of groups of tasks, as `simultaneous_differences` takes them.

    Returns:
        The comparisons that were tested; without those that have no question scored in both.
    """

    def compare(keys: Sequence[Key], level: float) -> dict[Key, Difference]:
        return simultaneous_differences({key: differences[key] for key in keys}, level, scales, tasks)

    return tested_claims(list(differences), alpha, order, compare)


def tested_claims(
    keys: Sequence[Key],
    alpha: float,
    order: Sequence[str] | None,
    compare: Callable[[Sequence[Key], float], dict[Key, Difference]],
) -> dict[Key, Difference]:
    """Tests claims as one family, or in order; `compare` compares some of them at a level for all of these together."""
    if order is None:
        return compare(keys, alpha)
    models = dict.fromkeys(model for model, _ in keys)
    tested: dict[Key, Difference] = {}
    for model in models:
        for criterion in order:
            key = (model, criterion)
            found = compare([key], alpha / len(models))
            tested |= found
            if key not in found or found[key].verdict != "better":
                break
    return tested


def guard(
    differences: Array, margin: float, alpha: float, scale: Scale, min_questions: int, tasks: Array | None = None
) -> Guard:
    """Tests whether a model's drop is more than `margin`; `differences` are to the baseline, NaN where unscored.

    `tasks` has the number of each item's task, where they are of a group.
    """
    known = ~np.isnan(differences)
    scored, tasks = differences[known], None if tasks is None else tasks[known]
    if scored.size == 0:
        return Guard(margin, None, None, None, 0, "too few", None)
    low, high = one_sided_limits(scored, alpha, scale, tasks)
    outcome: GuardOutcome = "held" if low > -margin else "dropped" if high < -margin else "open"
    outcome = outcome if scored.size >= min_questions else "too few"
    needed = None
    if outcome in ("open", "too few"):
        needed = guard_questions(scored, margin, alpha, scale, tasks)
        needed = needed and max(needed, min_questions)
    return Guard(margin, float(scored.mean()), low, high, len(scored), outcome, needed)


def guard_questions(scored: Array, margin: float, alpha: float, scale: Scale, tasks: Array | None = None) -> int | None:
    """How many questions exclude the drop in 80 % of repeats if the observed difference is the true one; None if none.

    By the normal approximation, and no fewer than can exclude that the drop was never seen.
    """
    span, mean = scale[1] - scale[0], float(scored.mean())
    room = mean + margin
    if room <= 0:
        return None
    exact = tasks is None and is_two_step(scored, span)
    chance = alpha if exact else UNSEEN_ALONE * alpha  # as `one_sided_limits` takes it
    unseen = math.log(chance) / math.log1p(-min(room / max(mean + span, room), 1 - 1e-12))
    spread = spread_of(scored, tasks).deviation if len(scored) > 1 else 0.0
    normal = NormalDist()
    by_normal = ((normal.inv_cdf(1 - alpha) + normal.inv_cdf(POWER)) * spread / room) ** 2
    return math.ceil(max(unseen, by_normal))


def decide(
    claims: Mapping[str, Difference | None], guards: Mapping[str, Guard], min_questions: int, in_order: bool = False
) -> Decision:
    """Reads the decision from a model's comparisons on what is claimed, and its guards.

    Args:
        claims: By criterion, in the plan's order; None where it was not tested, or nothing was scored in both.
        guards: By criterion.
        min_questions: A comparison over fewer questions decides nothing.
        in_order: Whether the criteria were tested one after the other, so that the first alone can open the way.
    """
    tested = {name: one for name, one in claims.items() if one and one.questions >= min_questions}
    improved = tuple(name for name, one in tested.items() if one.verdict == "better")
    worsened = tuple(name for name, one in tested.items() if one.verdict == "worse")
    dropped = tuple(name for name, one in guards.items() if one.outcome == "dropped")
    unsettled = tuple(name for name, one in guards.items() if one.outcome in ("open", "too few"))
    complete = in_order or len(tested) == len(claims)
    if worsened or dropped:
        ship: Ship = "no"
    else:
        ship = "yes" if improved and complete and not unsettled else "not yet"
    needed = None
    if ship == "not yet":
        needed = _settling(claims, guards, unsettled, bool(improved), min_questions, in_order)
    return Decision(ship, improved, worsened, unsettled, dropped, needed)


def _settling(
    claims: Mapping[str, Difference | None],
    guards: Mapping[str, Guard],
    unsettled: Sequence[str],
    improved: bool,
    min_questions: int,
    in_order: bool,
) -> int | None:
    """How many questions settle all that is open; None where some of it cannot be settled at what was observed."""
    needs = [guards[name].questions_needed for name in unsettled]
    if not improved:
        candidates = list(claims.values())[:1] if in_order else list(claims.values())
        needs.append(min((n for one in candidates if (n := _improving(one)) is not None), default=None))
    known = [need for need in needs if need is not None]
    if len(known) < len(needs):
        return None
    return max([*known, min_questions])


def _improving(claim: Difference | None) -> int | None:
    """How many questions show the observed gain, where it is one."""
    return claim.questions_needed if claim and claim.interval.mean > 0 else None
