"""What was decided of one model: the plan's guards and whether it ships, and the verdicts of judge and people."""

from typing import Literal

from tuneproof.records.rows import Record

OverallVerdict = Literal["better", "worse", "mixed", "undecided", "too few", "no verdict"]
Ship = Literal["yes", "no", "not yet"]
GuardOutcome = Literal["held", "dropped", "open", "too few"]


class GuardDetails(Record):
    """One guard on one model: the mean difference to the baseline, each limit at 1 - alpha by itself.

    For `collapses` the difference is the share of questions less the baseline's own, with its sign turned. `held`: a
    drop of more than the margin is excluded. `dropped`: a smaller one is.
    """

    margin: float
    difference: float | None
    low: float | None
    high: float | None
    questions: int
    outcome: GuardOutcome
    questions_needed: int | None


class DecisionDetails(Record):
    """Whether one model ships by the plan, and what says so. `questions_needed` would settle all that is open."""

    ship: Ship
    improved: list[str]
    worsened: list[str]
    guards: dict[str, GuardDetails]
    questions_needed: int | None
    judge_at_chance: bool = False  # then it is `not yet`, whatever the scores say


class PeopleVerdict(Record):
    """The verdict on one model's claim by people's units beside that by the judge's own scores."""

    people: OverallVerdict
    judge: OverallVerdict

    @property
    def disagree(self) -> bool:
        """Whether one of the two says better or worse, and the other, with labels enough, something else.

        `no verdict` of a judge that is no better than chance is none.
        """
        said = {self.people, self.judge}
        return len(said) == 2 and not said & {"too few", "no verdict"}
