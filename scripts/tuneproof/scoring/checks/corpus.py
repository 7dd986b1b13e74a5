"""Figures that only all answers together have: sacrebleu's corpus scores, IFEval's share of all instructions.

Both are made from counts that every answer adds to, so that no more than one answer need be held.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tuneproof.records.rows import Answer, Question
from tuneproof.scoring.checks.finding import Finding
from tuneproof.scoring.checks.instructions import KIND
from tuneproof.scoring.checks.references import corpus_score, segment_counts
from tuneproof.settings.evidence.check_kinds import Instructions, SacreBleu
from tuneproof.settings.evidence.checks import AnyCheck, Checks

Counts = Sequence[int]


def counts_of(settings: AnyCheck, answer: Answer, question: Question, finding: Finding) -> Counts | None:
    """What one answer adds to its check's figure; None where it adds nothing or there is no such figure."""
    match settings:
        case _ if finding.value is None:
            return None
        case SacreBleu():
            return segment_counts(settings.kind, answer.answer, question.reference or "")
        case Instructions(per="instruction"):
            asked = sum(check["kind"] == KIND for check in question.checks or ())
            return asked, round(finding.value * asked)
    return None


class Corpus:
    """What the answers so far amount to: the counts of every check, and how many answers it gave no score."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self.sums: dict[str, Counts] = {}
        self.unscored = Counter[str]()

    def add(self, name: str, counts: Counts) -> None:
        """Adds one answer's counts, or those of many, to a check's."""
        so_far = self.sums.get(name) or [0] * len(counts)
        self.sums[name] = [one + other for one, other in zip(so_far, counts, strict=True)]

    def merge(self, other: "Corpus") -> None:
        """Adds what another process counted."""
        self.unscored += other.unscored
        for name, counts in other.sums.items():
            self.add(name, counts)

    def figures(self, checks: Checks) -> dict[str, dict[str, Any]]:
        """By criterion: `corpus_score` and `signature`, or how many `instructions` there were and how many `followed`.

        IFEval counts instructions; a mean over questions weighs a question with one as one with three.
        """
        found: dict[str, dict[str, Any]] = {}
        for name, counts in self.sums.items():
            settings = checks.root[name]
            if isinstance(settings, SacreBleu):
                found[name] = corpus_score(settings.kind, counts)
            else:
                found[name] = dict(zip(("instructions", "followed"), counts, strict=True))
        return found
