"""Who judges by which rubric: the requests, the ledger's keys for their replies, and what a reply is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from evaluation.endpoint_errors import RequestRejected
from evaluation.errors import UserError
from evaluation.execution_settings import JudgeExecution
from evaluation.judge_prompts import NONCE_IN_KEYS
from evaluation.judge_settings import Criterion, Judge
from evaluation.keys import canonical_json, sha256_hex
from evaluation.ledger import Ledger
from evaluation.panel import Panelist, panel_of
from evaluation.records import Reply
from evaluation.replies import Reply as EndpointReply
from evaluation.replies import is_about_one_prompt
from evaluation.score_probabilities import expected_scores, score_probabilities
from evaluation.verdicts import read_reply, response_format

TOP_LOGPROBS = 20


class Case(Protocol):
    """One thing to be judged. The same case always gives the same nonce and messages."""

    @property
    def complete(self) -> bool:
        """Whether there is something to judge; an empty answer is not sent."""

    @property
    def nonce(self) -> str:
        """The number on this case's fences."""

    def messages(self, nonce: str) -> list[dict[str, str]]:
        """What the judge is shown."""


@dataclass
class Chain:
    """One score asked for: the replies of a judge to one case, in order, until a usable one or the last attempt."""

    panelist: Panelist
    sample: int
    request: str  # the body without the fence's number, as canonical JSON
    replies: list[Reply]
    attempts: int

    @property
    def complete(self) -> bool:
        """Whether no further reply is to be bought."""
        return len(self.replies) >= self.attempts or bool(self.replies and self.replies[-1].status == "ok")


@dataclass(frozen=True)
class Bench:
    """Who judges by which rubric, how they are asked, and where finished replies are kept."""

    judge: Judge
    execution: JudgeExecution
    criteria: Mapping[str, Criterion]
    ledger: Ledger

    @cached_property
    def panel(self) -> tuple[Panelist, ...]:
        """Every judge that is asked."""
        return panel_of(self.judge, self.execution)

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        """What all requests have in common, but for the model."""
        fixed: dict[str, Any] = {"temperature": self.judge.temperature, "max_tokens": self.judge.max_tokens}
        asked = response_format(self.criteria, self.judge.format, self.judge.score_first)
        if asked:
            fixed["response_format"] = asked
        if self.judge.logprobs:
            fixed |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        return fixed

    def body(self, model: str, messages: list[dict[str, str]]) -> dict[str, Any]:
        """A request's body. Everything in it determines the reply."""
        return {"model": model, "messages": messages, **self._fixed}

    def key(self, chain: Chain, attempt: int) -> str:
        """The ledger key of one reply: the hash of the canonical JSON of all that determines it."""
        endpoint, repeat = canonical_json(chain.panelist.label), self.judge.repeat
        return sha256_hex(
            f'{{"attempt":{attempt},"body":{chain.request},"endpoint":{endpoint},"kind":"reply",'
            f'"repeat":{repeat},"sample":{chain.sample}}}'
        )

    def chains(self, case: Case) -> list[Chain]:
        """What the ledger holds for a case: a chain for every judge and sample."""
        messages = case.messages(NONCE_IN_KEYS)
        chains = []
        for panelist in self.panel:
            request = canonical_json(self.body(panelist.model, messages))
            for sample in range(self.judge.samples):
                chain = Chain(panelist, sample, request, [], self.judge.attempts)
                self.take_recorded(chain)
                chains.append(chain)
        return chains

    def take_recorded(self, chain: Chain) -> None:
        """Adds to a chain the further replies that the ledger holds."""
        while not chain.complete:
            key = self.key(chain, len(chain.replies) + 1)
            body = self.ledger.get(key)
            if body is None:
                return
            chain.replies.append(Reply.model_validate({**body, "key": key}))

    def read(self, reply: EndpointReply, panelist: Panelist, attempt: int, key: str) -> Reply:
        """What an endpoint's reply is worth."""
        verdict = read_reply(reply.text, reply.refusal, reply.finish_reason, self.criteria)
        ok = verdict.status == "ok"
        probabilities = scores = None
        if ok and self.judge.logprobs:
            probabilities = score_probabilities(reply.logprobs, reply.text, self.criteria)
            scores = expected_scores(reply.logprobs, reply.text, self.criteria)
        return Reply(
            judge=panelist.model, model=reply.model, attempt=attempt, status=verdict.status,
            scores=scores or verdict.scores, probabilities=probabilities, analyses=verdict.analyses,
            reply=None if ok else reply.text, error=verdict.error,
            prompt_tokens=reply.prompt_tokens, reply_tokens=reply.reply_tokens, key=key,
        )  # fmt: skip


def refused_material(rejection: RequestRejected, panelist: Panelist, attempt: int, key: str) -> Reply:
    """The reply for material that the endpoint will not take. Any other rejection concerns all requests and stops."""
    if not is_about_one_prompt(rejection.message, rejection.code):
        remedy = "check the settings under `judge` (does this endpoint know judge.format and judge.logprobs?)"
        raise UserError(panelist.label, f"it rejects the request: {rejection.message}", remedy) from None
    return Reply(
        judge=panelist.model, model=None, attempt=attempt, status="refused", scores=None, probabilities=None,
        analyses=None, reply=None, error=rejection.message, prompt_tokens=None, reply_tokens=None, key=key,
    )  # fmt: skip
