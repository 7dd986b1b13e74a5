"""What aggregate finds out about each model: `data/details/<model>.json`, which the report and the terminal show.

Numbers are unrounded but for six significant digits; a `None` is a number that the scores cannot give.
Every interval holds at `1 - run.alpha`, except those of gains, which hold together at it, and those of win rates, which
do likewise (`level`).
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tuneproof.records.documents.admission import BOTH_ORDERS, AdmissionResult, Orders
from tuneproof.records.documents.agreement import Agreement
from tuneproof.records.documents.resolved import ResolvedJudge, ResolvedModel, ResolvedQuestions
from tuneproof.records.files import read_record
from tuneproof.records.handovers import DETAILS_DIRECTORY
from tuneproof.records.rows import Record, TaskSummary, World
from tuneproof.settings.evidence.decision import Units
from tuneproof.settings.params import Params

CriterionVerdict = Literal["better", "worse", "undecided", "too few", "not tested"]
OverallVerdict = Literal["better", "worse", "mixed", "undecided", "too few"]


BENCHMARK = "benchmark"  # the source whose units are items of its own


Role = Literal["improves", "guard", "shown"]  # what is claimed, what must not drop, and what decides nothing
Ship = Literal["yes", "no", "not yet"]
FEWEST_PAIRS = 60  # of a run, from which its orders can speak against the judge
GuardOutcome = Literal["held", "dropped", "open", "too few"]


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
    def rests_on_the_judge(self) -> bool:
        """Whether anything that the plan names has its scores from the judge, and people's labels do not correct it."""
        deciding = [one for one in self.criteria.values() if one.role != "shown"]
        return self.in_units_of == "judge" and any(one.source in ("judge", "compare") for one in deciding)

    @property
    def claimed(self) -> list[str]:
        """The criteria of the claim, in their order."""
        return [name for name, one in self.criteria.items() if one.role == "improves"]

    @property
    def deciding(self) -> list[str]:
        """The criteria that decide something, and the judge's."""
        return [name for name, one in self.criteria.items() if one.role != "shown" or one.source == "judge"]


class MissingScores(Record):
    """The mean gain over all questions, and its verdict, if every missing score were the model's worst or best."""

    missing: int
    worst: float
    best: float
    verdict_if_worst: CriterionVerdict
    verdict_if_best: CriterionVerdict
    could_change_verdict: bool


class Collapses(Record):
    """The share of questions on which a model falls by a whole step or to the lowest score, against the baseline.

    With several samples every one of the model's is compared with every one of the baseline's. `of_baseline` is what
    two samples of the baseline do to each other; None where there is only one.
    """

    share: float
    low: float
    high: float
    questions: int
    of_baseline: float | None


class LengthBin(Record):
    """Questions with answers of similar length: their mean length in characters and their mean score."""

    characters: float
    mean: float
    low: float
    high: float
    questions: int


class PeopleScores(Record):
    """One model on one criterion in people's units: estimated from random labels and the judge's scores (PPI++).

    `people_mean` and `judge_mean` are the raw figures over the labelled questions. The estimates are None below
    `needed` labels, those of gains for the baseline too. A `weight` is lambda: 0 is labels alone, 1 the judge believed.
    `worth` is how many more labels would give the same error without the judge.
    """

    labels: int  # questions with a label, and a score of the judge
    needed: int
    people_mean: float | None
    judge_mean: float | None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    weight: float | None = None
    worth: int | None = None
    gain_labels: int | None = None  # questions labelled in both
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    gain_weight: float | None = None
    gain_worth: int | None = None
    level: float | None = None
    verdict: CriterionVerdict | None = None

    @property
    def missing(self) -> int:
        """How many labelled questions are missing."""
        least = self.labels if self.gain_labels is None else self.gain_labels
        return max(self.needed - least, 0)


class JudgeAlone(Record):
    """What the judge itself says of one model on one criterion, where people's units decide."""

    mean: float | None
    low: float | None
    high: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    verdict: CriterionVerdict | None


class CriterionDetails(Record):
    """One model on one criterion. The gain's fields are None for the baseline itself.

    Where people's units decide (`run.in_units_of`) and there are labels enough, mean and gain are people's, `paired`
    counts labelled questions, and `judge_alone` has what the judge itself says.
    """

    mean: float | None
    low: float | None
    high: float | None
    method: str | None
    caution: str | None  # what to know before trusting the interval
    scored: int  # questions with a score
    mean_if_missing_worst: float | None
    mean_if_missing_best: float | None
    distribution: dict[str, int]  # answers by the step of the scale that their score is nearest to
    length_correlation: float | None  # Spearman's, between answer length and score, over questions
    lengths: list[LengthBin]

    gain: float | None = None  # the mean paired difference to the baseline
    gain_low: float | None = None
    gain_high: float | None = None
    gain_method: str | None = None
    gain_caution: str | None = None
    level: float | None = None  # each gain's own level, at which all of the run's hold together at alpha
    paired: int | None = None  # questions scored in both
    verdict: CriterionVerdict | None = None
    smallest_detectable: float | None = None  # the true gain that `paired` questions show in 80 % of repeats
    questions_needed: int | None = None  # to show the observed gain as often
    missing: MissingScores | None = None  # only where scores are missing
    collapses: Collapses | None = None
    people: PeopleScores | None = Field(default=None, exclude_if=lambda scores: scores is None)
    judge_alone: JudgeAlone | None = Field(default=None, exclude_if=lambda scores: scores is None)


class SliceScore(Record):
    """One criterion within a slice: exploratory, so its intervals are not corrected for looking at many."""

    mean: float
    low: float
    high: float
    scored: int
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    paired: int | None = None


class Slice(Record):
    """The questions whose tag has this value. Tags with many values keep the most frequent ones."""

    tag: str
    value: str
    questions: int
    criteria: dict[str, SliceScore]  # without the criteria that have no score here


class AnswerLengths(Record):
    """How long the answers are. Tokens are the model's own, so not comparable across models."""

    characters_mean: float | None
    characters_median: float | None
    tokens_mean: float | None


class Usage(Record):
    """Tokens, over all samples and replies, usable or not; None where no row tells. USD by execution.judge.prices."""

    prompt_tokens: int | None
    answer_tokens: int | None
    judge_prompt_tokens: int | None
    judge_reply_tokens: int | None
    judge_replies: int
    judge_cost_usd: float | None


class WinRateDetails(Record):
    """Pairwise preferences against the baseline, both orders averaged; 0.5 is a tie. None where no pair is scored."""

    win_rate: float | None
    low: float | None
    high: float | None
    level: float  # each interval's own level, at which those of all models hold together at alpha (Bonferroni)
    verdict: CriterionVerdict
    caution: str | None
    questions: int  # with a pair scored in both orders; the others are no loss and no win
    consistency: float | None  # the share of pairs with the same outcome in both orders
    position_bias: float | None  # above 0: being shown first helps
    incomplete_pairs: int  # pairs that are not scored in both orders
    statuses: dict[str, int]  # of the comparisons, two for each pair
    length_controlled: float | None
    length_controlled_low: float | None
    length_controlled_high: float | None
    length_controlled_caution: str | None
    length_controlled_pulled: bool  # without other models' scores the effect of length is pulled towards 0
    people: PeopleScores | None = Field(default=None, exclude_if=lambda scores: scores is None)  # its mean: the rate


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
        """Whether one of the two says better or worse, and the other, with labels enough, something else."""
        said = {self.people, self.judge}
        return len(said) == 2 and "too few" not in said


class JudgeScores(Record):
    """One judge of a panel on one criterion: its mean over the answers that it scored."""

    mean: float | None
    scored: int


class PanelDetails(Record):
    """The judges of a panel on one criterion. Agreement is the mean over pairs of judges, each on its shared answers.

    None where no answer was scored by two judges, and for kappa where no pair's scores vary.
    """

    judges: dict[str, JudgeScores]
    shared: int  # answers scored by two judges or more
    spread: float | None  # the mean over them of the highest less the lowest score
    exact_agreement: float | None  # the share with the same score
    weighted_kappa: float | None  # Cohen's, with quadratic weights


class Details(Record):
    """Everything about one model."""

    model: str
    run: RunDetails
    resolved: ResolvedModel
    engines: list[dict[str, Any]]  # the side record of generate: which engines made the answers
    judge_models: list[str]  # as the replies name them; more than one per judge means that an alias moved
    questions: int
    samples: int  # answers per question
    answers: int
    scored: int  # answers with a score
    coverage: float
    coverage_low: float
    coverage_high: float
    statuses: dict[str, int]  # of the judgements
    finish_reasons: dict[str, int]
    answers_cut: int  # cut by max_tokens, or for the judge
    verdict: OverallVerdict | None  # None for the baseline
    criteria: dict[str, CriterionDetails]  # of all sources
    statuses_of: dict[str, dict[str, int]]  # of the rows of the sources beside the judge
    collapses: Collapses | None  # on any of the claim's criteria; None for the baseline
    decision: DecisionDetails | None  # None for the baseline, and without a plan
    win_rate: WinRateDetails | None
    slices: list[Slice]
    lengths: AnswerLengths
    usage: Usage
    people: PeopleVerdict | None = Field(default=None, exclude_if=lambda verdict: verdict is None)
    panel: dict[str, PanelDetails] | None = Field(default=None, exclude_if=lambda panel: panel is None)  # by criterion
    benchmarks: dict[str, TaskSummary] = Field(default={}, exclude_if=lambda said: not said)  # what the harness says

    @property
    def is_baseline(self) -> bool:
        """Whether this is the model that the others are compared with."""
        return self.model == self.run.baseline


def read_all_details(params: Params) -> list[Details]:
    """Every model's details in the order of params.yaml; raises a UserError where aggregate has not run."""
    return [read_details(DETAILS_DIRECTORY / f"{model}.json") for model in params.models]


def read_details(path: Path) -> Details:
    """One model's details."""
    return read_record(path, Details, made_by="aggregate.py")
