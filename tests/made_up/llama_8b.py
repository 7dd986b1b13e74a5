"""Model folders of Llama-3.1-8B's shape without weights, for engines that make random ones; and adapters to them."""

import json
from pathlib import Path
from typing import Any

from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS

LLAMA_8B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 14336,
    "vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "hidden_act": "silu",
    "rope_theta": 500000.0, "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False,
    "rope_scaling": {
        "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "bos_token_id": 0, "eos_token_id": 1, "dtype": "bfloat16",
}  # fmt: skip
SMALL_SHAPE = {
    "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
    "intermediate_size": 256,
}  # fmt: skip


def llama_folder(folder: Path, small: bool) -> Path:
    """A model folder of Llama-3.1-8B's shape without weights: the small tokenizer, filled up to 128,256 tokens."""
    path = folder / "llama"
    if not path.is_dir():
        path.mkdir()
        for file in SMALL_MODELS.joinpath("sft").glob("*token*"):
            (path / file.name).write_bytes(file.read_bytes())
        tokenizer = json.loads((path / "tokenizer.json").read_text())
        words = tokenizer["model"]["vocab"]
        taken = set(words.values()) | {token["id"] for token in tokenizer["added_tokens"]}
        words |= {f"w{number:06}": number for number in range(LLAMA_8B["vocab_size"]) if number not in taken}
        (path / "tokenizer.json").write_text(json.dumps(tokenizer))
        own = json.loads((SMALL_MODELS / "sft/config.json").read_text())
        tokens = {name: own[name] for name in ("bos_token_id", "eos_token_id") if name in own}
        (path / "config.json").write_text(json.dumps(LLAMA_8B | (SMALL_SHAPE if small else {}) | tokens))
    return path


def adapter_folder(folder: Path, small: bool, seed: int, rank: int = 16) -> Path:
    """A LoRA adapter of random weights over the queries and values of that model."""
    import torch
    from safetensors.torch import save_file

    path = folder / f"adapter-{seed}"
    if not path.is_dir():
        path.mkdir()
        shape = LLAMA_8B | (SMALL_SHAPE if small else {})
        sizes = {"q_proj": shape["num_attention_heads"], "v_proj": shape["num_key_value_heads"]}
        generator = torch.Generator().manual_seed(seed)
        tensors: dict[str, Any] = {}
        for layer in range(shape["num_hidden_layers"]):
            for module, heads in sizes.items():
                name = f"base_model.model.model.layers.{layer}.self_attn.{module}"
                down = torch.randn(rank, shape["hidden_size"], generator=generator) * 0.02
                up = torch.randn(heads * shape["head_dim"], rank, generator=generator) * 0.02
                tensors |= {f"{name}.lora_A.weight": down.bfloat16(), f"{name}.lora_B.weight": up.bfloat16()}
        save_file(tensors, path / "adapter_model.safetensors")
        config = {
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 32, "bias": "none",
            "target_modules": list(sizes), "base_model_name_or_path": str(folder / "llama"),
        }  # fmt: skip
        (path / "adapter_config.json").write_text(json.dumps(config))
    return path
