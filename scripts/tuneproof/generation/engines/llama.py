"""The forward pass of a small Llama in numpy, in double precision, with a key-value cache: models without PyTorch.

Norms, rotary positions and grouped attention as in https://arxiv.org/abs/2302.13971 and https://arxiv.org/abs/2305.13245,
with the names and the half-split rotation of transformers' checkpoints. No biases and no scaled rotations: the embedded
models have none.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
HIDDEN_FROM_SIGHT = -1e300  # finite, so that padding, which sees nothing, does not become NaN


@dataclass
class Cache:
    """What a batch has read so far. Rows are padded on the left, so that all end at the same place."""

    keys: Floats  # layer, row, head, place, width
    values: Floats
    first: Integers  # each row's first place that is no padding
    length: int = 0


class Llama:
    """A model folder's weights and shape."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        stored = load_file(folder / "model.safetensors")
        # Matrices lie as they are multiplied with: as they are stored a product takes four times as long.
        self.weights: dict[str, Floats] = {
            name.removeprefix("model.").removesuffix(".weight"): np.ascontiguousarray(weight.T, dtype=np.float64)
            for name, weight in stored.items()
        }
        self.embeddings = self.weights["embed_tokens"].T
        self.output = self.weights.get("lm_head", self.weights["embed_tokens"])
        self.layers, self.epsilon = int(config["num_hidden_layers"]), float(config["rms_norm_eps"])
        self.heads, self.shared_heads = int(config["num_attention_heads"]), int(config["num_key_value_heads"])
        self.width, self.context_tokens = int(config["head_dim"]), int(config["max_position_embeddings"])
        frequencies = config["rope_parameters"]["rope_theta"] ** (-np.arange(0, self.width, 2) / self.width)
        angles = np.outer(np.arange(self.context_tokens), frequencies)
        self.cosines, self.sines = np.cos(angles), np.sin(angles)

    def empty_cache(self, first: Integers, places: int) -> Cache:
        """Room for a batch of so many places; `first` says where each row begins."""
        shape = (self.layers, len(first), self.shared_heads, places, self.width)
        return Cache(np.zeros(shape), np.zeros(shape), first)

    def next_logits(self, token_ids: Integers, cache: Cache) -> Floats:
        """Reads on (rows x new tokens) and gives the logits of each row's next token."""
        places, seen = np.arange(cache.length, cache.length + token_ids.shape[1]), cache.length + token_ids.shape[1]
        positions = np.maximum(places - cache.first[:, None], 0)
        behind, real = np.arange(seen) <= places[:, None], np.arange(seen) >= cache.first[:, None]
        mask = np.where(behind & real[:, None], 0.0, HIDDEN_FROM_SIGHT)[:, None, None]
        hidden = self.embeddings[token_ids]
        for layer in range(self.layers):
            hidden = hidden + self.attention(layer, hidden, positions, mask, cache)
            hidden = hidden + self.gated(layer, hidden)
        cache.length = seen
        logits: Floats = self.norm("norm", hidden[:, -1]) @ self.output
        return logits

    def attention(self, layer: int, hidden: Floats, positions: Integers, mask: Floats, cache: Cache) -> Floats:
        """What each new token takes from those before it."""
        normed = self.norm(f"layers.{layer}.input_layernorm", hidden)
        rows, new, start = *normed.shape[:2], cache.length

        def heads(part: str) -> Floats:
            projected = self.linear(f"layers.{layer}.self_attn.{part}_proj", normed)
            split = projected.reshape(rows, new, -1, self.width).swapaxes(1, 2)
            return split if part == "v" else rotated(split, self.cosines[positions], self.sines[positions])

        cache.keys[layer, :, :, start : start + new] = heads("k")
        cache.values[layer, :, :, start : start + new] = heads("v")
        queries = heads("q").reshape(rows, self.shared_heads, -1, new, self.width)
        keys, values = (kept[layer, :, :, None, : start + new] for kept in (cache.keys, cache.values))
        shares = softmax(queries @ keys.swapaxes(-1, -2) / np.sqrt(self.width) + mask)
        joined = (shares @ values).reshape(rows, self.heads, new, self.width).swapaxes(1, 2)
        return self.linear(f"layers.{layer}.self_attn.o_proj", joined.reshape(rows, new, -1))

    def gated(self, layer: int, hidden: Floats) -> Floats:
        """The gated layer behind the attention."""
        normed = self.norm(f"layers.{layer}.post_attention_layernorm", hidden)
        gate = self.linear(f"layers.{layer}.mlp.gate_proj", normed)
        opened = gate / (1 + np.exp(-gate)) * self.linear(f"layers.{layer}.mlp.up_proj", normed)
        return self.linear(f"layers.{layer}.mlp.down_proj", opened)

    def linear(self, name: str, values: Floats) -> Floats:
        """A linear layer. One product of two matrices: numpy multiplies a stack of them one by one."""
        product: Floats = values.reshape(-1, values.shape[-1]) @ self.weights[name]
        return product.reshape(*values.shape[:-1], -1)

    def norm(self, name: str, values: Floats) -> Floats:
        """Root-mean-square normalization."""
        scale = np.sqrt(np.mean(values * values, axis=-1, keepdims=True) + self.epsilon)
        normed: Floats = values / scale * self.weights[name]
        return normed


def rotated(vectors: Floats, cosines: Floats, sines: Floats) -> Floats:
    """Queries or keys (row, head, place, width) turned by their positions."""
    left, right = np.split(vectors, 2, axis=-1)
    cosines, sines = cosines[:, None], sines[:, None]
    return np.concatenate([left * cosines - right * sines, right * cosines + left * sines], axis=-1)


def softmax(values: Floats) -> Floats:
    """Shares along the last axis."""
    powers: Floats = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares
