"""Every model against the baseline by the plan: the claim as one family, the rest alone, the guards, the decision."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from tuneproof.results.analysis.collapses import SHARE, Falls
from tuneproof.results.analysis.criteria import Groups
from tuneproof.results.analysis.people import InPeopleUnits, is_rated
from tuneproof.results.details.decisions import DecisionDetails, GuardDetails
from tuneproof.results.details.run import RunDetails
from tuneproof.settings.evidence.decision import COLLAPSES
from tuneproof.statistics.corrected import Corrected, corrected_guard, simultaneous_corrected
from tuneproof.statistics.differences import Difference, simultaneous_differences
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.shipping import Guard, Key, claimed_differences, decide, guard, tested_claims


def claims(run: RunDetails, differences: Mapping[Key, Array], groups: Groups) -> dict[Key, Difference]:
    """What is claimed, tested as one family or in the plan's order; without what is not tested, or not scored."""
    claimed = {(model, name): values for (model, name), values in differences.items() if name in run.claimed}
    family = side_by_side(run, claimed)
    order = run.claimed if run.plan and run.plan.in_order else None
    return claimed_differences(family, run.alpha, scales(run, family), order, tasks_beside(run, claimed, groups))


def claims_by_people(
    run: RunDetails, differences: Mapping[Key, Array], groups: Groups, people: InPeopleUnits
) -> dict[Key, Difference]:
    """The claim tested in people's units, beside criteria that people do not rate; without what lacks labels."""
    found: dict[Key, Corrected | Array] = {}
    for key, values in differences.items():
        estimate = people.gains[key].corrected if is_rated(run, key[1]) else values
        if key[1] in run.claimed and estimate is not None:
            found[key] = estimate
    influences = {key: one.influences if isinstance(one, Corrected) else one for key, one in found.items()}
    rows, tasks = side_by_side(run, influences), tasks_beside(run, influences, groups)
    family = {
        key: replace(one, influences=rows[key]) if isinstance(one, Corrected) else rows[key]
        for key, one in found.items()
    }

    def compare(keys: Sequence[Key], level: float) -> dict[Key, Difference]:
        tested = {key: family[key] for key in keys if key in family}
        return simultaneous_corrected(tested, level, scales(run, rows), tasks)

    order = run.claimed if run.plan and run.plan.in_order else None
    return tested_claims(list(family), run.alpha, order, compare)


def side_by_side(run: RunDetails, differences: Mapping[Key, Array]) -> dict[Key, Array]:
    """Comparisons in one row of units, so that those over the same ones go together: the questions, then each task's.

    NaN where a criterion is not scored: what shares no unit has no correlation.
    """
    units = {name: name if run.criteria[name].by_item else "" for _, name in differences}
    sizes = {units[name]: len(values) for (_, name), values in differences.items()}
    places = dict(zip(sizes, accumulate(sizes.values(), initial=0), strict=False))
    found = {}
    for (model, name), values in differences.items():
        start = places[units[name]]
        found[model, name] = np.full(sum(sizes.values()), np.nan)
        found[model, name][start : start + len(values)] = values
    return found


def tasks_beside(run: RunDetails, differences: Mapping[Key, Array], groups: Groups) -> dict[Key, Array]:
    """By comparison of a group of tasks, the number of each item's task in the row of `side_by_side`."""
    alone = {key: groups.get(key[1], np.zeros(len(values))) for key, values in differences.items()}
    return {key: row for key, row in side_by_side(run, alone).items() if key[1] in groups}


def shown(
    run: RunDetails, differences: Mapping[Key, Array], groups: Groups, tested: Mapping[Key, Difference]
) -> dict[Key, Difference]:
    """All that is not tested as part of the claim: intervals that hold by themselves and decide nothing."""
    found: dict[Key, Difference] = {}
    for key, values in differences.items():
        if key not in tested:
            tasks = {key: groups[key[1]]} if key[1] in groups else {}
            found |= simultaneous_differences({key: values}, run.alpha, scales(run, [key]), tasks)
    return found


def scales(run: RunDetails, keys: Mapping[Key, Array] | list[Key]) -> dict[Key, tuple[float, float]]:
    """The lowest and the highest score, by comparison."""
    return {key: run.criteria[key[1]].of_differences for key in keys}


def decision_details(
    run: RunDetails,
    model: str,
    tested: Mapping[Key, Difference],
    differences: Mapping[Key, Array],
    groups: Groups,
    found: Falls | None,
    people: InPeopleUnits | None,
) -> DecisionDetails | None:
    """Whether one model ships; None without a plan. `people` where their units decide."""
    if run.plan is None:
        return None
    guards = {}
    for name, margin in run.plan.must_not_drop.items():
        if people and name != COLLAPSES and is_rated(run, name):
            estimate = people.gains[model, name].corrected
            guards[name] = corrected_guard(estimate, margin, run.alpha, run.criteria[name].ends)
            continue
        if name == COLLAPSES:
            values, scale = (found.differences if found else None), SHARE
        else:
            values, scale = differences[model, name], run.criteria[name].of_differences
        if values is not None:
            guards[name] = guard(values, margin, run.alpha, scale, run.min_questions, groups.get(name))
    compared = {name: tested.get((model, name)) for name in run.claimed}
    decision = decide(compared, guards, run.fewest, run.plan.in_order)
    at_chance = any(run.criteria[name].role != "shown" for name in run.withheld)
    return DecisionDetails(
        ship="not yet" if at_chance else decision.ship,
        improved=list(decision.improved),
        worsened=list(decision.worsened),
        guards={name: guard_details(one) for name, one in guards.items()},
        questions_needed=None if at_chance else decision.questions_needed,
        judge_at_chance=at_chance,
    )


def guard_details(one: Guard) -> GuardDetails:
    """A guard as it is recorded."""
    return GuardDetails(
        margin=one.margin,
        difference=one.mean,
        low=one.low,
        high=one.high,
        questions=one.questions,
        outcome=one.outcome,
        questions_needed=one.questions_needed,
    )
