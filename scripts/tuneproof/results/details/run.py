"""What all models of a run share: its criteria, its plan, its judge."""

from typing import Any, Literal

from pydantic import Field

from tuneproof.records.documents.admission import BOTH_ORDERS, AdmissionResult, Orders
from tuneproof.records.documents.agreement import Agreement
from tuneproof.records.documents.resolved import ResolvedJudge, ResolvedQuestions
from tuneproof.records.rows import Record, World
from tuneproof.settings.evidence.decision import Units

BENCHMARK = "benchmark"  # the source whose units are items of its own
FEWEST_PAIRS = 60  # of a run, from which its orders can speak against the judge
Role = Literal["improves", "guard", "shown"]  # what is claimed, what must not drop, and what decides nothing


class Criterion(Record):
    """A criterion from any source: who gives its scores, their limits and distance, and what they decide."""

    source: str
    low: float
    high: float
    step: float
    role: Role
    reach: float = Field(default=1.0, exclude_if=lambda reach: reach == 1.0)  # what an item counts at most, in a group

    @property
    def by_item(self) -> bool:
        """Whether a benchmark's items are what is scored, and not the answers to the run's questions."""
        return self.source == BENCHMARK

    @property
    def by_answer(self) -> bool:
        """Whether it scores the answers to the run's questions one by one, which the report's browser shows."""
        return self.source in ("judge", "check")

    @property
    def counts_from(self) -> float:
        """How far two scores of a question are apart to count as improved or worse.

        Half a step of the judge's scale, as less lies nearer to no change than to one; any difference of other sources.
        """
        return self.step / 2 if self.source == "judge" else 0.0

    @property
    def of_differences(self) -> tuple[float, float]:
        """Two ends as far apart as a weighted difference can be."""
        return self.low, self.low + self.reach * (self.high - self.low)

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest possible score."""
        return self.low, self.high


class PlanDetails(Record):
    """The section decision by which the models ship. `earlier` plans decided on the same questions before it."""

    key: str
    improves: list[str]
    in_order: bool
    must_not_drop: dict[str, float]
    earlier: tuple[str, ...] = ()


class RubricCriterion(Record):
    """A criterion as it was judged. The steps of `scale` ascend; their keys are numbers written as text."""

    question: str
    scale: dict[str, str]

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest possible score."""
        steps = [float(step) for step in self.scale]
        return min(steps), max(steps)

    @property
    def is_yes_no(self) -> bool:
        """Whether it is answered by yes or no, so that its mean is the share of yes."""
        return {float(step) for step in self.scale} == {0.0, 1.0}


class RunDetails(Record):
    """What all models of a run share; the same in each model's file."""

    run: World
    baseline: str
    models: list[str]
    questions: int
    alpha: float
    min_questions: int
    rubric: dict[str, RubricCriterion]
    criteria: dict[str, Criterion]  # of all sources, those of the rubric among them
    plan: PlanDetails | None = None
    judge: ResolvedJudge
    judge_settings: dict[str, Any]  # those of params.yaml that determine a score
    source: ResolvedQuestions
    in_units_of: Units = Field(default="judge", exclude_if=lambda units: units == "judge")
    fewest_labels: int | None = Field(default=None, exclude_if=lambda fewest: fewest is None)  # for people's units
    agreement: Agreement | None = Field(default=None, exclude_if=lambda agreement: agreement is None)
    sharing: int = Field(default=1, exclude_if=lambda sharing: sharing == 1)  # comparisons that share alpha
    kinds_from_words: bool = Field(default=False, exclude_if=lambda made: not made)  # no question has a tag

    @property
    def fewest(self) -> int:
        """How many questions a verdict needs: scored in both, or labelled in both where people's units decide."""
        return self.min_questions if self.fewest_labels is None else self.fewest_labels

    admission: AdmissionResult = AdmissionResult()
    orders: Orders | None = None  # of all models' comparisons together

    @property
    def at_chance(self) -> list[str]:
        """What the judge is not shown to do better than chance; where it was not asked, by this run's own pairs."""
        if self.admission.orders or self.orders is None:
            return self.admission.at_chance
        known = self.orders.above_chance is not None and self.orders.pairs >= FEWEST_PAIRS
        by_run = [BOTH_ORDERS] if known and not self.orders.better_than_chance else []
        return [*self.admission.at_chance, *by_run]

    @property
    def withheld(self) -> list[str]:
        """The criteria on which no verdict may rest: a judge's no better than chance, which no labels correct."""
        if not self.at_chance or self.in_units_of == "people":
            return []
        return [name for name, one in self.criteria.items() if one.source in ("judge", "compare")]

    @property
    def claimed(self) -> list[str]:
        """The criteria of the claim, in their order."""
        return [name for name, one in self.criteria.items() if one.role == "improves"]

    @property
    def by_question(self) -> list[str]:
        """The criteria by which a question is lost: the claim's that score answers, the judge's where there is none."""
        return [name for name in self.claimed if not self.criteria[name].by_item] or list(self.rubric)

    @property
    def deciding(self) -> list[str]:
        """The criteria that decide something, and the judge's."""
        return [name for name, one in self.criteria.items() if one.role != "shown" or one.source == "judge"]
