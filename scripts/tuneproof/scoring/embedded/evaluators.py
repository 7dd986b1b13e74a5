"""Frozen evaluators in a judge's place: one for each criterion, on the criterion's own scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import ClassVar

from tuneproof.common.errors import UserError
from tuneproof.records.documents.resolved import ResolvedJudge
from tuneproof.scoring.evaluator.contract import Scored, Texts
from tuneproof.scoring.evaluator.decisions import DECIMALS
from tuneproof.scoring.evaluator.loading import Evaluator, load
from tuneproof.settings.evidence.judging import Criterion

Scores = Mapping[str, Scored]  # by criterion


@dataclass(frozen=True)
class FrozenEvaluators:
    """An evaluator for each criterion, as validate found them."""

    evaluators: Mapping[str, Evaluator]
    takes_turns: ClassVar[bool] = False

    def prefers(self, first: Scores, second: Scores) -> float:
        """How likely the first answer has the higher step, ties counting half; the mean over the criteria, 0 to 1."""
        leads = [lead(one, second[name]) for name, one in first.items()]
        return round(0.5 + sum(leads) / len(leads) / 2, DECIMALS)


def lead(first: Scored, second: Scored) -> float:
    """The probability that the first one's step is the higher, less that of the second's, as if they were drawn."""
    pairs = product(enumerate(first.probabilities.values()), enumerate(second.probabilities.values()))
    return sum(one * other * ((here > there) - (here < there)) for (here, one), (there, other) in pairs)


def open_evaluators(
    resolved: ResolvedJudge, folders: Mapping[str, Path], criteria: Mapping[str, Criterion]
) -> FrozenEvaluators:
    """Loads them. Raises a UserError for a folder that changed since validate, or is broken."""
    evaluators = {}
    for name, found in (resolved.evaluators or {}).items():
        evaluator = load(folders[name])
        if evaluator.content != found.content:
            raise UserError(f"judge.evaluators.{name}", "it has changed since it was validated", "run `dvc repro`")
        evaluators[name] = on_scale(evaluator, criteria[name])
    return FrozenEvaluators(evaluators)


def on_scale(evaluator: Evaluator, criterion: Criterion) -> Evaluator:
    """The evaluator with its classes named as the criterion's steps: `yes` and `no` become 1 and 0."""
    classes = tuple(str(step) for step in criterion.scale)
    return replace(evaluator, manifest=evaluator.manifest.model_copy(update={"classes": classes}))


def score_all(evaluators: Mapping[str, Evaluator], texts: list[Texts]) -> dict[Texts, dict[str, Scored]]:
    """Scores each distinct text once, by criterion."""
    distinct = list(dict.fromkeys(texts))
    rows = [vars(one) for one in distinct]
    scored = {name: list(evaluator.score_table(rows)) for name, evaluator in evaluators.items()}
    return {one: {name: scored[name][place] for name in scored} for place, one in enumerate(distinct)}
