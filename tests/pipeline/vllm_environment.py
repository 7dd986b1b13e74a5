"""Where vLLM is installed, and adapters to try it with. Every test of it starts real engines on the CPU."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS

SETTINGS = {"dtype": "float32", "max_model_len": 512}
EXECUTION = {"vllm": {"enforce_eager": True, "max_num_seqs": 32}}
# The build for the CPU gives its worker a process of its own, with a third import of all of vLLM. On one GPU, and with
# this set, the worker is in the engine's process; that stays one of its own.
WORKER_IN_THE_ENGINE = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
LORA_SCALE = 8.0  # lora_alpha over r


def vllm_python() -> str:
    """The interpreter of vLLM's environment; a test run without one fails."""
    path = Path(os.environ.get("TUNEPROOF_VLLM_PYTHON", ROOT / ".venv-vllm" / "bin" / "python"))
    if not path.is_file():
        pytest.fail(f"there is no vLLM at {path}: run `make test`, or name its python in TUNEPROOF_VLLM_PYTHON")
    return str(path)


def write_adapter(folder: Path, seed: int, rank: int = 4, module: str = "q_proj") -> dict[str, Any]:
    """A LoRA adapter of random weights over the small models; returns its matrices. Another module fits none."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for layer in range(4):
        for part, out in ((module, 128), ("v_proj", 64)):
            name = f"base_model.model.model.layers.{layer}.self_attn.{part}"
            tensors[f"{name}.lora_A.weight"] = torch.randn(rank, 128, generator=generator) * 0.1
            tensors[f"{name}.lora_B.weight"] = torch.randn(out, rank, generator=generator) * 0.1
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": int(LORA_SCALE * rank),
        "target_modules": [module, "v_proj"], "bias": "none", "base_model_name_or_path": str(SMALL_MODELS / "sft"),
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return tensors


def write_merged(folder: Path, tensors: dict[str, Any]) -> None:
    """The small model with an adapter merged into its weights."""
    import torch
    import transformers

    source = SMALL_MODELS / "sft"
    model = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, down in tensors.items():
            if name.endswith("lora_A.weight"):
                up = tensors[name.replace("lora_A", "lora_B")]
                place = name.removeprefix("base_model.model.").replace("lora_A.weight", "weight")
                parameters[place] += LORA_SCALE * (up @ down)
    model.save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / file).write_bytes((source / file).read_bytes())
