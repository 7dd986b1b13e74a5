"""Every model in people's units: means and gains estimated from random labels and the judge's scores."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tuneproof.common.errors import UserError
from tuneproof.records.handovers import LABELLED
from tuneproof.results.analysis.criteria import Scored
from tuneproof.results.analysis.reading.sources import RERUN
from tuneproof.results.details.criteria import CriterionDetails, JudgeAlone, PeopleScores
from tuneproof.results.details.decisions import PeopleVerdict
from tuneproof.results.details.model import WinRateDetails
from tuneproof.results.details.run import RunDetails
from tuneproof.settings.evidence.decision import WIN_RATE
from tuneproof.statistics.corrected import (
    FEWEST_LABELS,
    METHOD,
    Corrected,
    corrected,
    corrected_difference,
)
from tuneproof.statistics.differences import Difference, Overall, in_order, overall_verdict, question_means, verdict
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.shipping import Key
from tuneproof.statistics.win_rates import PREFERENCE_SCALE

RATED = ("judge", "compare")  # the sources whose criteria people rate too


@dataclass(frozen=True)
class Estimate:
    """One criterion of one model, or its gain: what people said and the judge too, and what is made of both."""

    labels: int
    people_mean: float | None
    judge_mean: float | None
    corrected: Corrected | None  # with labels enough only

    @classmethod
    def of(cls, people: Array, judge: Array) -> "Estimate":
        """From a number for each question, NaN where people said nothing, and where the judge did."""
        both = ~np.isnan(people) & ~np.isnan(judge)
        labels = int(both.sum())
        return cls(
            labels=labels,
            people_mean=float(people[both].mean()) if labels else None,
            judge_mean=float(judge[both].mean()) if labels else None,
            corrected=corrected(people, judge) if labels >= FEWEST_LABELS else None,
        )


@dataclass(frozen=True)
class InPeopleUnits:
    """All models by people: means by model and criterion, gains of all but the baseline."""

    means: dict[Key, Estimate]
    gains: dict[Key, Estimate]

    def enough(self, key: Key) -> bool:
        """Whether there are labels enough for a gain."""
        return key in self.gains and self.gains[key].corrected is not None


def in_people_units(
    run: RunDetails,
    scored: Mapping[str, Scored],
    preferences: Mapping[str, Array],
    ids: Mapping[str, int],
) -> InPeopleUnits:
    """Estimates all that people rated, the win rate as a gain over one half.

    Args:
        run: What the models share.
        scored: By model, the judge's scores.
        preferences: By model, the judge's preference for each question, NaN where there is none.
        ids: Every question's id with its place.
    """
    people = read_people(run, ids)
    means = {(model, name): people.get((model, name), nothing(ids)) for model in run.models for name in run.rubric}
    gains = {
        (model, name): Estimate.of(
            means[model, name] - means[run.baseline, name],
            scored[model].scores[name] - scored[run.baseline].scores[name],
        )
        for model, name in means
        if model != run.baseline
    }
    for model, judge in preferences.items():
        gains[model, WIN_RATE] = Estimate.of(people.get((model, WIN_RATE), nothing(ids)) - 0.5, judge - 0.5)
    return InPeopleUnits(
        means={key: Estimate.of(values, scored[key[0]].scores[key[1]]) for key, values in means.items()}, gains=gains
    )


def nothing(ids: Mapping[str, int]) -> Array:
    """No label on any question."""
    return np.full(len(ids), np.nan)


def read_people(run: RunDetails, ids: Mapping[str, int]) -> dict[Key, Array]:
    """By model and criterion what people say of each question; nothing where agree has not run.

    Raises a UserError for a label on a question that is not there.
    """
    gathered: dict[Key, list[tuple[str, float]]] = {}
    for row in LABELLED.iterate() if LABELLED.path.is_file() else ():
        if row.id not in ids or row.model not in run.models:
            raise UserError(str(LABELLED.path), f"this run has no answer of {row.model} to {row.id[:40]}", RERUN)
        given = dict(row.scores or {}) | ({} if row.preference is None else {WIN_RATE: row.preference})
        for name, score in given.items():
            gathered.setdefault((row.model, name), []).append((row.id, float(score)))
    return {key: in_order(question_means(scores), ids) for key, scores in gathered.items()}


def is_rated(run: RunDetails, name: str) -> bool:
    """Whether people can rate a criterion: the judge's and pairs, and nothing that a program scores."""
    return run.criteria[name].source in RATED


def verdict_by_people(
    run: RunDetails, model: str, by_people: Mapping[Key, Difference], people: InPeopleUnits
) -> Overall:
    """The verdict on one model's claim in people's units."""
    enough = all(people.enough((model, name)) for name in run.claimed if is_rated(run, name))
    tested = [one for name in run.claimed if (one := by_people.get((model, name)))]
    least = min((one.questions for one in tested), default=0)
    return overall_verdict([one.verdict for one in tested], least if enough else 0, FEWEST_LABELS)


def both_verdicts(
    run: RunDetails, model: str, by_judge: Overall, by_people: Overall, people: InPeopleUnits
) -> PeopleVerdict | None:
    """People's verdict beside the judge's; None for the baseline, and where nobody rated what is claimed."""
    rated = [(model, name) for name in run.claimed if is_rated(run, name)]
    if model == run.baseline or not any(people.gains[key].labels for key in rated):
        return None
    return PeopleVerdict(people=by_people, judge=by_judge)


def with_people(
    run: RunDetails, key: Key, details: CriterionDetails, tested: Difference | None, people: InPeopleUnits
) -> CriterionDetails:
    """Adds what people would score, and puts it in the judge's place where people's units decide.

    `tested` is the gain as part of people's claim; None where it is no part of it, or was not tested.
    """
    scores = people_scores(run, key, tested, people)
    decides = run.in_units_of == "people" and is_rated(run, key[1])
    if not decides:
        return details.model_copy(update={"people": scores if scores.labels or scores.gain_labels else None})
    alone = JudgeAlone.model_validate(details.model_dump(include=set(JudgeAlone.model_fields)))
    changes: dict[str, object] = {"people": scores, "judge_alone": alone, "missing": None}
    if scores.mean is not None:
        changes |= {"mean": scores.mean, "low": scores.low, "high": scores.high}
        changes |= {"method": METHOD, "caution": None}
    if key[0] == run.baseline:
        return details.model_copy(update=changes)
    gain = people.gains[key].corrected
    found = tested or (alone_at_alpha(run, key, gain) if gain else None)
    return details.model_copy(update=changes | deciding_gain(scores, found))


def deciding_gain(scores: PeopleScores, found: Difference | None) -> dict[str, object]:
    """The fields of a gain in people's units; without labels enough the judge's stay, and decide nothing."""
    if found is None:
        nothing_more = dict.fromkeys(("smallest_detectable", "questions_needed"))
        return {"paired": scores.gain_labels, "verdict": "too few"} | nothing_more
    return {
        "gain": scores.gain,
        "gain_low": scores.gain_low,
        "gain_high": scores.gain_high,
        "gain_method": found.interval.method,
        "gain_caution": found.interval.caution,
        "level": scores.level,
        "paired": scores.gain_labels,
        "verdict": scores.verdict,
        "smallest_detectable": found.smallest_detectable,
        "questions_needed": found.questions_needed,
    }


def people_scores(run: RunDetails, key: Key, tested: Difference | None, people: InPeopleUnits) -> PeopleScores:
    """One criterion of one model in people's units."""
    mean, gain = people.means.get(key), people.gains.get(key)
    raw = mean or gain or Estimate(0, None, None, None)
    fields: dict[str, object] = {}
    if mean and mean.corrected:
        interval = mean.corrected.interval(run.alpha, run.criteria[key[1]].ends)
        fields |= {"mean": interval.mean, "low": interval.low, "high": interval.high}
        fields |= {"weight": mean.corrected.weight, "worth": mean.corrected.worth}
    if gain:
        fields["gain_labels"] = gain.labels
    if gain and gain.corrected:
        found = tested or alone_at_alpha(run, key, gain.corrected)
        limits = found.interval
        fields |= {"gain": limits.mean, "gain_low": limits.low, "gain_high": limits.high, "level": found.level}
        fields |= {"gain_weight": gain.corrected.weight, "gain_worth": gain.corrected.worth}
        fields["verdict"] = found.verdict if tested else "not tested"
    return PeopleScores(
        labels=raw.labels, needed=FEWEST_LABELS, people_mean=raw.people_mean, judge_mean=raw.judge_mean
    ).model_copy(update=fields)


def alone_at_alpha(run: RunDetails, key: Key, found: Corrected) -> Difference:
    """A gain that is no part of the claim: its interval holds by itself."""
    scale = run.criteria[key[1]].ends if key[1] in run.criteria else PREFERENCE_SCALE
    return corrected_difference(found, run.alpha, scale)


def win_rate_with_people(run: RunDetails, model: str, details: WinRateDetails, people: InPeopleUnits) -> WinRateDetails:
    """Adds the win rate that people would give, and puts it in the judge's place where people's units decide."""
    estimate = people.gains[model, WIN_RATE]
    rate = PeopleScores(
        labels=estimate.labels,
        needed=FEWEST_LABELS,
        people_mean=None if estimate.people_mean is None else estimate.people_mean + 0.5,
        judge_mean=None if estimate.judge_mean is None else estimate.judge_mean + 0.5,
    )
    decides = run.in_units_of == "people" and (WIN_RATE in run.criteria or estimate.labels > 0)
    if estimate.corrected is None:
        changes: dict[str, object] = {"verdict": "too few"} if decides else {}
        return details.model_copy(update=changes | {"people": rate if estimate.labels or decides else None})
    found, level = estimate.corrected, details.level
    low, high = (0.5 + limit for limit in found.limits(level / 2, level, (-0.5, 0.5)))
    said = verdict(low - 0.5, high - 0.5)
    rate = rate.model_copy(
        update={
            "mean": 0.5 + found.mean, "low": low, "high": high, "weight": found.weight, "worth": found.worth,
            "level": level, "verdict": said,
        }
    )  # fmt: skip
    changes = {"win_rate": rate.mean, "low": low, "high": high, "verdict": said, "caution": None} if decides else {}
    return details.model_copy(update=changes | {"people": rate})
