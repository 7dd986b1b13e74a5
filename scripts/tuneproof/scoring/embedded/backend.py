"""Judgements and comparisons by evaluators, one for each criterion: without a network, a key or the ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from tuneproof.common.errors import UserError
from tuneproof.records.documents.resolved import ResolvedJudge
from tuneproof.records.keys import content_key
from tuneproof.records.ledger import in_parts
from tuneproof.records.rows import Comparison, Judgement, Reply
from tuneproof.scoring.embedded.evaluators import Scores, score_all
from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.scoring.evaluator.loading import BATCH_SIZE, Evaluator
from tuneproof.scoring.judging.cases import AnswerCase, Pair
from tuneproof.scoring.judging.rubric.prompts import Material


class LocalJudge(Protocol):
    """A judge on this machine: what scores an answer, and what two answers' scores are worth beside each other."""

    @property
    def evaluators(self) -> Mapping[str, Evaluator]:
        """By criterion."""
        ...

    @property
    def takes_turns(self) -> bool:
        """Whether it scores the answers of a conversation, each by its own turn alone."""
        ...

    def prefers(self, first: Scores, second: Scores) -> float:
        """How surely the first of two answers is the better one, 0 to 1; exchanged, 1 minus that."""
        ...


def local_judgements(judge: LocalJudge, resolved: ResolvedJudge, cases: Iterable[AnswerCase]) -> Iterator[Judgement]:
    """Judgements by a judge of this machine, which is asked once per answer."""
    for part in in_parts(cases, BATCH_SIZE):
        known = score_all(judge.evaluators, [texts_of(judge, case.material) for case in part if case.material])
        for case in part:
            if case.material is None:
                yield case.judgement([])
                continue
            material, scored = case.material, known[texts_of(judge, case.material)]
            scores: dict[str, int | float] = {name: one.score for name, one in scored.items() if one.score is not None}
            probabilities = {name: one.probabilities for name, one in scored.items()}
            texts = (material.instruction, material.reference, material.answer)
            analyses = reasons(judge, texts_of(judge, material), scored)
            yield case.judgement([[local_reply(resolved, texts, scores, probabilities, analyses)]])


def reasons(judge: LocalJudge, texts: Texts, scored: Scores) -> dict[str, str] | None:
    """By criterion what weighed most in an answer's score; None where no evaluator can say it."""
    said = {name: judge.evaluators[name].reason(texts, one) for name, one in scored.items()}
    return {name: text for name, text in said.items() if text} or None


def local_comparisons(
    judge: LocalJudge, resolved: ResolvedJudge, pairs: Iterable[Pair], against: str
) -> Iterator[Comparison]:
    """Comparisons by a judge of this machine, from the two answers' scores."""
    for part in in_parts(pairs, BATCH_SIZE):
        complete = [pair for pair in part if pair.complete]
        known = score_all(judge.evaluators, [texts_of(judge, one) for pair in complete for one in pair.materials])
        for pair in part:
            if not pair.complete:
                yield pair.comparison(against, [])
                continue
            first, second = pair.materials
            score = 3 - 2 * judge.prefers(known[texts_of(judge, first)], known[texts_of(judge, second)])
            texts = (first.instruction, first.reference, first.answer, second.answer)
            yield pair.comparison(against, [[local_reply(resolved, texts, {"preference": score}, None)]])


def texts_of(judge: LocalJudge, material: Material) -> Texts:
    """An answer to be judged in an evaluator's words. Raises a UserError for one that the judge cannot take."""
    if material.whole or (material.before and not judge.takes_turns):
        found = "an answer stands in a conversation, and evaluators have learned from single questions alone"
        raise UserError("judge.backend", found, "set judge.backend: openai, or take the conversations out")
    return Texts(material.instruction, material.answer, material.reference)


def local_reply(
    resolved: ResolvedJudge,
    texts: Sequence[str | None],
    scores: dict[str, int | float],
    probabilities: dict[str, dict[str, float]] | None,
    analyses: dict[str, str] | None = None,
) -> Reply:
    """Scores in the form of a judge's reply; they cost nothing and need no ledger."""
    name = resolved.backend
    key = content_key({"kind": "reply", "endpoint": name, "judge": resolved.content, "texts": list(texts)})
    return Reply(
        judge=name, model=name, attempt=1, status="ok", scores=scores, probabilities=probabilities,
        analyses=analyses, reply=None, error=None, prompt_tokens=None, reply_tokens=None, key=key,
    )  # fmt: skip
