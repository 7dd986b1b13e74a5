"""The embedded world's graded answers: two ratings of each, which measure its judge where there are no labels."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from tuneproof.records.files import iterate_rows
from tuneproof.records.rows import Row

Grade = Annotated[int, Field(ge=1, le=3)]


class Graded(Row):
    """One answer with the first rating and, on the part that the judge was not trained on, a second one."""

    id: str
    answer: str
    accuracy: Grade
    style: Grade
    reason: str
    second_accuracy: Grade | None
    second_style: Grade | None

    def ratings(self, criterion: str) -> dict[str, float]:
        """What both ratings say of one criterion."""
        both = {"first": getattr(self, criterion), "second": getattr(self, f"second_{criterion}")}
        return {rater: float(score) for rater, score in both.items() if score is not None}


def graded_twice(path: Path) -> list[Graded]:
    """The answers with a second rating."""
    rows = iterate_rows(path, Graded, made_by="validate.py")
    return [row for row in rows if row.second_accuracy is not None and row.second_style is not None]
