"""How much an answer is worth a look by a person: where the judge contradicts itself, and a decision is open."""

from collections.abc import Collection, Mapping

from tuneproof.records.handovers import COMPARISONS, JUDGEMENTS
from tuneproof.records.rows import Comparison, Judgement
from tuneproof.settings.evidence.judging import Criterion
from tuneproof.settings.params import Params

Doubts = Mapping[tuple[str, str, int], float]  # by model, question and sample
OPEN_WEIGHT = 2.0  # of an answer whose model is not decided on, beside one that is


def read_doubts(params: Params, undecided: Collection[str]) -> Doubts:
    """The doubt about every answer of the run, 0 where nothing speaks for a look; stages that have not run say nothing.

    One for orders that disagree, and the most of what replies differ by or a score lies off its steps, as a share of
    the scale; twice for the models that are `undecided`.
    """
    doubts: dict[tuple[str, str, int], float] = {}
    for model in params.models:
        weight = OPEN_WEIGHT if model in undecided else 1.0
        if JUDGEMENTS.path(model).is_file():
            for row in JUDGEMENTS.iterate(model):
                doubts[model, row.id, row.sample] = weight * doubt_of(row, params.judge.criteria)
        if COMPARISONS.path(model).is_file():
            outcomes: dict[tuple[str, int], set[int]] = {}
            for comparison in COMPARISONS.iterate(model):
                outcomes.setdefault((comparison.id, comparison.sample), set()).update(outcome_of(comparison))
            for (identity, sample), seen in outcomes.items():
                place = (model, identity, sample)
                doubts[place] = doubts.get(place, 0.0) + weight * (len(seen) > 1)
    return doubts


def doubt_of(row: Judgement, criteria: Mapping[str, Criterion]) -> float:
    """How unsure the judge was of an answer, 0 to 1, on the criterion where it was least sure."""
    shares = [0.0]
    for name, criterion in criteria.items():
        span = criterion.highest - criterion.lowest
        given = [reply.scores[name] for reply in row.replies if reply.scores and name in reply.scores]
        score = (row.scores or {}).get(name)
        if given:
            shares.append((max(given) - min(given)) / span)
        if score is not None:
            shares.append(min(abs(score - step) for step in criterion.scale) / span)
    return max(shares)


def outcome_of(comparison: Comparison) -> set[int]:
    """Who won in one order: the model (1), nobody (0), the baseline (-1); nothing where it was not compared."""
    preference = comparison.preference
    return set() if preference is None else {(preference > 0.5) - (preference < 0.5)}
