"""Answers a harness's requests with a model that is asked in chat messages, and applies its chat template itself.

Such a model can generate; how likely it holds a text nobody can ask it.
"""

import json
from collections.abc import Sequence
from typing import Protocol

from tuneproof.common.errors import UserError
from tuneproof.scoring.benchmarks.asking import Answer, Request
from tuneproof.scoring.benchmarks.tokens import Runs, Wanted, answering, as_scored, wanted_of

NO_LIKELIHOODS = "it is asked in chat messages, which have no log-probabilities of a prompt"


class Messages:
    """In place of a chat template: the messages themselves, as the text that the harness takes for a prompt."""

    def __init__(self, where: str) -> None:
        self._where = where

    def apply(self, history: list[dict[str, str]], add_generation_prompt: bool) -> str:
        """A conversation as JSON. Raises a UserError for one whose answer the task begins itself."""
        if not add_generation_prompt:
            found = "a task begins the model's answer, and a chat endpoint cannot go on from there"
            raise UserError(self._where, found, "leave the task out, or name models.<key>.tokenizer")
        return json.dumps(history, ensure_ascii=False)


class ChatModel(Protocol):
    """A model that is asked in messages."""

    async def answer(self, messages: Sequence[dict[str, str]], wanted: Wanted) -> str:
        """The answer to a chat."""


def answer_with(model: ChatModel, runs: Runs) -> Answer:
    """What answers through a chat endpoint; each response is saved as it comes."""

    async def response_to(request: Request) -> str:
        if request.kind != "generate_until":
            raise UserError("benchmark", NO_LIKELIHOODS, "leave the task out, or name models.<key>.tokenizer")
        wanted = wanted_of(request)
        return as_scored(await model.answer(json.loads(request.arguments[0]), wanted), wanted)

    return answering(response_to, runs)
