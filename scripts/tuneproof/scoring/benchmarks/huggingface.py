"""Answers a harness's requests with a model of transformers, through the harness's own class for such models."""

from collections.abc import Iterator, Sequence
from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.scoring.benchmarks.asking import Answer, Request, Save
from tuneproof.scoring.benchmarks.tokens import no_room, wanted_of

BATCHES_IN_A_CHUNK = 16  # the most that a kill loses; the class sorts within it


def answer_with(model: Any, tokenizer: Any, stops: Sequence[int], batch_size: int) -> Answer:
    """What answers with a model that is loaded already, in chunks of a few batches; `stops` end a response."""
    from lm_eval.models.huggingface import HFLM

    model.generation_config.eos_token_id = list(stops) or None
    inner = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)

    def answer(requests: Sequence[Request], save: Save) -> None:
        for chunk in chunks(requests, batch_size * BATCHES_IN_A_CHUNK):
            responses = responses_of(inner, chunk)
            saved = [save(request, response) for request, response in zip(chunk, responses, strict=True)]
            for one in saved:
                one.result()

    return answer


def responses_of(inner: Any, chunk: Sequence[Request]) -> list[Any]:
    """The class's responses to requests of one kind; its method for tokens is the one that its others come to."""
    if chunk[0].kind == "loglikelihood_tokens":
        for request in chunk:
            check_fits(len(request.arguments[1]), inner.max_length)
        tokens = [(("", ""), *map(list, request.arguments)) for request in chunk]
        return list(inner._loglikelihood_tokens(tokens, disable_tqdm=True))
    if chunk[0].kind == "generate_until":
        for request in chunk:
            check_room(wanted_of(request).max_tokens, inner.max_length)
    method = getattr(inner, chunk[0].kind)
    return list(method([Instance(request.arguments) for request in chunk], disable_tqdm=True))


def check_room(wanted: int, context_tokens: int) -> None:
    """Raises a UserError for a response that leaves the prompt no token, which the class takes for a bug."""
    if wanted >= context_tokens:
        raise no_room(wanted, context_tokens)


def check_fits(tokens: int, context_tokens: int) -> None:
    """Raises a UserError for a continuation that the model cannot read whole, which the class takes for a bug."""
    if tokens > context_tokens:
        found = f"a continuation has {tokens} tokens, and the model takes {context_tokens}"
        raise UserError("benchmark", found, "leave the task out, or shorten the reference")


class Instance:
    """A request as the harness's classes read it."""

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self.args = arguments
        self.task_name = ""


def chunks(requests: Sequence[Request], size: int) -> Iterator[list[Request]]:
    """Requests in parts of about a size, the longest first; those of one context stay together where they can.

    The class computes what one context shares once, and a part of equally long requests has little padding.
    """
    ordered = sorted(requests, key=lambda request: (-len(request.arguments[0]), request.arguments[0]))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
