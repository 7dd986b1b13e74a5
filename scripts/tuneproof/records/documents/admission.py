"""What admission hands on: the graded answers that the judge was asked about, and what it showed."""

from typing import Annotated, Literal

from pydantic import Field

from tuneproof.records.rows import Number, Record, Row

BOTH_ORDERS = "preferences over both orders"  # what a judge can do no better than chance


class GoldenAnswer(Row):
    """An answer whose scores are known: by criterion the grade, and in `second` that of another grader."""

    id: str
    instruction: str
    reference: str | None
    answer: Annotated[str, Field(min_length=1)]
    grades: Annotated[dict[str, Number], Field(min_length=1)]
    second: dict[str, Number] = Field(default_factory=dict)


class Figure(Record):
    """A figure with its limits, which are None where the answers cannot give any."""

    value: float
    low: float | None
    high: float | None
    answers: int


class CriterionAdmission(Record):
    """What the judge showed on one criterion. A figure is None where it was not asked, or cannot be had.

    `agreement` and `repeat` are weighted kappas: with the grades, and with itself when asked again. `people` is what
    two graders reach, `beside_people` the judge's less theirs on the same answers. `lengthened` and `shortened` are
    mean changes of the score, in points.
    """

    agreement: Figure | None = None
    people: Figure | None = None
    beside_people: Figure | None = None
    repeat: Figure | None = None
    lengthened: Figure | None = None
    shortened: Figure | None = None


class Orders(Record):
    """How often the same answer of a pair is preferred in both orders, against what reading nothing would give.

    `above_chance` is corrected for chance: 0 for a judge that reads nothing, None where it calls everything a tie.
    """

    pairs: int
    consistency: Figure
    by_chance: float
    above_chance: Figure | None

    @property
    def better_than_chance(self) -> bool:
        """Whether that is shown."""
        return self.above_chance is not None and (self.above_chance.low or 0) > 0


class Attacks(Record):
    """How many attacked answers scored higher than without the attack, and how many of them when merely asked again.

    `net` is the share of the first less that of the second.
    """

    answers: int
    higher: int
    higher_again: int
    net: Figure


class AdmissionResult(Record):
    """What a judge showed before it scored; everything is at its default where admission is off.

    `key` names judge, rubric and everything that a score depends on. `bars` are what it must reach, by the setting's
    name; `refused` are the bars that it missed, `at_chance` what it does no better than chance, `drift` what has
    changed since it was asked before; each of these three a clause for a person.
    """

    key: str | None = None
    source: Literal["golden answers", "people"] | None = None
    judges: list[dict[str, str]] = Field(default_factory=list)
    answered_as: list[str] = Field(default_factory=list)
    answers: int = 0
    unusable: int = 0
    criteria: dict[str, CriterionAdmission] = Field(default_factory=dict)
    orders: Orders | None = None
    attacks: Attacks | None = None
    bars: dict[str, float | Literal["people"]] = Field(default_factory=dict, exclude_if=lambda bars: not bars)
    refused: list[str] = Field(default_factory=list)
    at_chance: list[str] = Field(default_factory=list)
    drift: list[str] = Field(default_factory=list)
    on_failure: Literal["stop", "warn"] = "stop"

    @property
    def asked(self) -> bool:
        """Whether the judge was asked at all."""
        return self.key is not None

    @property
    def admitted(self) -> bool:
        """Whether it reached every bar."""
        return self.asked and not self.refused
