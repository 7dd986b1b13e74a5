"""From scores to details: means, gains with simultaneous intervals and verdicts, by criterion, length and slice."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tuneproof.results.analysis.reading.scores import ModelScores
from tuneproof.results.details.criteria import Collapses, CriterionDetails, LengthBin, MissingScores
from tuneproof.results.details.run import Criterion, RubricCriterion, RunDetails
from tuneproof.statistics.agreement.scores import rank_correlation
from tuneproof.statistics.differences import Difference, mean_bounds, missing_bounds
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import Interval, group_interval, mean_interval

Groups = Mapping[str, Array]  # by criterion that is a group of tasks: the number of each item's task

MOST_LENGTH_BINS = 6
QUESTIONS_PER_LENGTH_BIN = 12


@dataclass(frozen=True)
class Scored:
    """One model's scores and lengths by question, NaN where there is none; a benchmark's scores by item.

    `tasks` holds each item's task by criterion, and `weights` what it counts, for groups of tasks alone.
    """

    scores: dict[str, Array]
    characters: Array
    tasks: dict[str, list[str]] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)

    def counted(self, criterion: str) -> Array:
        """The scores as they count, so that their plain mean is the criterion's."""
        return self.scores[criterion] * self.weights.get(criterion, 1.0)

    @classmethod
    def of(cls, model: ModelScores, questions: int) -> "Scored":
        """Averages samples: the question is the sampling unit."""
        means = {criterion: model.by_question(values, questions) for criterion, values in model.scores.items()}
        return cls(means, model.by_question(model.characters, questions))


def paired(run: RunDetails, scored: Mapping[str, Scored]) -> dict[tuple[str, str], Array]:
    """Every model less the baseline on every criterion, by question or item; NaN where either has no score."""
    baseline = scored[run.baseline]
    return {
        (model, criterion): scored[model].counted(criterion) - baseline.counted(criterion)
        for model in run.models
        if model != run.baseline
        for criterion in run.criteria
    }


def groups(scored: Scored) -> Groups:
    """By criterion that is a group of tasks, the number of each item's task, which is the same for every model."""
    return {name: np.unique(scored.tasks[name], return_inverse=True)[1].astype(np.float64) for name in scored.weights}


def criterion_details(
    run: RunDetails,
    criterion: str,
    model: ModelScores,
    scored: Scored,
    baseline: Scored,
    gain: Difference | None,
    tested: bool,
    collapses: Collapses | None,
) -> CriterionDetails:
    """One model on one criterion.

    `gain` is None for the baseline and where nothing was scored in both; `tested` says whether it decides anything.
    """
    measured, by_question = run.criteria[criterion], scored.scores[criterion]
    values = by_question[~np.isnan(by_question)]
    interval = interval_of(run, criterion, scored, values)
    units = len(by_question)
    bounds = mean_bounds(interval.mean if interval else 0.0, len(values), units, measured.ends)
    details = CriterionDetails(
        mean=interval.mean if interval else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        method=interval.method if interval else None,
        caution=interval.caution if interval else None,
        scored=len(values),
        mean_if_missing_worst=bounds[0],
        mean_if_missing_best=bounds[1],
        distribution=distribution(model.scores[criterion], run.rubric[criterion]) if criterion in run.rubric else {},
        length_correlation=None if measured.by_item else rank_correlation(scored.characters, by_question),
        lengths=[] if measured.by_item else length_bins(scored.characters, by_question, run.alpha, measured),
        collapses=collapses,
    )
    if scored is baseline:
        return details
    changes = gain_fields(run, by_question, baseline.scores[criterion], gain, measured)
    return details.model_copy(update=changes if tested else changes | {"verdict": "not tested"})


def interval_of(run: RunDetails, criterion: str, scored: Scored, values: Array) -> Interval | None:
    """The mean's interval; of a group of tasks, by what varies within them. None where nothing is scored."""
    ends = run.criteria[criterion].ends
    if criterion in scored.weights:
        return group_interval(values, scored.tasks[criterion], scored.weights[criterion], run.alpha, ends)
    return mean_interval(values, run.alpha, ends) if values.size else None


def gain_fields(
    run: RunDetails, model: Array, baseline: Array, gain: Difference | None, measured: Criterion
) -> dict[str, object]:
    """The fields of CriterionDetails that compare with the baseline."""
    if gain is None:
        return {"paired": 0, "verdict": "too few"}
    too_few = gain.questions < run.fewest
    return {
        "gain": gain.interval.mean,
        "gain_low": gain.interval.low,
        "gain_high": gain.interval.high,
        "gain_method": gain.interval.method,
        "gain_caution": gain.interval.caution,
        "level": gain.level,
        "paired": gain.questions,
        "verdict": "too few" if too_few else gain.verdict,
        "smallest_detectable": gain.smallest_detectable,
        "questions_needed": gain.questions_needed,
        "missing": missing_scores(model, baseline, gain.level, measured) if gain.questions < len(model) else None,
    }


def missing_scores(model: Array, baseline: Array, level: float, measured: Criterion) -> MissingScores:
    """What the missing scores could have made of the gain."""
    bounds = missing_bounds(model, baseline, level, measured.ends)
    return MissingScores(
        missing=bounds.missing,
        worst=bounds.worst,
        best=bounds.best,
        verdict_if_worst=bounds.verdict_if_worst,
        verdict_if_best=bounds.verdict_if_best,
        could_change_verdict=bounds.could_change_verdict,
    )


def distribution(scores: Array, rubric: RubricCriterion) -> dict[str, int]:
    """How many answers lie nearest to each step of the scale; halfway counts for the lower one."""
    steps = np.array([float(step) for step in rubric.scale])
    known = scores[~np.isnan(scores)]
    nearest = np.abs(known[:, None] - steps).argmin(axis=1) if known.size else np.zeros(0, dtype=np.int64)
    return {step: int(np.sum(nearest == place)) for place, step in enumerate(rubric.scale)}


def length_bins(characters: Array, scores: Array, alpha: float, measured: Criterion) -> list[LengthBin]:
    """Mean scores of questions grouped by the length of their answers, in a few groups of equal size."""
    known = np.flatnonzero(~np.isnan(characters) & ~np.isnan(scores))
    if known.size == 0:
        return []
    ordered = known[np.argsort(characters[known], kind="stable")]
    groups = np.array_split(ordered, max(1, min(MOST_LENGTH_BINS, len(ordered) // QUESTIONS_PER_LENGTH_BIN)))
    bins = []
    for group in groups:
        interval = mean_interval(scores[group], alpha, measured.ends)
        bins.append(
            LengthBin(
                characters=float(characters[group].mean()),
                mean=interval.mean,
                low=interval.low,
                high=interval.high,
                questions=len(group),
            )
        )
    return bins
