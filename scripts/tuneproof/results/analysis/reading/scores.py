"""One model's answers and judgements as arrays: an entry per answer, in the files' order.

The rows are read one at a time, so that 100,000 questions fit into memory.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuneproof.common.errors import UserError
from tuneproof.records.handovers import ANSWERS, JUDGEMENTS
from tuneproof.records.rows import Answer, Judgement
from tuneproof.results.analysis.reading.panel import PanelScores
from tuneproof.results.analysis.reading.sources import HANDOVERS, RERUN, SourceRows, check_scale
from tuneproof.results.analysis.reading.usage import ReplyUsage
from tuneproof.results.details.model import PanelDetails
from tuneproof.results.details.run import RunDetails
from tuneproof.statistics.distributions import Array

STEP_TOLERANCE = 1e-5  # a rubric's steps are written with six digits

Places = NDArray[np.int64]  # places of questions


@dataclass(frozen=True)
class ModelScores:
    """What one model's rows hold. NaN stands for an unscored answer, no answer, or tokens that nobody counted."""

    questions: Places  # which question each answer belongs to
    sample_of: Places  # and which of its samples it is
    samples: int
    turn_of: Places  # and which turn; 0 where there are none
    turns: int
    scores: dict[str, Array]  # of all sources
    characters: Array
    prompt_tokens: Array
    answer_tokens: Array
    statuses: Counter[str]  # the judge's
    statuses_of: dict[str, Counter[str]]  # the other sources'
    ended: NDArray[np.bool_]  # whether each answer ended by itself, neither cut off nor failed
    finish_reasons: Counter[str]
    cut: int
    usage: ReplyUsage
    panel: dict[str, PanelDetails] | None  # None for a single judge

    def by_question(self, values: Array, questions: int) -> Array:
        """Averages values, one per answer, into one per question, turns first; NaN where there is none."""
        if self.turns > 1:
            return mean_of_known(self.by_sample(values, questions))
        known = ~np.isnan(values)
        counts = np.bincount(self.questions[known], minlength=questions)
        sums = np.bincount(self.questions[known], weights=values[known], minlength=questions)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    def by_sample(self, values: Array, questions: int) -> Array:
        """Values, one per answer, as a row for each question and a column for each sample; NaN where there is none.

        The value of several turns is their mean.
        """
        table = np.full((questions, max(self.samples, 1), max(self.turns, 1)), np.nan)
        table[self.questions, self.sample_of, self.turn_of] = values
        return mean_of_known(table) if self.turns > 1 else table[:, :, 0]

    @property
    def finished(self) -> Places:
        """The questions all of whose answers ended by themselves, in order."""
        return np.setdiff1d(self.questions, self.questions[~self.ended])

    def only_turn(self, turn: int) -> "ModelScores":
        """The same with NaN in place of what the answers of other turns have."""
        here = self.turn_of == turn
        scores = {name: np.where(here, values, np.nan) for name, values in self.scores.items()}
        return replace(self, scores=scores, characters=np.where(here, self.characters, np.nan))


def read_scores(model: str, ids: Mapping[str, int], run: RunDetails) -> ModelScores:
    """Reads a model's answers, their judgements and what the other sources say of them.

    Args:
        model: Its key in params.yaml.
        ids: Every question's id with its place.
        run: The criteria that the files must hold, and the judges.

    Raises:
        UserError: A file is missing or broken, or the files do not belong together.
    """
    columns, judged = AnswerColumns(model, ids), JudgedColumns(model, run)
    others = {one.source for one in run.criteria.values()} & HANDOVERS.keys()
    sources = {source: SourceRows(source, model, run.criteria) for source in sorted(others)}
    for answer, judgement in judged_answers(model, run.judge_settings.get("per", "turn")):
        columns.take(answer)
        judged.take(judgement)
        for source in sources.values():
            source.take(answer)
    columns.check_complete()
    scores = judged.arrays()
    for source in sources.values():
        scores |= source.arrays()
    return ModelScores(
        questions=np.array(columns.places).astype(np.int64),
        sample_of=np.array(columns.of_sample).astype(np.int64),
        samples=int(max(columns.of_sample, default=-1)) + 1,
        turn_of=np.array(columns.of_turn).astype(np.int64),
        turns=int(max(columns.of_turn, default=-1)) + 1,
        scores=scores,
        characters=np.array(columns.characters),
        prompt_tokens=np.array(columns.prompt_tokens),
        answer_tokens=np.array(columns.answer_tokens),
        statuses=judged.statuses,
        statuses_of={name: source.statuses for name, source in sources.items()},
        ended=np.array(columns.ended) == 1,
        finish_reasons=columns.finish_reasons,
        cut=judged.cut,
        usage=judged.usage,
        panel=judged.panel.details() if judged.panel else None,
    )


class AnswerColumns:
    """What one model's answers hold, taken one after the other."""

    def __init__(self, model: str, ids: Mapping[str, int]) -> None:
        self.places, self.of_sample, self.of_turn = array("d"), array("d"), array("d")
        self.characters, self.prompt_tokens, self.answer_tokens = array("d"), array("d"), array("d")
        self.ended = array("d")
        self.finish_reasons = Counter[str]()
        self._model, self._ids = model, ids

    def take(self, answer: Answer) -> None:
        """Takes the next answer. Raises a UserError for one to no question of the run."""
        if answer.id not in self._ids:
            raise UserError(str(ANSWERS.path(self._model)), f"no question has the id {answer.id[:40]}", RERUN)
        self.places.append(self._ids[answer.id])
        self.of_sample.append(answer.sample)
        self.of_turn.append(answer.turn or 0)
        self.characters.append(math.nan if answer.finish_reason == "error" else len(answer.answer))
        self.prompt_tokens.append(known(answer.prompt_tokens))
        self.answer_tokens.append(known(answer.answer_tokens))
        self.ended.append(answer.finish_reason == "stop")
        self.finish_reasons[answer.finish_reason] += 1

    def check_complete(self) -> None:
        """Raises a UserError unless every question was answered."""
        missing = len(self._ids) - len(set(self.places))
        if missing:
            found = f"{missing} of {len(self._ids)} questions have no answer"
            raise UserError(str(ANSWERS.path(self._model)), found, f"run `python scripts/generate.py {self._model}`")


class JudgedColumns:
    """What the judge made of one model's answers, taken one after the other."""

    def __init__(self, model: str, run: RunDetails) -> None:
        judges, self._criteria = run.judge.judges, run.criteria
        self.statuses, self.cut, self.usage = Counter[str](), 0, ReplyUsage()
        self.panel = PanelScores(judges, run.judge_settings["samples"], list(run.rubric)) if len(judges) > 1 else None
        self._model = model
        self._columns = {criterion: array("d") for criterion in run.rubric}
        self._steps = {name: [float(step) for step in criterion.scale] for name, criterion in run.rubric.items()}

    def take(self, judgement: Judgement | None) -> None:
        """Takes that of the next answer; None for one that is not judged, an earlier turn of a conversation.

        Raises a UserError where it was judged by another rubric.
        """
        if judgement is None:
            for column in self._columns.values():
                column.append(math.nan)
            return
        self.statuses[judgement.status] += 1
        self.cut += judgement.answer_cut
        self.usage.add(judgement.replies)
        if self.panel:
            self.panel.add(judgement)
        for criterion, column in self._columns.items():
            column.append(score_of(judgement, criterion, self._model))
            check_step(judgement, criterion, self._model, self._steps[criterion])

    def arrays(self) -> dict[str, Array]:
        """A score for each answer, NaN where there is none. Raises a UserError for one that is off its scale."""
        columns = {criterion: np.array(column) for criterion, column in self._columns.items()}
        for criterion, values in columns.items():
            check_scale(JUDGEMENTS.path(self._model), criterion, values, self._criteria[criterion])
        return columns


def mean_of_known(values: Array) -> Array:
    """The mean over the last axis of what is no NaN; NaN where all is."""
    known = ~np.isnan(values)
    counts = known.sum(axis=-1)
    return np.where(counts > 0, np.where(known, values, 0).sum(axis=-1) / np.maximum(counts, 1), np.nan)


def judged_answers(model: str, per: str) -> Iterator[tuple[Answer, Judgement | None]]:
    """Every answer with its judgement; where those are `per` conversation, the last answer of each has it.

    Raises a UserError where the two files do not hold the same answers.
    """
    judgements = JUDGEMENTS.iterate(model)
    judgement = next(judgements, None)
    for answer in ANSWERS.iterate(model):
        if judgement is None or (judgement.id, judgement.sample) != (answer.id, answer.sample):
            found = f"there is no judgement where answer {answer.id[:40]}, sample {answer.sample}, has its place"
            raise UserError(str(JUDGEMENTS.path(model)), found, RERUN)
        if judgement.turn != answer.turn:
            if per != "conversation":
                found = f"there is no judgement of turn {answer.turn} of answer {answer.id[:40]}"
                raise UserError(str(JUDGEMENTS.path(model)), found, RERUN)
            yield answer, None
            continue
        yield answer, judgement
        judgement = next(judgements, None)
    if judgement is not None:
        raise UserError(str(JUDGEMENTS.path(model)), "it holds more judgements than there are answers", RERUN)


def score_of(judgement: Judgement, criterion: str, model: str) -> float:
    """One score, NaN where there is none. Raises a UserError when the judgement is by another rubric."""
    if judgement.scores is None:
        return math.nan
    try:
        return judgement.scores[criterion]
    except KeyError:
        found = f"answer {judgement.id[:40]} has no score for {criterion}, so it was judged by another rubric"
        raise UserError(str(JUDGEMENTS.path(model)), found, "run `dvc repro`") from None


def check_step(judgement: Judgement, criterion: str, model: str, steps: Sequence[float]) -> None:
    """Raises a UserError for a score between the steps that is no mean: one reply gives a step of the scale.

    Scores weighed by probabilities are means too.
    """
    if judgement.scores is None or len(judgement.replies) != 1 or judgement.replies[0].probabilities is not None:
        return
    score = judgement.scores[criterion]
    between = min(steps) < score < max(steps)
    if between and not any(math.isclose(score, step, rel_tol=STEP_TOLERANCE) for step in steps):
        found = f"answer {judgement.id[:40]} has a score of {score:g} for {criterion}, which is no step of its scale"
        raise UserError(str(JUDGEMENTS.path(model)), found, "run `dvc repro`")


def known(count: int | None) -> float:
    """A count as a number, NaN where nobody counted."""
    return math.nan if count is None else count
