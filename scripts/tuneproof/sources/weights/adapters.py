"""LoRA adapters: the rank that an engine must be started with, and whether an adapter fits its base model.

vLLM loads an adapter of another width without a word and applies the part that fits (seen with 0.32), so that is
checked here, from the headers of the weights alone (https://huggingface.co/docs/safetensors, "Format").
"""

import json
from pathlib import Path

from tuneproof.common.errors import UserError
from tuneproof.sources.weights.safetensors import plain_shapes

ADAPTER_FILE = "adapter_model.safetensors"
PREFIX = "base_model.model."
DOWN, UP = ".lora_A.weight", ".lora_B.weight"


def lora_rank(adapter: Path) -> int:
    """The rank of an adapter."""
    return int(json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8")).get("r", 0))


def check_adapter_fits(where: str, adapter: Path, base: Path) -> None:
    """Raises a UserError when a matrix of the adapter has another width than the base's weight that it belongs to."""
    widths = {name: shape for file in base.glob("*.safetensors") for name, shape in plain_shapes(where, file)}
    for name, shape in plain_shapes(where, adapter / ADAPTER_FILE):
        module, _, kind = name.removeprefix(PREFIX).rpartition(".lora_")
        whole = widths.get(f"{module}.weight")
        expected = whole and (whole[-1] if name.endswith(DOWN) else whole[0])
        found = shape[-1] if name.endswith(DOWN) else shape[0]
        if kind and expected and found != expected:
            fault = f"its adapter does not fit the model: {module[:80]} is {expected} wide, and the adapter {found}"
            raise UserError(where, fault, "name the base model that the adapter was trained on")
