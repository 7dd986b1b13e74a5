"""How much an answer is worth a look: where the judge contradicts itself or an evaluator, and a decision is open."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from tuneproof.records.handovers import COMPARISONS, JUDGEMENTS
from tuneproof.records.rows import Comparison, Judgement
from tuneproof.scoring.people.matching import Questions, ratable
from tuneproof.settings.evidence.judging import Criterion
from tuneproof.settings.params import Params

Doubts = Mapping[tuple[str, str, int], float]  # by model, question and sample
NO_DOUBTS: Doubts = {}
Scorer = Callable[[Iterable[dict[str, Any]]], Iterator[float | None]]  # rows of input, output, ground_truth
OPEN_WEIGHT = 2.0  # of an answer whose model is not decided on, beside one that is


def read_doubts(params: Params, undecided: Collection[str], further: Doubts) -> Doubts:
    """The doubt about every answer of the run, 0 where nothing speaks for a look; stages that have not run say nothing.

    One for orders that disagree, and the most of what replies differ by or a score lies off its steps, as a share of
    the scale, and what there is `further`; twice for the models that are `undecided`.
    """
    doubts: dict[tuple[str, str, int], float] = {}
    for model in params.models:
        weight = OPEN_WEIGHT if model in undecided else 1.0
        if JUDGEMENTS.path(model).is_file():
            for row in JUDGEMENTS.iterate(model):
                place = (model, row.id, row.sample)
                doubts[place] = weight * (doubt_of(row, params.judge.criteria) + further.get(place, 0.0))
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


def doubts_of_evaluators(
    params: Params, questions: Questions, among: Collection[str], scorers: Mapping[str, Scorer]
) -> Doubts:
    """How far judge and evaluator are apart, as a share of the scale, on the criterion where they are furthest.

    Takes the questions `among` which to look, and by criterion what scores like an evaluator of it.
    """
    doubts: dict[tuple[str, str, int], float] = {}
    for model in params.models if scorers else ():
        if not JUDGEMENTS.path(model).is_file():
            continue
        judged = {(row.id, row.sample): row.scores for row in JUDGEMENTS.iterate(model) if row.scores}
        asked = [
            (answer, {"input": question.asked, "output": answer.answer, "ground_truth": question.reference})
            for answer, question in ratable(model, questions)
            if answer.id in among and (answer.id, answer.sample) in judged
        ]
        for name, scorer in scorers.items():
            criterion = params.judge.criteria[name]
            for (answer, _), score in zip(asked, scorer(row for _, row in asked), strict=True):
                by_judge = judged[answer.id, answer.sample].get(name)
                if score is not None and by_judge is not None:
                    apart = abs(score - by_judge) / (criterion.highest - criterion.lowest)
                    place = (model, answer.id, answer.sample)
                    doubts[place] = max(doubts.get(place, 0.0), apart)
    return doubts


def outcome_of(comparison: Comparison) -> set[int]:
    """Who won in one order: the model (1), nobody (0), the baseline (-1); nothing where it was not compared."""
    preference = comparison.preference
    return set() if preference is None else {(preference > 0.5) - (preference < 0.5)}
