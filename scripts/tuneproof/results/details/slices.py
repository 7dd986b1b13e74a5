"""One model on some of the questions: exploratory, so nothing here is corrected for looking at many."""

from pydantic import Field

from tuneproof.records.rows import Record
from tuneproof.results.details.criteria import Changes

FEWEST_FOR_INTERVAL = 25  # questions; over fewer a gain's interval is mostly what was never seen (docs/statistics.md)


class SliceScore(Record):
    """One criterion within a slice: exploratory, so its intervals are not corrected for looking at many.

    A gain has no limits over fewer than FEWEST_FOR_INTERVAL questions.
    """

    mean: float
    low: float
    high: float
    scored: int
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    paired: int | None = None
    changes: Changes | None = Field(default=None, exclude_if=lambda changes: changes is None)


class Slice(Record):
    """The questions whose tag has this value. Tags with many values keep the most frequent ones."""

    tag: str
    value: str
    questions: int
    criteria: dict[str, SliceScore]  # without the criteria that have no score here


class Finished(Record):
    """The questions all of whose answers of the baseline ended by themselves, neither cut off nor failed."""

    questions: int
    criteria: dict[str, SliceScore]  # without the criteria that have no score here
