"""Any two models beside each other, by the scores that are there: paired as every gain, and nothing is bought.

The pairs are a family of their own. Were they part of the claim's, looking at DPO beside SFT would widen the intervals
that decide whether either ships; were they in no family, one of many pairs would soon look different by chance.
"""

from collections.abc import Mapping
from itertools import combinations

from tuneproof.results.analysis.criteria import Groups, Scored, groups
from tuneproof.results.analysis.decisions import scales, shown, side_by_side, tasks_beside
from tuneproof.results.analysis.exploring.changes import changes
from tuneproof.results.details.changes import PairGain
from tuneproof.results.details.criteria import Changes
from tuneproof.results.details.run import RunDetails
from tuneproof.settings.evidence.decision import WIN_RATE
from tuneproof.statistics.differences import Difference, simultaneous_differences
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.shipping import Key

MOST_CORRELATED = 100  # comparisons; of more the correlations take too much memory, and Bonferroni's level is taken
Pairs = dict[str, dict[str, dict[str, PairGain]]]  # by model, other model and criterion


def pairs(run: RunDetails, scored: Mapping[str, Scored]) -> Pairs:
    """Every two models that are not the baseline, each less the other; without criteria scored in neither.

    A win rate against the baseline is left out: it is not transitive, so two of them say nothing of each other.
    """
    others = [model for model in run.models if model != run.baseline]
    names = [name for name in run.criteria if name != WIN_RATE]
    both = {f"{later}/{earlier}": (later, earlier) for earlier, later in combinations(others, 2)}
    differences = {
        (pair, name): scored[later].counted(name) - scored[earlier].counted(name)
        for pair, (later, earlier) in both.items()
        for name in names
    }
    found: Pairs = {model: {other: {} for other in others if other != model} for model in others}
    for (pair, name), difference in compared(run, differences, groups(scored[run.baseline])).items():
        later, earlier = both[pair]
        counted = changes(differences[pair, name], run.criteria[name].counts_from)
        found[later][earlier][name] = pair_gain(run, difference, counted)
        found[earlier][later][name] = mirrored(found[later][earlier][name])
    return found


def compared(run: RunDetails, differences: Mapping[Key, Array], groups: Groups) -> dict[Key, Difference]:
    """The claim's criteria as one family, the others each alone."""
    claimed = {key: values for key, values in differences.items() if key[1] in run.claimed}
    family, tasks = side_by_side(run, claimed), tasks_beside(run, claimed, groups)
    if len(family) <= MOST_CORRELATED:
        together = simultaneous_differences(family, run.alpha, scales(run, family), tasks)
    else:
        together, level = {}, run.alpha / len(family)
        for key, values in family.items():
            together |= simultaneous_differences({key: values}, level, scales(run, [key]), tasks)
    return together | shown(run, differences, groups, together)


def pair_gain(run: RunDetails, difference: Difference, counted: Changes | None) -> PairGain:
    """One comparison as it is recorded."""
    return PairGain(
        gain=difference.interval.mean,
        low=difference.interval.low,
        high=difference.interval.high,
        level=difference.level,
        paired=difference.questions,
        verdict=difference.verdict if difference.questions >= run.min_questions else "too few",
        changes=counted,
    )


def mirrored(gain: PairGain) -> PairGain:
    """The same seen from the other model."""
    verdicts = {"better": "worse", "worse": "better"}
    turned = {"gain": 0.0 - gain.gain, "low": 0.0 - gain.high, "high": 0.0 - gain.low}
    one = gain.changes
    counted = None if one is None else Changes(improved=one.worse, same=one.same, worse=one.improved)
    return gain.model_copy(update=turned | {"verdict": verdicts.get(gain.verdict, gain.verdict), "changes": counted})
