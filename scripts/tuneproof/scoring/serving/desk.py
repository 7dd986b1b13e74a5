"""Who scores, and from where on an answer passes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tuneproof.common.errors import UserError, one_line
from tuneproof.scoring.evaluator import Evaluator, Scored, load
from tuneproof.scoring.serving.messages import Answered, Asked, Item, Result, Score

Fail = Literal["open", "closed"]


class UnknownEvaluatorError(Exception):
    """A request names an evaluator that is not served."""


@dataclass(frozen=True)
class Desk:
    """The evaluators that are served, by criterion, and the thresholds of those that have one."""

    evaluators: Mapping[str, Evaluator]
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def opened(cls, folders: Sequence[str], thresholds: Mapping[str, float]) -> "Desk":
        """Loads evaluators and scores a line with each, so that the first request waits for nothing.

        An encoder computes on one core: as many requests are worked on at once as there are cores to spare.
        Raises a UserError for a folder that holds none, two of one criterion, and thresholds that fit none.
        """
        evaluators: dict[str, Evaluator] = {}
        for folder in folders:
            evaluator = load(folder, threads=1)
            criterion = evaluator.manifest.criterion
            if criterion in evaluators:
                raise UserError(folder, f"another evaluator of {criterion} is served already", "name one of the two")
            evaluator.score(input="Is it ready?", output="It is.", ground_truth="Yes.")
            evaluators[criterion] = evaluator
        for criterion, threshold in thresholds.items():
            check_threshold(criterion, threshold, evaluators)
        return cls(evaluators, thresholds)

    def named(self, asked: Asked) -> tuple[str, ...]:
        """The evaluators that a request means. Raises an UnknownEvaluatorError."""
        names = tuple(asked.evaluators or self.evaluators)
        if any(name not in self.evaluators for name in names):
            raise UnknownEvaluatorError(f"evaluators: served are {', '.join(self.evaluators)}")
        return names

    def score(self, items: Sequence[Item], names: Sequence[str]) -> Answered:
        """Scores items with the evaluators of these names."""
        rows = [item.model_dump() for item in items]
        scored = {name: list(self.evaluators[name].score_table(rows)) for name in names}
        return Answered(
            results=[
                result_of({name: self.judged(name, scored[name][place]) for name in names})
                for place in range(len(items))
            ]
        )

    def judged(self, name: str, scored: Scored) -> Score:
        """A score beside its threshold."""
        threshold = self.thresholds.get(name)
        passed = None if threshold is None else scored.probability >= threshold
        return Score(
            probability=scored.probability, score=scored.score, label=scored.label, threshold=threshold, passed=passed
        )

    def unscored(self, items: Sequence[Item], fail: Fail) -> Answered:
        """What is answered where time ran out: all pass, or none does."""
        return Answered(results=[Result(passed=fail == "open", scores={}) for _ in items], timed_out=True)


def result_of(scores: dict[str, Score]) -> Result:
    """An answer passes where it reaches every threshold that was set."""
    decided = [score.passed for score in scores.values() if score.passed is not None]
    return Result(passed=all(decided) if decided else None, scores=scores)


def check_threshold(criterion: str, threshold: float, evaluators: Mapping[str, Evaluator]) -> None:
    """Raises a UserError for a threshold that says nothing."""
    where = f"--threshold {one_line(criterion, 40)}={threshold:g}"
    if criterion not in evaluators:
        raise UserError(where, "no such evaluator is served", f"name one of {', '.join(evaluators)}")
    if not (math.isfinite(threshold) and 0 <= threshold <= 1):
        raise UserError(where, "it is no probability", "give a number from 0 to 1")
    if not evaluators[criterion].manifest.ordered:
        found = "its classes have no order, and its probability is that of the class it names"
        raise UserError(where, found, "leave the threshold out and read `label`")
