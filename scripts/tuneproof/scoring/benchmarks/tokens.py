"""Answers a harness's requests with a model that is asked in tokens; texts are cut as the harness's classes cut them.

The rules are those of lm-eval's class for transformers, so that every engine is asked the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tuneproof.common.errors import UserError
from tuneproof.common.windows import work_through
from tuneproof.scoring.benchmarks.asking import Answer, LogLikelihood, Request, Response, Save

DEFAULT_TOKENS = 256  # of a response, where a task does not say


@dataclass(frozen=True)
class Wanted:
    """What a text is generated with: temperature 0 is the likeliest token each time. `seed` is the request's own."""

    max_tokens: int
    stop: tuple[str, ...]
    temperature: float
    seed: int
    more: dict[str, Any]  # whatever else a task sets, such as top_p


class TokenModel(Protocol):
    """A model that is asked in tokens, prompt and answer together at most `context_tokens` of them."""

    context_tokens: int

    async def log_likelihood(self, token_ids: Sequence[int], start: int) -> LogLikelihood:
        """The log-likelihood of the tokens from `start` on, given those before them."""

    async def generate(self, token_ids: Sequence[int], wanted: Wanted) -> str:
        """The text that follows."""


def answer_with(model: TokenModel, tokenizer: Any, run: Callable[[Awaitable[None]], None], at_once: int) -> Answer:
    """What answers through a model that is running already; each response is saved as it comes.

    `run` runs a coroutine in the model's event loop.
    """

    def answer(requests: Sequence[Request], save: Save) -> None:
        async def respond(request: Request) -> None:
            await asyncio.wrap_future(save(request, await response_to(request, model, tokenizer)))

        run(work_through(requests, respond, at_once))

    return answer


async def response_to(request: Request, model: TokenModel, tokenizer: Any) -> Response:
    """The response to one request of any kind."""
    if request.kind == "generate_until":
        return await generated(request, model, tokenizer)
    if request.kind == "loglikelihood_tokens":
        context, tokens = request.arguments
        return await continuation(context, tokens, model)
    if request.kind == "loglikelihood":
        return await continuation(*pair_of(tokenizer, *request.arguments), model)
    windows = rolling_windows(tokenizer, request.arguments[0], model.context_tokens)
    return sum([(await continuation(context, tokens, model))[0] for context, tokens in windows])


async def continuation(context: Sequence[int], tokens: Sequence[int], model: TokenModel) -> LogLikelihood:
    """The log-likelihood of tokens in a context, which loses its beginning where both together are too long."""
    room = model.context_tokens - 1  # an engine makes one token more
    if len(tokens) >= room:
        found = f"a continuation has {len(tokens)} tokens, and the model takes {model.context_tokens}"
        raise UserError("benchmark", found, "raise generate.vllm.max_model_len, or leave the task out")
    kept = [*context, *tokens][-room:]
    return await model.log_likelihood(kept, len(kept) - len(tokens))


async def generated(request: Request, model: TokenModel, tokenizer: Any) -> str:
    """The text that follows a context, without the task's own ending."""
    from lm_eval.models.utils import normalize_gen_kwargs, postprocess_generated_text

    context, settings = request.arguments
    settings = normalize_gen_kwargs(settings, DEFAULT_TOKENS)
    stop = [text for text in settings.pop("until", []) if text]
    max_tokens, temperature = settings.pop("max_gen_toks"), settings.pop("temperature", 0.0)
    settings.pop("do_sample", None)
    room = model.context_tokens - max_tokens
    if room < 1:
        found = (
            f"a task wants {max_tokens} tokens, and the model takes {model.context_tokens}, prompt and answer together"
        )
        raise UserError("benchmark", found, "raise generate.vllm.max_model_len, or leave the task out")
    wanted = Wanted(max_tokens, tuple(stop), float(temperature), int(request.key[:7], 16), settings)
    text = await model.generate(encoded(tokenizer, context)[-room:], wanted)
    return str(postprocess_generated_text(text, stop, None))


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
