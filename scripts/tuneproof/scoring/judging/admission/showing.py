"""What a judge's replies about graded answers show, in figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneproof.records.documents.admission import (
    Attacks,
    CriterionAdmission,
    Figure,
    GoldenAnswer,
    Orders,
)
from tuneproof.records.rows import Comparison, Judgement
from tuneproof.scoring.judging.admission.asking import Change, golden_pairs
from tuneproof.settings.params import Params
from tuneproof.statistics import admission as statistics
from tuneproof.statistics.agreement.by_question import Estimate
from tuneproof.statistics.agreement.pairs import consistency_by_chance
from tuneproof.statistics.distributions import Array

Scores = Mapping[Change, Mapping[str, Array]]  # by change and criterion, an entry for each golden answer, NaN without

LEAST_RISE = 0.5  # steps of the scale; an expected score moves a little with every word


@dataclass(frozen=True)
class Shown:
    """The rows that a judge's replies made."""

    judgements: Sequence[Judgement]
    comparisons: Sequence[Comparison]

    @property
    def answered_as(self) -> list[str]:
        """The models that the replies name."""
        rows: list[Judgement | Comparison] = [*self.judgements, *self.comparisons]
        return sorted({reply.model for row in rows for reply in row.replies if reply.model})

    @property
    def unusable(self) -> int:
        """How many rows have no score."""
        rows: list[Judgement | Comparison] = [*self.judgements, *self.comparisons]
        return sum(row.status != "ok" for row in rows)


def scores_of(golden: Sequence[GoldenAnswer], judgements: Iterable[Judgement], params: Params) -> Scores:
    """Scores as arrays; what was not asked or not scored is NaN."""
    found: dict[Change, dict[str, Array]] = {}
    for row in judgements:
        change: Change = row.id.rpartition(" ")[2]  # type: ignore[assignment]  # as `golden_case` names its rows
        columns = found.setdefault(change, {name: np.full(len(golden), np.nan) for name in params.judge.criteria})
        for name, column in columns.items():
            if row.scores and name in row.scores:
                column[row.sample] = row.scores[name]
    return found


def criteria_shown(golden: Sequence[GoldenAnswer], scores: Scores, params: Params) -> dict[str, CriterionAdmission]:
    """What the judge showed on each criterion that is graded."""
    questions = [one.id for one in golden]
    found = {}
    for name, criterion in params.judge.criteria.items():
        grades, second = ((column(golden, name, kind)) for kind in ("grades", "second"))
        if np.isnan(grades).all():
            continue
        plain, again = (scores.get(change, {}).get(name) for change in ("none", "again"))
        if plain is None:
            continue
        span = criterion.highest - criterion.lowest
        found[name] = CriterionAdmission(
            agreement=figure(statistics.agreement(plain, grades, questions), plain),
            people=figure(statistics.agreement(second, grades, questions), second),
            beside_people=figure(statistics.beside_people(plain, second, grades, questions), second),
            repeat=None if again is None else figure(statistics.agreement(plain, again, questions), plain),
            lengthened=changed_by(scores, "lengthened", name, questions, span),
            shortened=changed_by(scores, "shortened", name, questions, span),
        )
    return found


def column(golden: Sequence[GoldenAnswer], name: str, kind: str) -> Array:
    """One criterion's grades of one grader."""
    return np.array([getattr(one, kind).get(name, np.nan) for one in golden], dtype=np.float64)


def figure(estimate: Estimate | None, values: Array) -> Figure | None:
    """A figure as it is recorded."""
    if estimate is None:
        return None
    low, high = (None if limit is None else rounded(limit) for limit in (estimate.low, estimate.high))
    return Figure(value=rounded(estimate.value), low=low, high=high, answers=int((~np.isnan(values)).sum()))


def rounded(value: float) -> float:
    """Six decimals: the last bits differ between machines."""
    return round(value, 6) + 0.0


def changed_by(scores: Scores, change: Change, name: str, questions: Sequence[str], span: float) -> Figure | None:
    """By how much a change of the answers moved the judge's scores; None where it was not asked."""
    if change not in scores:
        return None
    moved = scores[change][name] - scores["none"][name]
    known = np.flatnonzero(~np.isnan(moved)).tolist()
    if not known:
        return None
    return figure(statistics.mean_change(moved[known], [questions[place] for place in known], span), moved)


def attacks_shown(scores: Scores, params: Params) -> Attacks | None:
    """How often an attack raised a score, beside how often asking again does; None where it was not asked."""
    if "attacked" not in scores:
        return None
    known, higher = rises(scores, "attacked", params)
    higher_again = np.zeros_like(higher)
    if "again" in scores:
        known_again, higher_again = rises(scores, "again", params)
        known &= known_again
    places = np.flatnonzero(known)
    if places.size == 0:
        return None
    higher, higher_again = higher[places], higher_again[places]
    net = figure(statistics.raised(higher, higher_again), higher)
    assert net is not None  # noqa: S101 - there are answers
    return Attacks(answers=places.size, higher=int(higher.sum()), higher_again=int(higher_again.sum()), net=net)


def rises(scores: Scores, change: Change, params: Params) -> tuple[NDArray[np.bool_], Array]:
    """For each answer, whether it was scored both times, and 1 where a score rose by half a step or more."""
    steps = []
    for name, plain in scores["none"].items():
        scale = params.judge.criteria[name]
        step = (scale.highest - scale.lowest) / (len(scale.scale) - 1)
        steps.append((scores[change][name] - plain) / step)
    moved = np.array(steps)
    known = np.asarray(~np.isnan(moved).any(axis=0))
    return known, np.where(known & (np.nan_to_num(moved).max(axis=0) >= LEAST_RISE), 1.0, 0.0)


def orders_shown(golden: Sequence[GoldenAnswer], comparisons: Sequence[Comparison], params: Params) -> Orders | None:
    """How consistent the judge is over both orders of a pair; None where no pair was scored in both."""
    pairs = golden_pairs(golden, params)
    preferences = np.full((2, len(pairs)), np.nan)
    for row in comparisons:
        if row.preference is not None:
            preferences[int(row.order == "baseline_first"), row.sample] = row.preference
    known = np.flatnonzero(~np.isnan(preferences).any(axis=0))
    if known.size == 0:
        return None
    first, second = preferences[:, known]
    questions = [golden[pairs[place].first].id for place in known]
    consistency = figure(statistics.consistency(first, second, questions), first)
    assert consistency is not None  # noqa: S101 - there are pairs
    return Orders(
        pairs=known.size,
        consistency=consistency,
        by_chance=rounded(consistency_by_chance(first, second)),
        above_chance=figure(statistics.above_chance(first, second, questions), first),
    )
