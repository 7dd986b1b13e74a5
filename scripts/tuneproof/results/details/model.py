"""What aggregate finds out about each model: `data/details/<model>.json`, which the report and the terminal show.

Numbers are unrounded but for six significant digits; a `None` is a number that the scores cannot give.
Every interval holds at `1 - run.alpha`, except those of gains, which hold together at it, and those of win rates, which
do likewise (`level`).
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from tuneproof.records.documents.benchmark_summary import TaskSummary
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.records.files import read_record
from tuneproof.records.handovers import DETAILS_DIRECTORY
from tuneproof.records.rows import Record
from tuneproof.results.details.changes import Loss, Losses, PairGain
from tuneproof.results.details.criteria import Collapses, CriterionDetails, CriterionVerdict, PeopleScores
from tuneproof.results.details.decisions import DecisionDetails, OverallVerdict, PeopleVerdict
from tuneproof.results.details.run import RunDetails
from tuneproof.results.details.slices import Finished, Slice
from tuneproof.settings.params import Params


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
    # By tag and criterion: how likely gains are to differ as much from kind to kind by chance.
    kinds_by_chance: dict[str, dict[str, float]] = Field(default={}, exclude_if=lambda found: not found)
    # None for the baseline, and where all its answers ended by themselves
    finished: Finished | None = Field(default=None, exclude_if=lambda finished: finished is None)
    lengths: AnswerLengths
    usage: Usage
    people: PeopleVerdict | None = Field(default=None, exclude_if=lambda verdict: verdict is None)
    panel: dict[str, PanelDetails] | None = Field(default=None, exclude_if=lambda panel: panel is None)  # by criterion
    worsened: int = Field(default=0, exclude_if=lambda count: not count)  # questions, in any criterion of the claim
    losses: list[Loss] = Field(default=[], exclude_if=lambda losses: not losses)
    against: dict[str, dict[str, PairGain]] = Field(default={}, exclude_if=lambda pairs: not pairs)  # other models
    lost_to: dict[str, Losses] = Field(default={}, exclude_if=lambda lost: not lost)  # the model before this one
    # A letter for each question, in their order: by the baseline and the models before this one, and by criterion.
    outcomes: dict[str, dict[str, str]] = Field(default={}, exclude_if=lambda outcomes: not outcomes)
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
