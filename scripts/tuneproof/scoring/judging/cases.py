"""What there is to judge, a model's answers or its answers beside the baseline's, and the rows made of the replies."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Generic, Literal, TypeVar

from tuneproof.common.errors import UserError
from tuneproof.records.handovers import ANSWERS
from tuneproof.records.rows import Answer, Comparison, Judgement, Question, Reply, Status
from tuneproof.scoring.judging.rubric.prompts import (
    NONCE_IN_KEYS,
    Material,
    cut_answer,
    judge_messages,
    nonce_for,
    pair_messages,
    preference_criteria,
)
from tuneproof.settings.evidence.judging import Criterion, Judge
from tuneproof.settings.params import Params

Questions = Mapping[str, Question]
Chains = Sequence[Sequence[Reply]]
Order = Literal["model_first", "baseline_first"]
ORDERS: tuple[Order, Order] = ("model_first", "baseline_first")


@dataclass(frozen=True)
class AnswerCase:
    """An answer as the judge gets it. `material` is None where there is nothing to judge."""

    answer: Answer
    judge: Judge
    material: Material | None

    @property
    def complete(self) -> bool:
        """Whether there is something to judge."""
        return self.material is not None

    @property
    def nonce(self) -> str:
        """The number on the fences: the same each time, unknown to the authors of what stands between them."""
        return nonce_for(self.messages(NONCE_IN_KEYS))

    def messages(self, nonce: str) -> list[dict[str, str]]:
        """What the judge is shown."""
        if self.material is None:
            raise RuntimeError("an answer with nothing to judge is not sent")
        return judge_messages(self.material, self.judge.criteria, self.judge.format, self.judge.score_first, nonce)

    def judgement(self, chains: Chains) -> Judgement:
        """The row for this answer from its replies, a list for every score asked for."""
        status, scores, analyses = merge(chains) if self.material else ("no_answer", None, None)
        return Judgement(
            id=self.answer.id,
            sample=self.answer.sample,
            turn=self.answer.turn,
            status=status,
            scores=scores,
            analyses=analyses,
            answer_cut=self.answer.finish_reason == "length" or bool(self.material and self.material.cut),
            replies=[reply for chain in chains for reply in chain],
        )


@dataclass(frozen=True)
class Pair:
    """A model's and the baseline's answer to one question, in one order. None stands for an empty answer."""

    id: str
    sample: int
    order: Order
    model: Material | None
    baseline: Material | None
    criteria: Mapping[str, Criterion]
    judge: Judge
    turn: int | None = None

    @property
    def complete(self) -> bool:
        """Whether there are two answers to compare."""
        return self.model is not None and self.baseline is not None

    @property
    def materials(self) -> tuple[Material, Material]:
        """The two answers in the order in which they are shown."""
        if self.model is None or self.baseline is None:
            raise RuntimeError("a pair with an empty answer is not sent")
        return (self.model, self.baseline) if self.order == "model_first" else (self.baseline, self.model)

    @property
    def nonce(self) -> str:
        """The number on the fences: the same each time, unknown to the authors of what stands between them."""
        return nonce_for(self.messages(NONCE_IN_KEYS))

    def messages(self, nonce: str) -> list[dict[str, str]]:
        """What the judge is shown."""
        return pair_messages(*self.materials, self.criteria, self.judge.format, self.judge.score_first, nonce)

    def preference(self, score: float) -> float:
        """A score from 1 (the first answer is better) to 3 (the second) as the preference for the model, 0 to 1."""
        share = (score - 1) / 2
        return round(share if self.order == "baseline_first" else 1 - share, 6)

    def comparison(self, against: str, chains: Chains) -> Comparison:
        """The row for this pair from its replies, a list for every preference asked for."""
        status, scores, _ = merge(chains) if self.complete else ("no_answer", None, None)
        return Comparison(
            id=self.id,
            sample=self.sample,
            turn=self.turn,
            against=against,
            order=self.order,
            status=status,
            preference=None if scores is None else self.preference(scores["preference"]),
            replies=[reply for chain in chains for reply in chain],
        )


Case = AnswerCase | Pair  # the same case always gives the same nonce and messages
AnyCase = TypeVar("AnyCase", AnswerCase, Pair)


@dataclass(frozen=True)
class Stage(Generic[AnyCase]):
    """The cases of one stage and their rubric. `cases` gives all anew each time, one by one, in order.

    `again` is added to `judge.repeat`: what was asked before is asked anew.
    """

    name: str  # such as "judge sft"
    criteria: Mapping[str, Criterion]
    cases: Callable[[], Iterator[AnyCase]]
    again: int = 0

    def count(self) -> int:
        """How many cases there are."""
        return sum(1 for _ in self.cases())


def judge_stage(model: str, params: Params, questions: Questions) -> Stage[AnswerCase]:
    """The answers of a model. Its cases raise a UserError for an answer that cannot be read or has no question."""

    def cases() -> Iterator[AnswerCase]:
        return answer_cases(model, ANSWERS.iterate(model), params.judge, questions)

    return Stage(f"judge {model}", params.judge.criteria, cases)


def answer_cases(model: str, answers: Iterable[Answer], judge: Judge, questions: Questions) -> Iterator[AnswerCase]:
    """The answers of a model that are judged, one by one. Raises a UserError as `judge_stage` says."""
    for said in judged(model, answers, questions, judge):
        yield AnswerCase(said.answer, judge, material_of(said, questions, judge))


def compare_stage(model: str, params: Params, questions: Questions) -> Stage[Pair]:
    """A model's answers beside the baseline's, in both orders. Its cases raise a UserError as `judge_stage`'s do."""
    criteria = preference_criteria(params.compare.criteria)

    def told(one: str) -> Iterator[Said]:
        return judged(one, ANSWERS.iterate(one), questions, params.judge)

    def cases() -> Iterator[Pair]:
        for one, other in zip_longest(*(told(one) for one in (model, params.baseline))):
            if one is None or other is None or place_of(one) != place_of(other):
                found = f"the answers of {model} and {params.baseline} are not of the same questions"
                raise UserError(f"compare {model}", found, "run `dvc repro`")
            answer = one.answer
            materials = [material_of(said, questions, params.judge) for said in (one, other)]
            for order in ORDERS:
                yield Pair(
                    answer.id, answer.sample, order, materials[0], materials[1], criteria, params.judge, answer.turn
                )

    return Stage(f"compare {model}", criteria, cases)


@dataclass(frozen=True)
class Said:
    """An answer, and the same model's answers to the turns before it."""

    answer: Answer
    earlier: tuple[Answer, ...]


def place_of(said: Said) -> tuple[str, int, int | None]:
    """Which answer it is."""
    return said.answer.id, said.answer.sample, said.answer.turn


def judged(model: str, answers: Iterable[Answer], questions: Questions, judge: Judge) -> Iterator[Said]:
    """A model's answers that are judged, one by one: all of them, or of each conversation the last.

    Raises a UserError for an answer whose question, or whose earlier turns, are not there.
    """
    earlier: tuple[Answer, ...] = ()
    for answer in answers:
        earlier = earlier if answer.turn else ()
        turns = len(question_of(answer, questions).all_turns)
        if any((one.id, one.sample) != (answer.id, answer.sample) for one in earlier) or len(earlier) != (
            answer.turn or 0
        ):
            found = f"its turn {answer.turn} does not stand behind those before it"
            raise UserError(f"answer {answer.id[:40]}", found, f"run `python scripts/generate.py {model}` again")
        if judge.per == "turn" or len(earlier) == turns - 1:
            yield Said(answer, earlier)
        earlier = (*earlier, answer)


def question_of(answer: Answer, questions: Questions) -> Question:
    """The question of an answer. Raises a UserError when there is no such question."""
    question = questions.get(answer.id)
    if question is None:
        remedy = "run `dvc repro`: the questions changed after these answers were generated"
        raise UserError(f"answer {answer.id[:40]}", "its question is not in data/questions.jsonl", remedy)
    return question


def material_of(said: Said, questions: Questions, judge: Judge) -> Material | None:
    """An answer with its question and conversation as a judge gets it, None where there is nothing to judge."""
    answer, question = said.answer, question_of(said.answer, questions)
    if answer.finish_reason == "error" or not answer.answer.strip():
        return None
    text, cut = cut_answer(answer.answer, judge.max_answer_characters)
    if not question.is_conversation:
        return Material(question.asked, question.reference, text, cut)
    now, whole = question.at(answer.turn), judge.per == "conversation"
    parts = [(who, cut_answer(words, judge.max_answer_characters)) for who, words in before(said, question, whole)]
    return Material(
        now.asked,
        now.reference,
        text,
        cut,
        before=tuple((who, shown) for who, (shown, _) in parts),
        before_cut=any(was_cut for _, (_, was_cut) in parts),
        whole=whole,
    )


def before(said: Said, question: Question, whole: bool) -> Iterator[tuple[str, str]]:
    """Who said what before the turn that is answered; with the earlier references where earlier answers are graded."""
    for message in question.history or ():
        yield message.role.upper(), message.content
    for turn, answer in enumerate(said.earlier):
        yield "USER", question.all_turns[turn]
        reference = question.at(turn).reference if whole else None
        if reference is not None:
            yield "REFERENCE", reference
        yield "ASSISTANT", answer.answer


def merge(chains: Chains) -> tuple[Status, dict[str, int | float] | None, dict[str, str] | None]:
    """Status, scores and analyses of a case from the last reply of each of its chains.

    The scores are the means over the usable ones, when at least half of them are usable.
    """
    last = [chain[-1] for chain in chains]
    usable = [reply for reply in last if reply.status == "ok" and reply.scores is not None]
    if not usable or 2 * len(usable) < len(last):
        return next(reply.status for reply in last if reply.status != "ok"), None, None
    scores = {name: mean_score([(reply.scores or {})[name] for reply in usable]) for name in usable[0].scores or {}}
    return "ok", scores, usable[0].analyses


def mean_score(scores: Sequence[int | float]) -> int | float:
    """The mean of scores; one score, or several equal ones, stay as they are."""
    return scores[0] if len(set(scores)) == 1 else round(sum(scores) / len(scores), 6)
