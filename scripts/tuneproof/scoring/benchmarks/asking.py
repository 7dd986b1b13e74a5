"""A harness's requests: each is answered once, kept in the ledger under all that determines it, and never asked again.

The harness sees a language model with the three methods of its own
(https://github.com/EleutherAI/lm-evaluation-harness/blob/main/docs/model_guide.md). The weights are loaded when the
first request is not known yet.
"""

import gc
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tuneproof.common.errors import UserError, say
from tuneproof.common.progress import Progress
from tuneproof.records.keys import content_key
from tuneproof.records.ledger import Ledger

Kind = Literal["loglikelihood", "loglikelihood_rolling", "generate_until", "loglikelihood_tokens"]
LogLikelihood = tuple[float, bool]  # the sum over the continuation's tokens, and whether each was the likeliest
Response = LogLikelihood | float | str  # of the kinds in their order; tokens have what texts have


@dataclass(frozen=True, slots=True)
class Request:
    """One request: a context with its continuation, a text, a context with generation settings, or the first as tokens.

    The last is no harness's. It is what a model sees that generates: the text may be cut elsewhere.
    """

    kind: Kind
    arguments: tuple[Any, ...]
    key: str


Save = Callable[[Request, Response], Future[None]]  # done when the response is on disk
Answer = Callable[[Sequence[Request], Save], None]  # requests of one kind, in any order; all are saved when it returns


class Template(Protocol):
    """What writes conversations as the text of a request."""

    def apply(self, history: list[dict[str, str]], add_generation_prompt: bool) -> str:
        """A conversation as text."""


class ChatTemplate:
    """The chat template of a model's tokenizer, which is loaded when it is first needed."""

    def __init__(self, load: Callable[[], Any], arguments: Mapping[str, Any], where: str) -> None:
        self._load, self._arguments, self._where = load, arguments, where
        self._tokenizer: Any = None

    def apply(self, history: list[dict[str, str]], add_generation_prompt: bool) -> str:
        """A conversation as text. Raises a UserError where the template refuses it or there is none."""
        from jinja2 import TemplateError

        self._tokenizer = self._tokenizer or self._load()
        try:
            text = self._tokenizer.apply_chat_template(
                history, tokenize=False, add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt, **self._arguments,
            )  # fmt: skip
        except (TemplateError, ValueError, TypeError) as error:  # ValueError: there is no template
            found = f"its chat template refuses an item ({error})"
            raise UserError(self._where, found, "set benchmark.chat_template: false") from None
        return str(text)


@dataclass
class RecordedModel:
    """What the harness takes for a language model.

    `identity` is all that determines a response besides the request; `versions` holds each task's, by its name, and all
    that a task's content makes of an item stands in the request. `start` loads what answers. `asked` and `known` count
    requests by where their response came from.
    """

    identity: Mapping[str, Any]
    versions: Mapping[str, str]
    start: Callable[[], AbstractContextManager[Answer]]
    ledger: Ledger
    template: Template
    where: str
    asked: int = 0
    known: int = 0
    # What the harness reads of any model: one process, no device of its own.
    rank: int = field(default=0, init=False)
    world_size: int = field(default=1, init=False)
    device: None = field(default=None, init=False)
    tokenizer_name: str = field(default="", init=False)
    _started: AbstractContextManager[Answer] | None = field(default=None, init=False)
    _answer: Answer | None = field(default=None, init=False)
    _asked_ahead: set[str] = field(default_factory=set, init=False)

    def __enter__(self) -> "RecordedModel":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._started:
            gc.unfreeze()
            self._started.__exit__(*error)

    def loglikelihood(self, instances: Sequence[Any]) -> list[Response]:
        """Log-likelihoods of continuations."""
        return self._responses("loglikelihood", instances)

    def loglikelihood_rolling(self, instances: Sequence[Any]) -> list[Response]:
        """Log-likelihoods of whole texts."""
        return self._responses("loglikelihood_rolling", instances)

    def generate_until(self, instances: Sequence[Any]) -> list[Response]:
        """Generated texts."""
        return self._responses("generate_until", instances)

    def loglikelihood_tokens(self, instances: Sequence[Any]) -> list[LogLikelihood]:
        """Log-likelihoods of continuations, both they and their contexts given as tokens."""
        found = self._responses("loglikelihood_tokens", instances)
        return [response for response in found if isinstance(response, tuple)]

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """An item as the model's chat template has it."""
        return self.template.apply(chat_history, add_generation_prompt)

    def chat_template(self, chat_template: bool | str = False) -> str:
        """Its name for the harness's own records, which are not kept."""
        return ""

    def _responses(self, kind: Kind, instances: Sequence[Any]) -> list[Response]:
        requests = list(self._keyed(kind, instances))
        by_key = {request.key: request for request in requests}
        responses: dict[str, Response] = self.ledger.take(by_key, response_of)
        missing = [request for key, request in by_key.items() if key not in responses]
        self.known += len(by_key.keys() - self._asked_ahead) - len(missing)
        if missing:
            self._ask(missing, responses)
        return [responses[request.key] for request in requests]

    def _keyed(self, kind: Kind, instances: Sequence[Any]) -> Iterator[Request]:
        """Each request with its key; one that a task asks several times has a key for each time."""
        times = Counter[int]()
        for instance in instances:
            arguments, task = tuple(instance.args), instance.task_name
            determines = {
                **self.identity, "kind": kind, "task": task, "version": self.versions[task],
                "arguments": as_plain(arguments), **({"time": times[id(instance)]} if times[id(instance)] else {}),
            }  # fmt: skip
            times[id(instance)] += 1
            yield Request(kind, arguments, content_key(determines))

    def ask_ahead(self, missing: Sequence[Request]) -> None:
        """Has requests of any kinds answered at once, before the harness asks them."""
        if missing:
            self._ask(missing, {})
            self._asked_ahead |= {request.key for request in missing}

    def _ask(self, missing: Sequence[Request], responses: dict[str, Response]) -> None:
        self.ledger.require_space(len(missing))
        if self._answer is None:
            self._started = self.start()
            self._answer = self._started.__enter__()
            gc.freeze()  # a model and its libraries are a million objects, which every full collection would walk
        words = " and ".join(dict.fromkeys(request.kind.replace("_", " ") for request in missing))
        say(f"{self.where}: {len(missing)} {words} requests to answer, {len(responses)} are in the ledger")
        with Progress(f"{self.where}, {words}", len(missing), "requests") as progress:

            def save(request: Request, response: Response) -> Future[None]:
                if not isinstance(response, str) and not math.isfinite(likelihood_in(response)):
                    raise UserError(self.where, "it gives no finite log-likelihood", "check its weights and its dtype")
                saved = self.ledger.record(request.key, "benchmark", {"response": response})
                responses[request.key] = response
                self.asked += 1
                progress.advance()
                return saved

            self._answer(missing, save)
        lost = len(missing) - sum(request.key in responses for request in missing)
        if lost:
            raise UserError(self.where, f"{lost} of {len(missing)} requests have no response", "run again")


def likelihood_in(response: LogLikelihood | float) -> float:
    """The log-likelihood of either kind of response."""
    return response[0] if isinstance(response, tuple) else response


def as_plain(value: Any) -> Any:
    """What a request's key holds of an argument: JSON. Raises a UserError for what is no text or number."""
    if isinstance(value, Mapping):
        return {str(name): as_plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(one) for one in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise UserError("benchmark", f"a task asks with {type(value).__name__}", "leave out tasks of more than text")


def response_of(_: str, body: dict[str, Any]) -> Response:
    """A recorded response. Raises a ValueError for what is none."""
    match body["response"]:
        case [int() | float() as likelihood, bool() as likeliest]:
            return float(likelihood), likeliest
        case bool():
            raise ValueError("it is no response")
        case str() | int() | float() as response:
            return response if isinstance(response, str) else float(response)
    raise ValueError("it is no response")
