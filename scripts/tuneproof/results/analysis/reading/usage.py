"""What answers and the judge's replies took: their length, tokens and cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tuneproof.records.rows import Reply
from tuneproof.results.details.model import AnswerLengths, Usage
from tuneproof.settings.execution import Price
from tuneproof.statistics.distributions import Array


@dataclass
class ReplyUsage:
    """What the judge's replies took. `tokens` holds a judge's prompt and reply tokens, unless no reply tells them."""

    replies: int = 0
    models: set[str] = field(default_factory=set)
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, replies: Iterable[Reply]) -> None:
        """Counts replies, usable or not: all were paid for."""
        for reply in replies:
            self.replies += 1
            if reply.model:
                self.models.add(reply.model)
            if reply.prompt_tokens is not None or reply.reply_tokens is not None:
                prompt, written = self.tokens.get(reply.judge, (0, 0))
                self.tokens[reply.judge] = (prompt + (reply.prompt_tokens or 0), written + (reply.reply_tokens or 0))


def judge_cost(replies: ReplyUsage, prices: Mapping[str, Price]) -> float | None:
    """USD for a model's judgements and comparisons; None where a price or the tokens are not known."""
    if not replies.tokens or not replies.tokens.keys() <= prices.keys():
        return None
    return sum(prices[judge].cost_usd(*tokens) for judge, tokens in replies.tokens.items())


def answer_lengths(characters: Array, tokens: Array) -> AnswerLengths:
    """How long one model's answers are; NaN stands for no answer, and for tokens that nobody counted."""
    characters, tokens = (values[~np.isnan(values)] for values in (characters, tokens))
    return AnswerLengths(
        characters_mean=float(characters.mean()) if characters.size else None,
        characters_median=float(np.median(characters)) if characters.size else None,
        tokens_mean=float(tokens.mean()) if tokens.size else None,
    )


def usage(prompt_tokens: Array, answer_tokens: Array, replies: ReplyUsage, prices: Mapping[str, Price]) -> Usage:
    """Tokens of one model's answers, NaN where nobody counted, and of the judge, and what the judge cost."""
    judges = replies.tokens
    return Usage(
        prompt_tokens=total(prompt_tokens),
        answer_tokens=total(answer_tokens),
        judge_prompt_tokens=sum(prompt for prompt, _ in judges.values()) if judges else None,
        judge_reply_tokens=sum(reply for _, reply in judges.values()) if judges else None,
        judge_replies=replies.replies,
        judge_cost_usd=judge_cost(replies, prices),
    )


def total(counts: Array) -> int | None:
    """The sum of what is known, None where nothing is."""
    known = counts[~np.isnan(counts)]
    return int(known.sum()) if known.size else None
