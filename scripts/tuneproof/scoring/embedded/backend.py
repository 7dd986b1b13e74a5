"""Judgements and comparisons by the small embedded judge, which needs no network, no key and no ledger."""

from collections.abc import Iterable, Iterator, Sequence

from tuneproof.records.keys import content_key
from tuneproof.records.resolved import ResolvedJudge
from tuneproof.records.rows import Comparison, Judgement, Reply
from tuneproof.scoring.embedded.judge import load_judge
from tuneproof.scoring.judging.cases import AnswerCase, Pair
from tuneproof.settings.worlds import EMBEDDED_JUDGE_DIRECTORY


def embedded_judgements(resolved: ResolvedJudge, cases: Iterable[AnswerCase]) -> Iterator[Judgement]:
    """Judgements by the small embedded judge, which is asked once per answer."""
    embedded = load_judge(EMBEDDED_JUDGE_DIRECTORY)
    for case in cases:
        if case.material is None:
            yield case.judgement([])
            continue
        texts = (case.material.instruction, case.material.reference, case.material.answer)
        scored = embedded.score(*texts)
        scores: dict[str, int | float] = {name: one.score for name, one in scored.items() if one.score is not None}
        probabilities = {name: one.probabilities for name, one in scored.items()}
        yield case.judgement([[embedded_reply(resolved.content, texts, scores, probabilities)]])


def embedded_comparisons(resolved: ResolvedJudge, pairs: Iterable[Pair], against: str) -> Iterator[Comparison]:
    """Comparisons by the embedded judge, from the two answers' expected scores."""
    embedded = load_judge(EMBEDDED_JUDGE_DIRECTORY)
    for pair in pairs:
        if not pair.complete:
            yield pair.comparison(against, [])
            continue
        first, second = pair.materials
        texts = (first.instruction, first.reference, first.answer, second.answer)
        score = 3 - 2 * embedded.preference(*texts)
        yield pair.comparison(against, [[embedded_reply(resolved.content, texts, {"preference": score}, None)]])


def embedded_reply(
    judge_content: str | None,
    texts: Sequence[str | None],
    scores: dict[str, int | float],
    probabilities: dict[str, dict[str, float]] | None,
) -> Reply:
    """The embedded judge's scores in the form of a reply; they cost nothing and need no ledger."""
    key = content_key({"kind": "reply", "endpoint": "embedded", "judge": judge_content, "texts": list(texts)})
    return Reply(
        judge="embedded", model="embedded", attempt=1, status="ok", scores=scores, probabilities=probabilities,
        analyses=None, reply=None, error=None, prompt_tokens=None, reply_tokens=None, key=key,
    )  # fmt: skip
