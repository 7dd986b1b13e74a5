"""What the generate stage and its engines agree on: a request, a result, and the protocol of an engine."""

import hashlib
import importlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, Self

from tuneproof.common.errors import UserError
from tuneproof.generation.conversations.messages import Conversation
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.records.rows import EngineDescription, Question, Result
from tuneproof.settings.execution import ModelExecution
from tuneproof.settings.generation import CompleteSampling, Generate, Model
from tuneproof.settings.params import GenerationParams

PASSED_ON = {"extra_body", "chat_template_kwargs"}  # in no key where they are empty, as before there were such


@dataclass(frozen=True)
class Job:
    """One model's share of the generate stage. No key holds anything of `execution`."""

    resolved: ResolvedModel
    model: Model
    settings: Generate
    execution: ModelExecution

    @classmethod
    def of(cls, resolved: ResolvedModel, params: GenerationParams) -> Self:
        """The job of a model, from all settings."""
        key = resolved.model
        return cls(resolved, params.model(key), params.generation(key), params.execution.generate.of_model(key))

    @cached_property
    def sampling(self) -> CompleteSampling:
        """How an engine samples that does so itself; settings that leave it nothing are refused when they are read."""
        return self.settings.sampling.with_defaults()

    @property
    def samples(self) -> int:
        """Answers per question."""
        return self.settings.sampling.samples

    def temperature(self, question: Question) -> float | None:
        """The temperature that a question's tags say, None where they say none."""
        by_tag = self.settings.temperature_by_tag
        said = (by_tag[tag][value] for tag, value in question.tags.items() if value in by_tag.get(tag, {}))
        return next(said, None)

    def sampling_of(self, request: "Request") -> CompleteSampling:
        """How an engine samples one request that does so itself."""
        if request.temperature is None:
            return self.sampling
        return self.sampling.model_copy(update={"temperature": request.temperature})

    def description(self) -> dict[str, Any]:
        """What was asked of the engine, for the side record: weights, prompt format, sampling and stop strings."""
        return {
            "weights": self.resolved.content,
            "adapter": self.resolved.adapter.content if self.resolved.adapter else None,
            "prompt": self.resolved.prompt,
            "system": self.model.system,
            "stop": list(self.model.stop),
            **self.model.model_dump(include=PASSED_ON, exclude_defaults=True),
            "sampling": self.settings.sampling.model_dump(),
            **self.settings.model_dump(include={"temperature_by_tag"}, exclude_defaults=True),
        }


@dataclass(frozen=True, slots=True)
class Request:
    """One answer to be had. `key` is the hash of everything that determines it.

    One to a question that is a conversation has its `turn`, and the conversation up to it. Token ids are packed: ten
    thousand prompts as tuples of numbers would take ten times the memory.
    """

    id: str
    sample: int
    prompt: str
    key: str
    seed: int
    token_ids: "array[int]" = field(default_factory=lambda: array("i"))
    messages: tuple[dict[str, str], ...] = ()
    temperature: float | None = None  # where the question's tags say so, in place of the job's
    turn: int | None = None
    conversation: Conversation | None = None

    @property
    def turns_to_come(self) -> int:
        """How many answers are to be had from here on."""
        return self.conversation.turns_to_come if self.conversation else 1


Save = Callable[[Request, Result], Future[None]]  # done when the result is on disk; it need not be waited for at once
Ask = Callable[[Iterable[Request], Save], None]
Renderer = Callable[[Sequence[Conversation]], list[Request]]


def save_all(save: Save, results: Iterable[tuple[Request, Result]]) -> None:
    """Saves results and waits until they are on disk, so that no more is made than can be kept."""
    for saved in [save(request, result) for request, result in results]:
        saved.result()


class Engine(Protocol):
    """A module in `tuneproof.generation.engines`, named as its value in params.yaml."""

    def renderer(self, job: Job) -> Renderer:
        """Gives what renders the requests of conversations and their samples, in order. Cheap: loads no weights."""

    def start(self, job: Job) -> AbstractContextManager[Ask]:
        """Loads what answers, and ends it afterwards.

        What it gives answers requests, in any order, and calls `save` for each as it finishes; when it returns, all are
        on disk. What `save` adds to the requests, a next turn, it answers too, at most one for each that it saved. It
        raises a UserError when it cannot go on.
        """


def load_engine(name: str) -> Engine:
    """The engine module of that name; importing it loads no heavy library."""
    engine: Engine = importlib.import_module(f"tuneproof.generation.engines.{name}")
    return engine


def row_seed(run_seed: int, question_id: str, sample: int, turn: int = 0) -> int:
    """An answer's own seed (31 bits), so that no answer depends on its neighbours, their order or the batch."""
    later = f"\n{turn}" if turn else ""
    digest = hashlib.sha256(f"{run_seed}\n{question_id}\n{sample}{later}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def of_turn(conversation: Conversation) -> dict[str, Any]:
    """What a request has of its conversation, nothing where the question is none."""
    return {} if conversation.is_one_message else {"turn": conversation.turn, "conversation": conversation}


def at_temperature(fixed: Mapping[str, Any], temperature: float | None) -> dict[str, Any]:
    """What determines a job's answers, with the temperature of a question that has its own."""
    own = {} if temperature is None else {"sampling": fixed["sampling"] | {"temperature": temperature}}
    return {**fixed, **own}


def answer_key(job: Job, **determines: Any) -> dict[str, Any]:
    """What determines an answer of any engine that samples from weights, besides the prompt and the seed."""
    sampling = job.settings.sampling
    return {
        "kind": "answer",
        "engine": job.resolved.engine,
        "model": job.resolved.content,
        "adapter": job.resolved.adapter.content if job.resolved.adapter else None,
        "sampling": sampling.model_dump(include={"temperature", "top_p", "min_p", "max_tokens"}),
        "stop": list(job.model.stop),
        **job.model.model_dump(include=PASSED_ON, exclude_defaults=True),
        **determines,
    }


def over_long(prompt_tokens: int, context_tokens: int, engine: EngineDescription) -> Result:
    """The result of a prompt that leaves the model no room to answer; no attempt can mend it."""
    error = f"the prompt has {prompt_tokens} tokens and the model takes {context_tokens}, prompt and answer together"
    return Result(answer="", finish_reason="error", error=error, prompt_tokens=prompt_tokens, engine=engine)


def missing_package(engine: str, package: str, requirements: str) -> UserError:
    """The error of an engine whose library is not installed."""
    remedy = f"install it with `pip install -r requirements/{requirements}.txt` or choose another engine"
    return UserError(f"engine {engine}", f"the package {package} is not installed", remedy)
