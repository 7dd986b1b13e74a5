"""Who judges by which rubric: the requests, the ledger's keys for their replies, and what a reply is worth."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from tuneproof.common.errors import UserError, one_line, shortened
from tuneproof.endpoint.access import Access, panel_of
from tuneproof.endpoint.errors import RequestRejected
from tuneproof.endpoint.protocol import Completion, is_about_one_prompt, named_setting
from tuneproof.records.keys import canonical_json, sha256_hex
from tuneproof.records.ledger import Ledger, in_parts
from tuneproof.records.rows import Reply
from tuneproof.scoring.judging.cases import AnyCase, Case, Stage
from tuneproof.scoring.judging.rubric.probabilities import expected_scores, require_possible, score_probabilities
from tuneproof.scoring.judging.rubric.prompts import NONCE_IN_KEYS
from tuneproof.scoring.judging.rubric.reading import read_reply, response_format
from tuneproof.settings.evidence.judging import Criterion, Judge
from tuneproof.settings.execution import JudgeExecution

TOP_LOGPROBS = 20
CAN_BE_NULL = ("temperature", "max_tokens")
CASES_AT_ONCE = 100  # whose texts are in memory while the ledger is asked for their replies


@dataclass
class Chain:
    """One score asked for: the replies of a judge to one case, in order, until a usable one or the last attempt."""

    access: Access
    sample: int
    request: str  # the body without the fence's number, as canonical JSON
    replies: list[Reply]
    attempts: int

    @property
    def complete(self) -> bool:
        """Whether no further reply is to be bought."""
        return len(self.replies) >= self.attempts or bool(self.replies and self.replies[-1].status == "ok")


@dataclass(frozen=True)
class Asking:
    """Who judges by which rubric, how they are asked, and where finished replies are kept."""

    judge: Judge
    execution: JudgeExecution
    criteria: Mapping[str, Criterion]
    ledger: Ledger
    again: int = 0  # added to `judge.repeat`

    def about(self, stage: Stage[Any]) -> "Asking":
        """The same for another stage."""
        return replace(self, criteria=stage.criteria, again=stage.again)

    @cached_property
    def panel(self) -> tuple[Access, ...]:
        """Every judge that is asked."""
        return panel_of(self.judge, self.execution)

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        """What all requests have in common, but for the judge."""
        fixed = self.judge.model_dump(include={"temperature", "max_tokens"}, exclude_none=True)
        asked = response_format(self.criteria, self.judge.format, self.judge.score_first)
        if asked:
            fixed["response_format"] = asked
        if self.judge.logprobs:
            fixed |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        return fixed

    def body(self, access: Access, messages: list[dict[str, str]]) -> dict[str, Any]:
        """A request's body. Everything in it determines the reply."""
        return {"model": access.model, "messages": messages, **self._fixed, **json.loads(access.extra)}

    def key(self, chain: Chain, attempt: int) -> str:
        """The ledger key of one reply: the hash of the canonical JSON of all that determines it."""
        endpoint, repeat = canonical_json(chain.access.label), self.judge.repeat + self.again
        return sha256_hex(
            f'{{"attempt":{attempt},"body":{chain.request},"endpoint":{endpoint},"kind":"reply",'
            f'"repeat":{repeat},"sample":{chain.sample}}}'
        )

    def chains(self, case: Case) -> list[Chain]:
        """The scores asked for of a case, a chain for every judge and sample, still without replies.

        A case with nothing to judge has none.
        """
        if not case.complete:
            return []
        messages = case.messages(NONCE_IN_KEYS)
        requests = {access: canonical_json(self.body(access, messages)) for access in self.panel}
        return [
            Chain(access, sample, request, [], self.judge.attempts)
            for access, request in requests.items()
            for sample in range(self.judge.samples)
        ]

    def take_recorded(self, chains: Iterable[Chain]) -> None:
        """Adds to chains the further replies that the ledger holds."""
        unfinished = [chain for chain in chains if not chain.complete]
        while unfinished:
            keys = [self.key(chain, len(chain.replies) + 1) for chain in unfinished]
            replies = self.ledger.take(keys, partial(self.checked, dict(zip(keys, unfinished, strict=True))))
            found = [(chain, replies[key]) for chain, key in zip(unfinished, keys, strict=True) if key in replies]
            for chain, reply in found:
                chain.replies.append(reply)
            unfinished = [chain for chain, _ in found if not chain.complete]

    def checked(self, chains: Mapping[str, Chain], key: str, body: dict[str, Any]) -> Reply:
        """A recorded reply, held to what a fresh one is held to: an import may bring anything. Raises a ValueError."""
        reply, chain = Reply.model_validate({**body, "key": key}), chains[key]
        if (reply.judge, reply.attempt) != (chain.access.model, len(chain.replies) + 1):
            raise ValueError(f"it is attempt {reply.attempt} of another judge or place: {one_line(reply.judge, 60)}")
        if reply.scores is not None:
            require_possible(reply.scores, reply.probabilities if self.judge.logprobs else None, self.criteria)
        return reply

    def recorded(self, cases: Iterable[AnyCase]) -> Iterator[tuple[AnyCase, list[Chain]]]:
        """Gives each case with its chains as far as the ledger holds them."""
        for part in in_parts(cases, CASES_AT_ONCE):
            chains = [self.chains(case) for case in part]
            self.take_recorded(chain for some in chains for chain in some)
            yield from zip(part, chains, strict=True)

    def read(self, completion: Completion, access: Access, attempt: int, key: str) -> Reply:
        """The reply that a completion is worth. Never fails: it is paid for, whatever stands in it."""
        try:
            return self._read(completion, access, attempt, key)
        except Exception as error:  # what no reader was made for: recorded with its name, it is neither lost nor hidden
            problem = f"it cannot be read ({shortened(error)})"
            return unreadable(replace(completion, problem=problem), access, attempt, key)

    def _read(self, completion: Completion, access: Access, attempt: int, key: str) -> Reply:
        if completion.problem:
            return unreadable(completion, access, attempt, key)
        reading = read_reply(completion.text, completion.refusal, completion.finish_reason, self.criteria)
        ok = reading.status == "ok"
        probabilities = scores = None
        if ok and self.judge.logprobs:
            probabilities = score_probabilities(completion.logprobs, completion.text, self.criteria)
            scores = expected_scores(completion.logprobs, completion.text, self.criteria)
        return Reply(
            judge=access.model, model=completion.model, attempt=attempt, status=reading.status,
            scores=scores or reading.scores, probabilities=probabilities, analyses=reading.analyses,
            reply=None if ok else completion.text, error=reading.error,
            prompt_tokens=completion.prompt_tokens, reply_tokens=completion.reply_tokens, key=key,
        )  # fmt: skip


def unreadable(completion: Completion, access: Access, attempt: int, key: str) -> Reply:
    """The reply for a completion with a problem; its tokens count, as they are billed."""
    return Reply(
        judge=access.model, model=completion.model, attempt=attempt, status="unreadable", scores=None,
        probabilities=None, analyses=None, reply=completion.text, error=completion.problem,
        prompt_tokens=completion.prompt_tokens, reply_tokens=completion.reply_tokens, key=key,
    )  # fmt: skip


def refused_material(rejection: RequestRejected, access: Access, attempt: int, key: str) -> Reply:
    """The reply for material that the endpoint will not take. Any other rejection concerns all requests and stops."""
    if not is_about_one_prompt(rejection.message, rejection.code):
        remedy = "check the settings under `judge` (does this endpoint know judge.format and judge.logprobs?)"
        named = named_setting(rejection.message, dict.fromkeys(CAN_BE_NULL))
        if named:
            remedy = f"set judge.{named} to null, which is not sent, or to what it takes"
        raise UserError(access.label, f"it rejects the request: {rejection.message}", remedy) from None
    return Reply(
        judge=access.model, model=None, attempt=attempt, status="refused", scores=None, probabilities=None,
        analyses=None, reply=None, error=rejection.message, prompt_tokens=None, reply_tokens=None, key=key,
    )  # fmt: skip
