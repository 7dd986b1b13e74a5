"""How far the judges of a panel agree about one model's answers."""

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tuneproof.records.rows import Judgement, Reply
from tuneproof.results.details.model import JudgeScores, PanelDetails
from tuneproof.statistics.agreement.raters import weighted_kappa
from tuneproof.statistics.distributions import Array


class PanelScores:
    """Every judge's scores for every answer and criterion; NaN where a judge gave none."""

    def __init__(self, judges: Sequence[Mapping[str, str]], samples: int, criteria: Sequence[str]) -> None:
        """Takes the judges (model, endpoint) in the order in which they are asked, and the replies asked of each."""
        self.names, self._samples = judge_names(judges), samples
        self._columns = {criterion: [array("d") for _ in self.names] for criterion in criteria}

    def add(self, judgement: Judgement) -> None:
        """Adds one answer. A judge's score is the mean of its usable replies, whether the row has a score or not."""
        last = [chain[-1] for chain in chains(judgement.replies)]
        of_judge = [last[start : start + self._samples] for start in range(0, len(last), self._samples)]
        for criterion, columns in self._columns.items():
            for place, column in enumerate(columns):
                replies = of_judge[place] if place < len(of_judge) else []
                scores = [reply.scores[criterion] for reply in replies if reply.scores and criterion in reply.scores]
                column.append(sum(scores) / len(scores) if scores else math.nan)

    def details(self) -> dict[str, PanelDetails]:
        """Scores and agreement by criterion."""
        return {
            criterion: panel_details(self.names, np.array([np.array(column) for column in columns]))
            for criterion, columns in self._columns.items()
        }


def judge_names(judges: Sequence[Mapping[str, str]]) -> list[str]:
    """Judges by their model, with the endpoint where two have the same model."""
    models = [judge["model"] for judge in judges]
    return [
        model if models.count(model) == 1 else f"{model} at {judge['endpoint']}"
        for model, judge in zip(models, judges, strict=True)
    ]


def chains(replies: Sequence[Reply]) -> Iterator[list[Reply]]:
    """A row's replies by the score that they were asked for: each begins with a first attempt."""
    chain: list[Reply] = []
    for reply in replies:
        if reply.attempt == 1 and chain:
            yield chain
            chain = []
        chain.append(reply)
    if chain:
        yield chain


def panel_details(names: Sequence[str], scores: Array) -> PanelDetails:
    """What the judges made of one criterion; `scores` has a row for each judge and a column for each answer."""
    known = ~np.isnan(scores)
    shared = scores[:, known.sum(axis=0) >= 2]
    pairs = [(one[both], other[both]) for one, other in combinations(scores, 2) if (both := known_in(one, other)).any()]
    kappas = [kappa for pair in pairs if (kappa := weighted_kappa(*pair)) is not None]
    return PanelDetails(
        judges={name: judge_scores(row) for name, row in zip(names, scores, strict=True)},
        shared=shared.shape[1],
        spread=float(np.mean(np.nanmax(shared, axis=0) - np.nanmin(shared, axis=0))) if shared.size else None,
        exact_agreement=float(np.mean([np.mean(one == other) for one, other in pairs])) if pairs else None,
        weighted_kappa=float(np.mean(kappas)) if kappas else None,
    )


def known_in(one: Array, other: Array) -> NDArray[np.bool_]:
    """Which answers both judges scored."""
    return ~np.isnan(one) & ~np.isnan(other)


def judge_scores(scores: Array) -> JudgeScores:
    """One judge's mean over the answers that it scored."""
    known = scores[~np.isnan(scores)]
    return JudgeScores(mean=float(known.mean()) if known.size else None, scored=known.size)
