"""One model's scores by slice: by each value of a tag, by turn, and over what the baseline finished."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from tuneproof.results.analysis.criteria import Scored
from tuneproof.results.analysis.exploring.changes import changes
from tuneproof.results.analysis.exploring.kinds import NO_TOPIC
from tuneproof.results.analysis.reading.scores import ModelScores, Places
from tuneproof.results.details.run import RunDetails
from tuneproof.results.details.slices import FEWEST_FOR_INTERVAL, Finished, Slice, SliceScore
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import Scale, difference_interval, mean_interval
from tuneproof.statistics.kinds import chance_of_such_kinds

TURN = "turn"  # what slices by turn are called
NO_VALUE = -1  # of a tag, for questions without it
MOST_SLICES = 20  # values of one tag, the most frequent ones


def slices(run: RunDetails, tags: Sequence[Mapping[str, str]], scored: Scored, baseline: Scored) -> list[Slice]:
    """One model's scores by slice; `tags` are the questions', in order."""
    found = []
    for tag in sorted({name for one in tags for name in one}):
        values = [one.get(tag) for one in tags]
        counts = Counter(value for value in values if value is not None)
        for value, count in sorted(counts.most_common(MOST_SLICES), key=frequent_first):
            places = np.array([place for place, other in enumerate(values) if other == value])
            known = slice_scores(run, places, scored, baseline)
            found.append(Slice(tag=tag, value=value, questions=count, criteria=known))
    return found


def kinds_by_chance(
    run: RunDetails, tags: Sequence[Mapping[str, str]], scored: Scored, baseline: Scored
) -> dict[str, dict[str, float]]:
    """By tag and criterion, how likely one model's gains are to differ as much between the tag's values by chance."""
    found: dict[str, dict[str, float]] = {}
    names = [name for name, one in run.criteria.items() if one.by_answer and scored is not baseline]
    for tag in sorted({name for one in tags for name in one}):
        numbers = {value: number for number, value in enumerate(dict.fromkeys(one[tag] for one in tags if tag in one))}
        kinds = np.array([numbers[one[tag]] if tag in one else NO_VALUE for one in tags])
        for name in names:
            gains = scored.scores[name] - baseline.scores[name]
            chance = chance_of_such_kinds(by_kind(gains, np.where(np.isnan(gains), NO_VALUE, kinds)))
            if chance is not None:
                found.setdefault(tag, {})[name] = chance
    return found


def by_kind(values: Array, kinds: Places) -> list[Array]:
    """The values of each kind, without those that are of none."""
    order = np.argsort(kinds, kind="stable")
    order = order[kinds[order] != NO_VALUE]
    return np.split(values[order], np.flatnonzero(np.diff(kinds[order])) + 1)


def frequent_first(counted: tuple[str, int]) -> tuple[bool, int, str]:
    """What values of a tag are sorted by: the questions of no topic are what is left over, and come last."""
    value, count = counted
    return value == NO_TOPIC, -count, value


def over_finished(run: RunDetails, scored: Scored, baseline: Scored, places: Places) -> Finished | None:
    """One model over the places of the questions that the baseline finished: what no limit of tokens explains.

    None for the baseline itself, and where it finished them all.
    """
    if scored is baseline or len(places) == run.questions:
        return None
    return Finished(questions=len(places), criteria=slice_scores(run, places, scored, baseline))


def turn_slices(run: RunDetails, model: ModelScores, baseline: ModelScores) -> list[Slice]:
    """One model's scores by turn, where answers of several turns are scored."""
    if model.turns < 2 or run.judge_settings.get("per") == "conversation":
        return []
    found = []
    for turn in range(model.turns):
        scored, other = (Scored.of(one.only_turn(turn), run.questions) for one in (model, baseline))
        places = np.flatnonzero(~np.isnan(scored.characters))
        other = scored if model is baseline else other
        known = slice_scores(run, places, scored, other)
        found.append(Slice(tag=TURN, value=f"{turn + 1} of {model.turns}", questions=len(places), criteria=known))
    return found


def slice_scores(run: RunDetails, places: Places, scored: Scored, baseline: Scored) -> dict[str, SliceScore]:
    """The criteria that score answers over some of the questions, without those of which none has a score."""
    names = [name for name, one in run.criteria.items() if not one.by_item and name in scored.scores]
    scores = {name: slice_score(run, name, places, scored, baseline) for name in names}
    return {name: score for name, score in scores.items() if score}


def slice_score(run: RunDetails, criterion: str, places: Places, scored: Scored, baseline: Scored) -> SliceScore | None:
    """One criterion over some of the questions; None where none of them has a score."""
    scale = run.criteria[criterion].ends
    model, other = scored.scores[criterion][places], baseline.scores[criterion][places]
    known = model[~np.isnan(model)]
    if known.size == 0:
        return None
    mean = mean_interval(known, run.alpha, scale)
    score = SliceScore(mean=mean.mean, low=mean.low, high=mean.high, scored=len(known))
    differences = (model - other)[~np.isnan(model - other)]
    if scored is baseline or differences.size == 0:
        return score
    compared = {"gain": float(differences.mean()), "paired": len(differences)}
    counted = changes(differences, run.criteria[criterion].counts_from)
    return score.model_copy(update=compared | gain_limits(differences, run, scale) | {"changes": counted})


def gain_limits(differences: Array, run: RunDetails, scale: Scale) -> dict[str, float]:
    """The limits of a gain; none of fewer questions than an interval can be trusted over."""
    if len(differences) < FEWEST_FOR_INTERVAL:
        return {}
    gain = difference_interval(differences, run.alpha, scale)
    return {"gain_low": gain.low, "gain_high": gain.high}
