"""Why answers were scored as they were: what the judge, or a program, said of each."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tuneproof.records.handovers import CHECKS, JUDGEMENTS
from tuneproof.records.rows import Judgement

LONGEST_REASON = 320  # characters outside of the browser, which has all of them
Place = tuple[int, int | None]  # of an answer among those to its question: sample and turn


@dataclass(frozen=True)
class Said:
    """What was said of one answer on one criterion; nothing by a judge that gives scores alone."""

    place: Place
    reason: str


def reasons(
    model: str, wanted: Collection[str], sign: int, checked: bool, root: Path = Path()
) -> dict[tuple[str, str], Said]:
    """Why a model's answers to these questions were scored as they were, by question and criterion.

    Of several samples and turns that of the lowest one; that of the highest one where `sign` is -1. One that has a
    reason comes before one that has none. `checked` reads the reasons of programs too, where there are any.
    """
    found, rank = dict[tuple[str, str], Said](), dict[tuple[str, str], tuple[bool, float]]()

    def take(question: str, name: str, score: float, said: Said) -> None:
        here = (not said.reason, sign * score)
        if here < rank.get((question, name), (True, float("inf"))):
            rank[question, name], found[question, name] = here, said

    for row in JUDGEMENTS.iterate(model, root) if wanted else ():
        for name, score in (row.scores or {}).items() if row.id in wanted else ():
            take(row.id, name, score, Said((row.sample, row.turn), analysis(row, name)))
    for check in CHECKS.iterate(model, root) if checked and wanted else ():
        for name, value in (check.scores or {}).items() if check.id in wanted else ():
            if value is not None:
                take(check.id, name, value, Said((check.sample, check.turn), check.reasons.get(name, "")))
    return found


def analysis(row: Judgement, criterion: str) -> str:
    """What the first judge with a usable reply wrote on one criterion."""
    texts = ((reply.analyses or {}).get(criterion, "") for reply in row.replies if reply.scores is not None)
    return next(filter(None, texts), "")
