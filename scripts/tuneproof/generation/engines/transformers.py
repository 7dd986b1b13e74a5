"""The transformers engine: any torch device, padded batches sorted by length. For small models and laptops."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, shortened
from tuneproof.generation.jobs import Ask, Job, Renderer, Request, Save, missing_package, save_all
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
from tuneproof.generation.weights.tokens import job_stop_token_ids, load_tokenizer, rendering
from tuneproof.records.rows import EngineDescription
from tuneproof.sources.folders import tokenizer_folder, weights_folder

SMALL_MODEL_BYTES = 50_000_000
UNLIMITED_TOKENS = 10**9


def renderer(job: Job) -> Renderer:
    """What renders the requests, keyed by what determines an answer here."""
    return rendering(job, tokenizer_folder(job.resolved), dtype=job.settings.transformers.dtype)


@contextmanager
def start(job: Job) -> Iterator[Ask]:
    """Loads the model and gives what answers requests in batches of similar length, saving each batch as it ends."""
    folder = weights_folder(job.resolved)
    model, description = load_model(job, folder)
    tokenizer = load_tokenizer(folder)
    stops = job_stop_token_ids(job, tokenizer, folder)
    context_tokens = int(getattr(model.config, "max_position_embeddings", None) or UNLIMITED_TOKENS)

    def ask(requests: Iterable[Request], save: Save) -> None:
        for part in rounds(requests):
            asked = fitting(part, save, context_tokens, description)
            for batch in batches(job, asked, context_tokens, job.execution.transformers.batch_size):
                answers = sample_batch(job, model, tokenizer, batch, stops, context_tokens)
                results = (
                    read_result(job, tokenizer, *one, stops, description) for one in zip(batch, answers, strict=True)
                )
                save_all(save, zip(batch, results, strict=True))

    yield ask


def load_model(job: Job, folder: Path) -> tuple[Any, EngineDescription]:
    """The model on its device, and what runs it. Raises a UserError when it does not load."""
    try:
        import torch
        import transformers
    except ImportError:
        raise missing_package("transformers", "torch", "transformers") from None
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
    pad = padding_id(model, tokenizer, stops)
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


def padding_id(model: Any, tokenizer: Any, stops: Sequence[int]) -> int:
    """A token to pad with that the model has a row for; the tokenizer's own may have been added without one."""
    rows = model.get_input_embeddings().weight.shape[0]
    return next((token for token in (tokenizer.pad_token_id, *stops) if token is not None and token < rows), 0)


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

    sampling = job.sampling_of(batch[0])
    numbers = torch.stack([torch.from_numpy(uniforms(request.seed, steps)).float() for request in batch])

    def choose(input_ids: Any, scores: Any) -> Any:
        if not torch.isfinite(scores.amax(dim=-1)).all():  # a model may hide single tokens behind -inf
            raise not_finite(job)
        if sampling.temperature == 0:
            return scores
        probabilities = torch.softmax(scores.float() / sampling.temperature, dim=-1)
        probabilities[probabilities < sampling.min_p * probabilities.amax(dim=-1, keepdim=True)] = 0
        ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
        ordered /= ordered.sum(dim=-1, keepdim=True)
        cumulative = ordered.cumsum(dim=-1)
        ordered[cumulative - ordered >= sampling.top_p] = 0
        cumulative = ordered.cumsum(dim=-1)
        drawn = numbers[:, input_ids.shape[1] - prompt_tokens, None].to(scores.device) * cumulative[:, -1:]
        picked = torch.searchsorted(cumulative, drawn, right=True)
        picked = torch.minimum(picked, (ordered > 0).sum(dim=-1, keepdim=True) - 1)
        return torch.full_like(scores, float("-inf")).scatter(-1, order.gather(-1, picked), 0.0)

    return choose
