"""The embedded engine: plays the small models of the embedded world in numpy, without PyTorch or transformers.

It gives the answers that the transformers engine gives: the same tokens, drawn at the same numbers.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof.common.errors import UserError, shortened
from tuneproof.generation.conversations.messages import Chat, Conversation
from tuneproof.generation.conversations.prompts import alpaca_prompt
from tuneproof.generation.jobs import Ask, Job, Renderer, Request, Save, save_all
from tuneproof.generation.weights.broken_weights import not_finite
from tuneproof.generation.weights.sampled_answers import (
    allowed_tokens,
    batches,
    cut_after_stop,
    fitting,
    read_result,
    rounds,
    uniforms,
)
from tuneproof.generation.weights.tokens import Prompt, alpaca_text, eos_ids, keyed_requests
from tuneproof.records.rows import EngineDescription
from tuneproof.settings.generation import CompleteSampling
from tuneproof.sources.folders import tokenizer_folder, weights_folder

if TYPE_CHECKING:
    from tuneproof.generation.engines.llama import Floats, Integers, Llama

BATCH_SIZE = 64
END_OF_ANSWER = "</s>"  # in a chat, as in the small models' chat template


def renderer(job: Job) -> Renderer:
    """What renders the requests in the Alpaca format, which the small models were trained on, a turn behind another."""
    folder = tokenizer_folder(job.resolved)
    tokenizer, literal, stops = load_tokenizer(folder), load_tokenizer(folder), stop_token_ids(folder)
    literal.encode_special_tokens = True  # their names are text, so that nobody's words end a turn

    def prompt(conversation: Conversation) -> Prompt:
        if conversation.is_one_message or job.resolved.prompt == "alpaca":
            text = alpaca_text(job, conversation)
            return conversation, text, tokenizer.encode(text).ids
        first, *others = chat_pieces(conversation.messages(job.model.system))
        ids = literal.encode(first).ids
        for piece in others:
            ids += [literal.token_to_id(END_OF_ANSWER), *literal.encode(piece, add_special_tokens=False).ids]
        return conversation, END_OF_ANSWER.join([first, *others]), ids

    def render(conversations: Sequence[Conversation]) -> list[Request]:
        return list(keyed_requests(job, map(prompt, conversations), stop_token_ids=stops))

    return render


def chat_pieces(messages: Chat) -> list[str]:
    """The texts between the ends of a chat's answers, in the words of the small models' chat template."""
    pieces, system = [""], None
    for message in messages:
        if message["role"] == "system":
            system = message["content"]
        elif message["role"] == "user":
            pieces[-1] += alpaca_prompt(message["content"], system)
            system = None
        else:
            pieces[-1] += message["content"]
            pieces.append("")
    return pieces


@contextmanager
def start(job: Job) -> Iterator[Ask]:
    """Loads the model and gives what answers requests in batches, saving each batch as it ends."""
    # Before numpy is loaded. Measured: more threads make so small a model slower, many times so on a busy machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import numpy

    folder = weights_folder(job.resolved)
    model, tokenizer, stops = load_model(folder), load_tokenizer(folder), stop_token_ids(folder)
    description = EngineDescription(
        engine="embedded", version=f"numpy {numpy.__version__}", device="cpu", dtype="float64"
    )

    def ask(requests: Iterable[Request], save: Save) -> None:
        for part in rounds(requests):
            asked = fitting(part, save, model.context_tokens, description)
            for batch in batches(job, asked, model.context_tokens, BATCH_SIZE):
                answers = sample_batch(job, model, batch, stops)
                results = (
                    read_result(job, tokenizer, *one, stops, description) for one in zip(batch, answers, strict=True)
                )
                save_all(save, zip(batch, results, strict=True))

    yield ask


def load_model(folder: Path) -> "Llama":
    """The model of a folder. Raises a UserError when it does not load."""
    from tuneproof.generation.engines.llama import Llama

    try:
        return Llama(folder)
    except Exception as error:  # whatever a broken file makes safetensors raise
        found = f"the model does not load ({shortened(error)})"
        raise UserError(str(folder), found, "restore it from Git") from None


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder: the library that transformers calls, without transformers, whose import takes 2 s."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises plain exceptions
        found = f"its tokenizer does not load ({shortened(error)})"
        raise UserError(str(folder), found, "restore it from Git") from None


def stop_token_ids(folder: Path) -> tuple[int, ...]:
    """Every token that ends an answer."""
    return tuple(sorted(eos_ids(folder / "config.json") | eos_ids(folder / "generation_config.json")))


def sample_batch(job: Job, model: "Llama", batch: Sequence[Request], stops: Sequence[int]) -> list[list[int]]:
    """The answer tokens of one left-padded batch, each cut after its first stop token."""
    import numpy as np

    longest = max(len(request.token_ids) for request in batch)
    steps = allowed_tokens(job, batch[0], model.context_tokens)
    first = np.array([longest - len(request.token_ids) for request in batch])
    read = np.array([[0] * padding + list(request.token_ids) for padding, request in zip(first, batch, strict=True)])
    drawn = np.stack([uniforms(request.seed, steps) for request in batch])
    cache = model.empty_cache(first, longest + steps)
    answers, ended = np.zeros((len(batch), steps), dtype=np.int64), np.zeros(len(batch), dtype=bool)
    for step in range(steps):
        with np.errstate(all="ignore"):  # what becomes of broken weights is told once, below
            logits = model.next_logits(read, cache)
        if not np.isfinite(logits).all():
            raise not_finite(job)
        chosen = choose(logits, drawn[:, step], job.sampling_of(batch[0]))
        answers[:, step], read = chosen, chosen[:, None]
        ended |= np.isin(chosen, stops)
        if ended.all():
            break
    return [cut_after_stop(row, stops) for row in answers[:, : step + 1].tolist()]


def choose(logits: "Floats", drawn: "Floats", sampling: CompleteSampling) -> "Integers":
    """Each row's next token: the likeliest, or the one at which the row's number in [0, 1) inverts the distribution."""
    import numpy as np

    from tuneproof.generation.engines.llama import softmax

    if sampling.temperature == 0:
        likeliest: Integers = logits.argmax(axis=-1)
        return likeliest
    shares = softmax(logits / sampling.temperature)
    shares[shares < sampling.min_p * shares.max(axis=-1, keepdims=True)] = 0
    order = np.argsort(-shares, axis=-1, kind="stable")
    ordered = np.take_along_axis(shares, order, axis=-1)
    ordered /= ordered.sum(axis=-1, keepdims=True)
    ordered[ordered.cumsum(axis=-1) - ordered >= sampling.top_p] = 0
    cumulative = ordered.cumsum(axis=-1)
    picked = (cumulative <= drawn[:, None] * cumulative[:, -1:]).sum(axis=-1)
    picked = np.minimum(picked, (ordered > 0).sum(axis=-1) - 1)
    tokens: Integers = np.take_along_axis(order, picked[:, None], axis=-1)[:, 0]
    return tokens
