"""What a run's judging has cost and will cost: one quote over all its stages, before anything is bought."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tuneproof.records.quoted import QUOTE_FILE, Quoted, StageQuote, this_experiment
from tuneproof.records.rows import Reply
from tuneproof.scoring.judging.buying.token_counts import tiktoken_bytes_per_token
from tuneproof.scoring.judging.chains import Chain
from tuneproof.settings.evidence.judging import Judge
from tuneproof.settings.execution import JudgeExecution, Price

BYTES_PER_TOKEN = 4.0
TOKENS_PER_CRITERION = 60  # of a reply, while too few are known: a short analysis and the score
ENOUGH_REPLIES = 20  # known replies, from which the tokens of further ones are estimated
REQUESTS_TO_COUNT = 50  # with tiktoken, while too few replies are known


@dataclass
class Tally:
    """The replies of one judge in one stage: in the ledger, and missing. Requests are measured in bytes.

    `spent_usd` is None where the price is not known, and `most_usd`, what all attempts to come may cost, also where
    nothing bounds a reply. `told` are the replies whose tokens the endpoint told.
    """

    criteria: int
    recorded: int = 0
    spent_usd: float | None = 0.0
    told: int = 0
    told_bytes: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    missing: int = 0
    missing_bytes: int = 0
    most_usd: float | None = 0.0
    requests: list[str] = field(default_factory=list)  # the first few

    def add(self, chain: Chain, price: Price | None, max_tokens: int | None) -> None:
        """Counts the replies to one request."""
        size = len(chain.request)
        for reply in chain.replies:
            self.recorded += 1
            cost = reply_cost_usd(reply, size, price, max_tokens)
            self.spent_usd = None if cost is None or self.spent_usd is None else self.spent_usd + cost
            if reply.prompt_tokens and reply.reply_tokens is not None:
                self.told, self.told_bytes = self.told + 1, self.told_bytes + size
                self.prompt_tokens += reply.prompt_tokens
                self.reply_tokens += reply.reply_tokens
        if not chain.complete:
            self.missing, self.missing_bytes = self.missing + 1, self.missing_bytes + size
            most = None if price is None or max_tokens is None else price.cost_usd(size, max_tokens)
            attempts = chain.attempts - len(chain.replies)
            self.most_usd = None if most is None or self.most_usd is None else self.most_usd + attempts * most
        if len(self.requests) < REQUESTS_TO_COUNT:
            self.requests.append(chain.request)


@dataclass(frozen=True)
class Estimate:
    """Replies still to be bought, each taken to be usable at once. `usd` is None where a price is not known."""

    replies: int
    prompt_tokens: float
    reply_tokens: float
    usd: float | None


def reply_cost_usd(reply: Reply, request_bytes: int, price: Price | None, max_tokens: int | None) -> float | None:
    """USD for one reply, None where it cannot be known. Where the endpoint told no tokens: the most that they can be.

    A request that the endpoint rejected, so that no model answered, costs nothing.
    """
    if price is None:
        return None
    if reply.model is None:
        return 0.0
    prompt = request_bytes if reply.prompt_tokens is None else reply.prompt_tokens
    tokens = max_tokens if reply.reply_tokens is None else reply.reply_tokens
    return None if tokens is None else price.cost_usd(prompt, tokens)


class Quote:
    """What stages have bought and have still to buy."""

    def __init__(self, judge: Judge, execution: JudgeExecution) -> None:
        self._judge, self._execution = judge, execution
        self._tallies: dict[tuple[str, str], Tally] = {}  # by stage and judge
        self.left_out: list[str] = []  # stages whose answers are not there yet

    def add(self, stage: str, tallies: Mapping[str, Tally]) -> None:
        """Adds what was counted of a stage, by judge."""
        self._tallies |= {(stage, model): tally for model, tally in tallies.items()}

    @property
    def stages(self) -> list[str]:
        """The stages that are counted."""
        return list(dict.fromkeys(stage for stage, _ in self._tallies))

    @property
    def unpriced(self) -> list[str]:
        """The judges whose price is not known."""
        return sorted({model for _, model in self._tallies} - self._execution.prices.keys())

    def recorded(self, stage: str | None = None) -> int:
        """Replies in the ledger, of one stage or all."""
        return sum(tally.recorded for tally in self._of(stage))

    def spent_usd(self, stage: str | None = None) -> float | None:
        """USD for the replies in the ledger, None where a price is not known."""
        return _sum(tally.spent_usd for tally in self._of(stage))

    def most_usd(self, stage: str | None = None) -> float | None:
        """The most that one stage, or all, may still cost: every attempt is used, each at the most that it can cost."""
        return _sum(tally.most_usd for tally in self._of(stage))

    def _of(self, stage: str | None) -> Iterator[Tally]:
        return (tally for (name, _), tally in self._tallies.items() if stage in (None, name))

    def estimate(self, stage: str | None = None) -> Estimate:
        """What one stage, or all, have still to buy."""
        parts = [self._estimate(*place) for place in self._tallies if stage in (None, place[0])]
        return Estimate(
            replies=sum(part.replies for part in parts),
            prompt_tokens=sum(part.prompt_tokens for part in parts),
            reply_tokens=sum(part.reply_tokens for part in parts),
            usd=_sum(part.usd for part in parts),
        )

    def _estimate(self, stage: str, model: str) -> Estimate:
        tally = self._tallies[stage, model]
        prompt = tally.missing_bytes / self._bytes_per_token(model)[0]
        reply = tally.missing * self._tokens_per_reply(stage, model)
        price = self._execution.prices.get(model)
        return Estimate(tally.missing, prompt, reply, price.cost_usd(prompt, reply) if price else None)

    def _tokens_per_reply(self, stage: str, model: str) -> float:
        kind = stage.split()[0]
        alike = [tally for (name, judge), tally in self._tallies.items() if judge == model and name.split()[0] == kind]
        told = sum(tally.told for tally in alike)
        if told >= ENOUGH_REPLIES:
            return sum(tally.reply_tokens for tally in alike) / told
        return TOKENS_PER_CRITERION * alike[0].criteria

    def _bytes_per_token(self, model: str) -> tuple[float, str]:
        """How many bytes of a request make a token, and how that is known."""
        alike = [tally for (_, judge), tally in self._tallies.items() if judge == model]
        if (told := sum(tally.told for tally in alike)) >= ENOUGH_REPLIES:
            tokens = sum(tally.prompt_tokens for tally in alike)
            return sum(tally.told_bytes for tally in alike) / tokens, f"as in {told} replies of the ledger"
        counted = tiktoken_bytes_per_token(model, [request for tally in alike for request in tally.requests])
        if counted:
            return counted, "counted with tiktoken"
        return BYTES_PER_TOKEN, f"estimated at {BYTES_PER_TOKEN:g} bytes each"

    def lines(self) -> list[str]:
        """The quote for a person: one short line, and what is wrong with it where something is."""
        whole, left = self.estimate(), self._left_usd()
        lines = [f"quote: {whole.replies} replies for this run, {self._cost_in_words()} (see {QUOTE_FILE})"]
        if left is not None and whole.usd is not None and whole.usd > left:
            passed = f"{in_usd(left)} are left of execution.judge.budget_usd and about {in_usd(whole.usd)} are needed"
            lines.append(f"quote: {passed}: the run will stop there, unfinished")
        if self.left_out:
            lines.append(f"quote: not in it, for want of answers: {', '.join(self.left_out)}")
        if self.unpriced:
            lines.append(f"quote: no price is known for {', '.join(self.unpriced)}: add it to execution.judge.prices")
        return lines

    def _left_usd(self) -> float | None:
        """What the budget leaves; None where there is none, or nobody knows."""
        cap, spent = self._execution.budget_usd, self.spent_usd()
        return None if cap is None or spent is None else max(0.0, cap - spent)

    def _cost_in_words(self) -> str:
        about = self.estimate().usd
        bounds = [bound for bound in (self.most_usd(), self._left_usd()) if bound is not None]
        if about is None:
            return in_usd(about)
        if not bounds:
            return f"about {in_usd(about)}"
        most = f"at most {in_usd(min(bounds))}"
        return most if min(bounds) <= about else f"about {in_usd(about)}, {most}"

    def quoted(self) -> Quoted:
        """The quote in its parts."""
        stages = {
            stage: StageQuote(
                in_ledger=self.recorded(stage),
                spent_usd=self.spent_usd(stage),
                to_buy=self.estimate(stage).replies,
                about_usd=self.estimate(stage).usd,
                at_most_usd=self.most_usd(stage),
            )
            for stage in self.stages
        }
        tokens = {model: self._bytes_per_token(model)[1] for _, model in self._tallies}
        return Quoted(experiment=this_experiment(), stages=stages, not_in_it=self.left_out, tokens=tokens)


def _sum(costs: Iterable[float | None]) -> float | None:
    """The sum; unknown when a part of it is."""
    total = 0.0
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


def in_usd(cost: float | None) -> str:
    """A sum of money for a person."""
    if cost is None:
        return "an unknown cost"
    decimals = 2 if cost >= 1 or not cost else 1 - math.floor(math.log10(cost))  # two digits that are not 0
    return f"{cost:.{decimals}f} USD"
