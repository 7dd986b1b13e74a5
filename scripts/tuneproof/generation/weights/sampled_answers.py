"""What the engines that sample from weights themselves share: batches, the numbers that answers are drawn at, reading.

Each answer is drawn with its own seed by inverting the distribution at uniform numbers drawn beforehand, so that an
answer depends on its prompt and seed and not on its batch, its engine or the machine.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from tuneproof.generation.jobs import Job, Request, Save, over_long, save_all
from tuneproof.generation.weights.broken_weights import repeated_token
from tuneproof.records.rows import EngineDescription, FinishReason, Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLOAT32_BITS = 24  # of a number below 1


def uniforms(seed: int, count: int) -> "NDArray[np.float64]":
    """An answer's uniform numbers in [0, 1), one for each token: those of `torch.rand` with a generator of that seed.

    Both draw 32 bits from a Mersenne Twister and keep 24 of them, so that answers did not change when PyTorch went.
    https://github.com/pytorch/pytorch/blob/v2.13.0/aten/src/ATen/core/TransformationHelper.h
    """
    import numpy as np

    bits = np.random.RandomState(seed).randint(0, 2**32, count, dtype=np.uint32) & (2**FLOAT32_BITS - 1)
    numbers: NDArray[np.float64] = bits * 2.0**-FLOAT32_BITS
    return numbers


def rounds(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """All that there is to answer; then, as long as there is any, what has been added since: the next turns."""
    remaining = iter(requests)
    while there := list(remaining):
        yield there


def fitting(requests: Sequence[Request], save: Save, context_tokens: int, engine: EngineDescription) -> list[Request]:
    """The requests that leave the model room to answer; the others are saved as errors."""
    too_long = [request for request in requests if len(request.token_ids) >= context_tokens]
    save_all(save, ((one, over_long(len(one.token_ids), context_tokens, engine)) for one in too_long))
    return [request for request in requests if len(request.token_ids) < context_tokens]


def batches(job: Job, requests: Sequence[Request], context_tokens: int, size: int) -> Iterator[list[Request]]:
    """The requests sorted by length in batches, each of requests of one temperature that may take as many tokens.

    Where the context ends a request before max_tokens, its neighbours must not decide when.
    """

    def shared(request: Request) -> tuple[float, int]:
        return job.sampling_of(request).temperature, allowed_tokens(job, request, context_tokens)

    ordered = sorted(requests, key=lambda request: (job.sampling_of(request).temperature, len(request.token_ids)))
    for _, group in groupby(ordered, key=shared):
        while batch := list(islice(group, size)):
            yield batch


def allowed_tokens(job: Job, request: Request, context_tokens: int) -> int:
    """How long the answer may become."""
    return min(job.sampling.max_tokens, context_tokens - len(request.token_ids))


def cut_after_stop(token_ids: list[int], stops: Sequence[int]) -> list[int]:
    """An answer's tokens up to and with its first stop token, without the padding behind it."""
    ends = [place for place, token in enumerate(token_ids) if token in stops]
    return token_ids[: ends[0] + 1] if ends else token_ids


def read_result(
    job: Job, tokenizer: Any, request: Request, token_ids: list[int], stops: Sequence[int], engine: EngineDescription
) -> Result:
    """The answer's text, without what ended it: a stop token or, where it came first, a stop string."""
    ended = bool(token_ids) and token_ids[-1] in stops
    text, used = cut_at_stop_string(tokenizer, token_ids[:-1] if ended else token_ids, job.model.stop)
    reason: FinishReason = "stop" if ended or used is not None else "length"
    return Result(
        answer=text,
        finish_reason=reason,
        prompt_tokens=len(request.token_ids),
        answer_tokens=len(token_ids) if used is None else used,
        engine=engine,
        repeated_token=repeated_token(token_ids, reason),
    )


def cut_at_stop_string(tokenizer: Any, token_ids: list[int], stop_strings: Sequence[str]) -> tuple[str, int | None]:
    """The text before its first stop string and the tokens up to that string's end; None where there is none."""

    def text(count: int) -> str:
        return str(tokenizer.decode(token_ids[:count], skip_special_tokens=True))

    def is_stopped(count: int) -> bool:
        return any(stop in text(count) for stop in stop_strings)

    if not is_stopped(len(token_ids)):
        return text(len(token_ids)), None
    used = bisect_left(range(len(token_ids)), True, key=is_stopped)
    whole = text(used)
    return whole[: min(whole.find(stop) for stop in stop_strings if stop in whole)], used
