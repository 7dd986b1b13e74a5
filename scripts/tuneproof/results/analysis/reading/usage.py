"""Tokens that the judge's replies took, and what they cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tuneproof.records.rows import Reply
from tuneproof.settings.execution import Price


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
