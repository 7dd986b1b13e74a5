"""The forward pass in numpy against the library's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS
from tuneproof.generation.engines.llama import Llama

PROMPTS = [[0, 17, 300, 45], [0, *range(100, 160)], [0, 5, 6, 7, 8, 9, 10, 11, 999]]


def the_library(folder: Path) -> Any:
    import torch
    import transformers

    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()


def logits_of(model: Any, prompts: list[list[int]]) -> "np.ndarray[Any, Any]":
    import torch

    with torch.inference_mode():
        return np.stack([model(torch.tensor([prompt])).logits[0, -1].numpy() for prompt in prompts])


def logits_here(folder: Path, prompts: list[list[int]], first_tokens: int) -> "np.ndarray[Any, Any]":
    """Reads a padded batch: its first tokens together, the others one by one, as an answer is made."""
    longest = max(map(len, prompts))
    first = np.array([longest - len(prompt) for prompt in prompts])
    ids = np.array([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    model = Llama(folder)
    cache = model.empty_cache(first, longest)
    logits = model.next_logits(ids[:, :first_tokens], cache)
    for place in range(first_tokens, longest):
        logits = model.next_logits(ids[:, place : place + 1], cache)
    return logits


@pytest.mark.parametrize("model", ["base", "sft", "dpo"])
@pytest.mark.parametrize("first_tokens", [61, 3, 1])
def test_the_logits_are_the_librarys_but_for_its_single_precision(model: str, first_tokens: int) -> None:
    expected = logits_of(the_library(SMALL_MODELS / model), PROMPTS)
    assert np.abs(logits_here(SMALL_MODELS / model, PROMPTS, first_tokens) - expected).max() < 1e-4


def test_the_logits_are_the_librarys_where_it_computes_in_double_precision_too() -> None:
    from tests.tuneproof.generation.engines.double_precision import DoubleNorm, DoubleRotation

    model = the_library(SMALL_MODELS / "sft")
    epsilon = model.config.rms_norm_eps
    inner = model.model
    inner.norm = DoubleNorm(inner.norm.weight, epsilon)
    for layer in inner.layers:
        for name in ("input_layernorm", "post_attention_layernorm"):
            setattr(layer, name, DoubleNorm(getattr(layer, name).weight, epsilon))
    inner.rotary_emb = DoubleRotation(model.config.head_dim, model.config.rope_parameters["rope_theta"])
    expected = logits_of(model, PROMPTS)
    assert np.abs(logits_here(SMALL_MODELS / "sft", PROMPTS, 3) - expected).max() < 1e-9
