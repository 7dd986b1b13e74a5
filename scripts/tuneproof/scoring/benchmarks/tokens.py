"""Answers a harness's requests with a model that is asked in tokens; texts are cut as the harness's classes cut them.

The rules are those of lm-eval's class for transformers, so that every engine is asked the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tuneproof.common.errors import UserError
from tuneproof.common.windows import work_through
from tuneproof.endpoint.errors import TransportFailure
from tuneproof.scoring.benchmarks.asking import Answer, LogLikelihood, Request, Response, Save

DEFAULT_TOKENS = 256  # of a response, where a task does not say
LONGER = "have the model take more (generate.vllm.max_model_len), or leave the task out"


@dataclass(frozen=True)
class Wanted:
    """What a text is generated with: temperature 0 is the likeliest token each time. `seed` is the request's own."""

    max_tokens: int
    stop: tuple[str, ...]
    temperature: float
    seed: int
    more: dict[str, Any]  # whatever else a task sets, such as top_p


@dataclass(frozen=True)
class Text:
    """Tokens to be continued."""

    token_ids: list[int]
    wanted: Wanted


@dataclass(frozen=True)
class Likelihood:
    """Tokens that are so likely from `start` on, given those before."""

    token_ids: list[int]
    start: int


Part = Text | Likelihood


class TokenModel(Protocol):
    """A model that is asked in tokens, prompt and answer together at most `context_tokens` of them."""

    context_tokens: int

    async def log_likelihood(self, token_ids: Sequence[int], start: int) -> LogLikelihood:
        """The log-likelihood of the tokens from `start` on, given those before them."""

    async def generate(self, token_ids: Sequence[int], wanted: Wanted) -> str:
        """The text that follows."""


@dataclass(frozen=True)
class Runs:
    """How coroutines run in a model's event loop, so many at once; `stop_waiting` ends what is not under way yet."""

    run: Callable[[Coroutine[Any, Any, None]], None]
    at_once: int
    stop_waiting: Callable[[], None] = lambda: None


def answer_with(model: TokenModel, tokenizer: Any, runs: Runs) -> Answer:
    """What answers through a model that is running already; each response is saved as it comes."""
    return answering(lambda request: response_to(request, model, tokenizer), runs)


def answering(response_to: Callable[[Request], Awaitable[Response]], runs: Runs) -> Answer:
    """What answers with one coroutine a request.

    One that an endpoint leaves unanswered is no reason to stop the others; a UserError tells of all such at the end.
    """

    def answer(requests: Sequence[Request], save: Save) -> None:
        failures: list[str] = []

        async def respond(request: Request) -> None:
            try:
                response = await response_to(request)
            except TransportFailure as failure:
                failures.append(str(failure))
            else:
                await asyncio.wrap_future(save(request, response))

        runs.run(work_through(requests, respond, runs.at_once, stop_waiting=runs.stop_waiting))
        if failures:
            found = f"{len(failures)} of {len(requests)} requests got no response, the last because {failures[-1]}"
            raise UserError("benchmark", found, "run again: what arrived is kept")

    return answer


async def response_to(request: Request, model: TokenModel, tokenizer: Any) -> Response:
    """The response to one request of any kind."""
    parts = parts_of(request, tokenizer, model.context_tokens)
    return response_of_parts(request, [await answered(part, model) for part in parts])


async def answered(part: Part, model: TokenModel) -> LogLikelihood | str:
    """What a model says to one part."""
    if isinstance(part, Text):
        return await model.generate(part.token_ids, part.wanted)
    return await model.log_likelihood(part.token_ids, part.start)


def parts_of(request: Request, tokenizer: Any, context_tokens: int) -> list[Part]:
    """A request in the parts that a model is asked: one, but for a whole text as many as it has windows."""
    if request.kind == "generate_until":
        return [text_of(request, tokenizer, context_tokens)]
    if request.kind == "loglikelihood_tokens":
        pairs = [request.arguments]
    elif request.kind == "loglikelihood":
        pairs = [pair_of(tokenizer, *request.arguments)]
    else:
        pairs = rolling_windows(tokenizer, request.arguments[0], context_tokens)
    return [continuation(context, tokens, context_tokens) for context, tokens in pairs]


def response_of_parts(request: Request, given: Sequence[LogLikelihood | str]) -> Response:
    """A request's response from what a model said to its parts, in their order."""
    if request.kind == "loglikelihood_rolling":
        return float(sum(one[0] for one in given if not isinstance(one, str)))
    response = given[0]
    return as_scored(response, wanted_of(request)) if isinstance(response, str) else response


def continuation(context: Sequence[int], tokens: Sequence[int], context_tokens: int) -> Likelihood:
    """Tokens in a context, which loses its beginning where both together are too long."""
    room = context_tokens - 1  # an engine makes one token more
    if len(tokens) >= room:
        found = f"a continuation has {len(tokens)} tokens, and the model takes {context_tokens}"
        raise UserError("benchmark", found, LONGER)
    kept = [*context, *tokens][-room:]
    return Likelihood(kept, len(kept) - len(tokens))


def text_of(request: Request, tokenizer: Any, context_tokens: int) -> Text:
    """A context to continue, without its beginning where the model has no room for it and what is wanted."""
    wanted = wanted_of(request)
    room = context_tokens - wanted.max_tokens
    if room < 1:
        raise no_room(wanted.max_tokens, context_tokens)
    return Text(encoded(tokenizer, request.arguments[0])[-room:], wanted)


def no_room(wanted: int, context_tokens: int) -> UserError:
    """The error for a response that leaves the prompt no token."""
    found = f"a task wants {wanted} tokens, and the model takes {context_tokens}, its prompt too"
    return UserError("benchmark", found, LONGER)


def wanted_of(request: Request) -> Wanted:
    """What a request to generate asks for, the harness's own defaults where it is silent."""
    from lm_eval.models.utils import normalize_gen_kwargs

    settings = normalize_gen_kwargs(request.arguments[1], DEFAULT_TOKENS)
    stop = tuple(text for text in settings.pop("until", []) if text)
    max_tokens, temperature = settings.pop("max_gen_toks"), float(settings.pop("temperature", 0.0))
    settings.pop("do_sample", None)
    return Wanted(max_tokens, stop, temperature, int(request.key[:7], 16), settings)


def as_scored(text: str, wanted: Wanted) -> str:
    """A generated text up to where the task ends it."""
    from lm_eval.models.utils import postprocess_generated_text

    return str(postprocess_generated_text(text, list(wanted.stop), None))


def encoded(tokenizer: Any, text: str) -> list[int]:
    """A text's tokens, begun as the tokenizer begins its texts; a chat template has written that out already."""
    begun = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
    return list(tokenizer.encode(text, **({"add_special_tokens": False} if begun else {})))


def first_token(tokenizer: Any) -> int:
    """What an empty context is: the token that begins texts, else the one that ends them."""
    return int(tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id)


def pair_of(tokenizer: Any, context: str, text: str) -> tuple[list[int], list[int]]:
    """The tokens of a context and of the text that continues it; spaces between the two belong to the text."""
    if context == "":
        tokens, first = list(tokenizer.encode(text, add_special_tokens=False)), first_token(tokenizer)
        return (tokens[:1], tokens[1:]) if tokens[:1] == [first] else ([first], tokens)
    bare = context.rstrip()
    whole, before = encoded(tokenizer, context + text), encoded(tokenizer, bare)
    return before, whole[len(before) :]


def rolling_windows(tokenizer: Any, text: str, context_tokens: int) -> list[tuple[list[int], list[int]]]:
    """A whole text in windows that predict each of its tokens once, with as much before it as fits."""
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    tokens, first = encoded(tokenizer, text), first_token(tokenizer)
    windows = get_rolling_token_windows(
        token_list=tokens, prefix_token=first, max_seq_len=context_tokens - 2, context_len=1
    )
    return [make_disjoint_window(window) for window in windows]
