"""The transformers engine: any torch device, padded batches sorted by length. For small models and laptops.

Each answer is drawn with its own seed by inverting the distribution at uniform numbers drawn beforehand, so that an
answer depends on its prompt and seed and not on its batch.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from evaluation.errors import UserError, shortened
from evaluation.generation import Ask, Job, Request, Save, missing_package, over_long
from evaluation.records import EngineDescription, Question, Result
from evaluation.tokens import load_tokenizer, render_requests, stop_token_ids
from evaluation.weights import tokenizer_folder, weights_folder

SMALL_MODEL_BYTES = 50_000_000
UNLIMITED_TOKENS = 10**9


def render(job: Job, questions: Sequence[Question]) -> list[Request]:
    """The requests, keyed by what determines an answer here."""
    folder = tokenizer_folder(job.resolved)
    return list(render_requests(job, questions, folder, dtype=job.settings.transformers.dtype))


@contextmanager
def start(job: Job) -> Iterator[Ask]:
    """Loads the model and gives what answers requests in batches of similar length, saving each batch as it ends."""
    folder = weights_folder(job.resolved)
    model, description = load_model(job, folder)
    tokenizer = load_tokenizer(folder)
    stops = stop_token_ids(tokenizer, folder)
    context_tokens = int(getattr(model.config, "max_position_embeddings", None) or UNLIMITED_TOKENS)

    def ask(requests: Sequence[Request], save: Save) -> None:
        fitting = []
        for request in requests:
            if len(request.token_ids) < context_tokens:
                fitting.append(request)
            else:
                save(request, over_long(len(request.token_ids), context_tokens, description))
        for batch in batches(job, fitting, context_tokens):
            answers = sample_batch(job, model, tokenizer, batch, stops, context_tokens)
            for request, token_ids in zip(batch, answers, strict=True):
                save(request, read_result(job, tokenizer, request, token_ids, stops, description))

    yield ask


def batches(job: Job, requests: Sequence[Request], context_tokens: int) -> Iterator[list[Request]]:
    """The requests sorted by length in batches, each of requests that may take the same number of tokens.

    Where the context ends a request before max_tokens, its neighbours must not decide when.
    """

    def steps(request: Request) -> int:
        return allowed_tokens(job, request, context_tokens)

    ordered = sorted(requests, key=lambda request: len(request.token_ids))
    size = job.execution.transformers.batch_size
    for _, group in groupby(ordered, key=steps):
        while batch := list(islice(group, size)):
            yield batch


def allowed_tokens(job: Job, request: Request, context_tokens: int) -> int:
    """How long the answer may become."""
    return min(job.settings.sampling.max_tokens, context_tokens - len(request.token_ids))


def load_model(job: Job, folder: Path) -> tuple[Any, EngineDescription]:
    """The model on its device, and what runs it. Raises a UserError when it does not load."""
    try:
        import torch
        import transformers
    except ImportError:
        raise missing_package("transformers", "torch", "base") from None
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    chosen = job.execution.transformers.device
    device = choose_device() if chosen == "auto" else chosen
    dtype: str = job.settings.transformers.dtype
    if device == "cpu":
        small = sum(file.stat().st_size for file in folder.glob("*.safetensors")) < SMALL_MODEL_BYTES
        if small:
            torch.set_num_threads(1)  # measured: more threads make so small a model slower
        if dtype == "auto":
            # Half precision is slower than full on most CPUs. A small model can afford double, in which its batch was
            # never seen to change an answer; in single it was, once in a few hundred (docs/generation.md).
            dtype = "float64" if small else "float32"
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
        model = model.to(device).eval()
    except Exception as error:  # whatever the library raises for a broken checkpoint or a device that is not there
        found = f"the model does not load on {device} ({shortened(error)})"
        raise UserError(
            job.resolved.id, found, "check the model's files and execution.generate.transformers"
        ) from error
    # The settings in params.yaml are the only ones: no penalty or forced token of the model's own.
    model.generation_config = transformers.GenerationConfig()
    version = f"transformers {transformers.__version__}, torch {torch.__version__}"
    name = str(model.dtype).removeprefix("torch.")
    return model, EngineDescription(engine="transformers", version=version, device=device, dtype=name)


def choose_device() -> str:
    """The best device that torch finds here."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def sample_batch(
    job: Job, model: Any, tokenizer: Any, batch: Sequence[Request], stops: Sequence[int], context_tokens: int
) -> list[list[int]]:
    """The answer tokens of one left-padded batch, each cut after its first stop token."""
    import torch

    longest = max(len(request.token_ids) for request in batch)
    steps = allowed_tokens(job, batch[0], context_tokens)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else (list(stops) or [0])[0]
    ids = torch.full((len(batch), longest), pad)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    for row, request in enumerate(batch):
        ids[row, longest - len(request.token_ids) :] = torch.tensor(request.token_ids)
        mask[row, longest - len(request.token_ids) :] = 1
    with torch.inference_mode(), readable_lack_of_memory(model, len(batch)):
        output = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=steps,
            do_sample=False,
            logits_processor=[seeded_choice(job, batch, longest, steps)],
            eos_token_id=list(stops) or None,
            pad_token_id=pad,
            **({"stop_strings": list(job.model.stop), "tokenizer": tokenizer} if job.model.stop else {}),
        )
    return [cut_after_stop(row, stops) for row in output[:, longest:].tolist()]


@contextmanager
def readable_lack_of_memory(model: Any, rows: int) -> Iterator[None]:
    """Turns a full device into one line."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        found = f"a batch of {rows} does not fit into the memory of {model.device}"
        remedy = "lower execution.generate.transformers.batch_size and run again; finished answers are kept"
        raise UserError("engine transformers", found, remedy) from None


def seeded_choice(job: Job, batch: Sequence[Request], prompt_tokens: int, steps: int) -> Any:
    """A logits processor that samples each row at its own numbers and leaves the greedy search no other choice."""
    import torch

    sampling = job.settings.sampling
    generators = [torch.Generator().manual_seed(request.seed) for request in batch]
    uniforms = torch.stack([torch.rand(steps, generator=generator) for generator in generators])

    def choose(input_ids: Any, scores: Any) -> Any:
        if sampling.temperature == 0:
            return scores
        probabilities = torch.softmax(scores.float() / sampling.temperature, dim=-1)
        probabilities[probabilities < sampling.min_p * probabilities.amax(dim=-1, keepdim=True)] = 0
        ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
        ordered /= ordered.sum(dim=-1, keepdim=True)
        cumulative = ordered.cumsum(dim=-1)
        ordered[cumulative - ordered >= sampling.top_p] = 0
        cumulative = ordered.cumsum(dim=-1)
        drawn = uniforms[:, input_ids.shape[1] - prompt_tokens, None].to(scores.device) * cumulative[:, -1:]
        picked = torch.searchsorted(cumulative, drawn, right=True)
        picked = torch.minimum(picked, (ordered > 0).sum(dim=-1, keepdim=True) - 1)
        return torch.full_like(scores, float("-inf")).scatter(-1, order.gather(-1, picked), 0.0)

    return choose


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
    return Result(
        answer=text,
        finish_reason="stop" if ended or used is not None else "length",
        prompt_tokens=len(request.token_ids),
        answer_tokens=len(token_ids) if used is None else used,
        engine=engine,
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
