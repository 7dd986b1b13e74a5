import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.weights import write_safetensors
from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS
from tuneproof.common.errors import UserError
from tuneproof.sources.weights.adapters import (
    check_adapter,
    check_adapter_fits,
    differences,
    engine_rank,
    lora_rank,
    strange_modules,
)
from tuneproof.sources.weights.checks import local_headers
from tuneproof.sources.weights.safetensors import file_header

LAYER = "model.layers.0.self_attn.q_proj"


def write_adapter(folder: Path, down: list[int], up: list[int]) -> Path:
    write_safetensors(
        folder / "adapter_model.safetensors",
        {
            f"base_model.model.{LAYER}.lora_A.weight": ("F32", down),
            f"base_model.model.{LAYER}.lora_B.weight": ("F32", up),
        },
    )
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": down[0]}))
    return folder


def change(adapter: Path, **settings: Any) -> None:
    """Changes an adapter's configuration."""
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def fits(adapter: Path, base: Path) -> None:
    """Holds an adapter against a base, as validate and the engine do."""
    check_adapter_fits("model sft", local_headers("model sft", adapter), local_headers("model sft", base))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base in two shards, one of them without the weight in question."""
    write_safetensors(tmp_path / "base/model-1.safetensors", {"model.norm.weight": ("BF16", [128])})
    write_safetensors(tmp_path / "base/model-2.safetensors", {f"{LAYER}.weight": ("BF16", [256, 128])})
    return tmp_path / "base"


def test_an_adapter_of_the_bases_width_fits(tmp_path: Path, base: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    fits(adapter, base)
    assert engine_rank("model sft", adapter) == 8


@pytest.mark.parametrize(("down", "up", "words"), [
    ([8, 96], [256, 8], "q_proj is 128 wide, and the adapter 96"),
    ([8, 128], [512, 8], "q_proj is 256 wide, and the adapter 512"),
])  # fmt: skip
def test_an_adapter_of_another_width_is_one_line_that_names_the_module(
    tmp_path: Path, base: Path, down: list[int], up: list[int], words: str
) -> None:
    adapter = write_adapter(tmp_path / "adapter", down, up)
    with pytest.raises(UserError, match=words):
        fits(adapter, base)


def test_a_packed_weight_of_a_quantized_base_is_not_compared(tmp_path: Path, base: Path) -> None:
    write_safetensors(base / "model-2.safetensors", {f"{LAYER}.weight": ("U8", [16384, 1])})
    fits(write_adapter(tmp_path / "adapter", [8, 128], [256, 8]), base)


def test_what_the_base_does_not_name_so_is_left_to_the_engine(tmp_path: Path, base: Path) -> None:
    write_safetensors(base / "model-2.safetensors", {"language_model.x.weight": ("BF16", [1, 1])})
    fits(write_adapter(tmp_path / "adapter", [8, 7], [9, 8]), base)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\xff" * 64, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 9) + b'{"a": {}}']
)
def test_a_broken_adapter_is_one_line(tmp_path: Path, base: Path, content: bytes) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    (adapter / "adapter_model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"model sft: its adapter_model\.safetensors cannot be read"):
        fits(adapter, base)


def test_a_header_is_read_as_the_format_says(base: Path) -> None:
    header = file_header("model sft", base / "model-2.safetensors")
    assert header.tensors == {f"{LAYER}.weight": ("BF16", [256, 128])}
    assert header.file_bytes == (base / "model-2.safetensors").stat().st_size


def test_the_engine_is_started_with_the_largest_rank_of_any_module(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    change(adapter, rank_pattern={"q_proj": 48, "v_proj": 4})
    assert lora_rank("adapter", adapter) == 48
    assert engine_rank("adapter", adapter) == 64


@pytest.mark.parametrize(("settings", "words"), [
    ({"use_dora": True}, r"it is an adapter with DoRA \(use_dora\), which vLLM does not load; merge it into the base"),
    ({"lora_bias": True}, "an adapter with a bias"),
    ({"bias": "all"}, r"an adapter with a bias \(bias: all\)"),
    ({"modules_to_save": ["embed_tokens", "lm_head"]}, r"modules_to_save: \['embed_tokens', 'lm_head'\]"),
    ({"init_lora_weights": "pissa_niter_16"}, r"changes the base's own weights \(init_lora_weights: pissa_niter_16\)"),
    ({"init_lora_weights": "olora"}, "merge it into the base"),
    ({"init_lora_weights": "loftq"}, "merge it into the base"),
    ({"alora_invocation_tokens": [1, 2]}, "an activated LoRA"),
    ({"layer_replication": [[0, 4], [2, 5]]}, "repeated layers"),
    ({"use_qalora": True}, "a QALoRA"),
    ({"r": 1024}, "its rank is 1024, and vLLM takes 512 at most; merge it"),
    ({"rank_pattern": {"q_proj": 0}}, r"gives the ranks \[8, 0\]"),
    ({"r": None}, r"gives the ranks \[None\]"),
    ({"peft_type": "IA3"}, "its adapter is of type IA3"),
])  # fmt: skip
def test_what_vllm_does_not_load_is_said_before_it_starts(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    change(adapter, **settings)
    with pytest.raises(UserError, match=words):
        check_adapter("adapter", adapter, local_headers("adapter", adapter))


@pytest.mark.parametrize("start", [True, False, "gaussian", "eva", "orthogonal", "lora_ga"])
def test_an_initialisation_that_leaves_the_base_as_it_is_passes(tmp_path: Path, start: bool | str) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    change(adapter, init_lora_weights=start, modules_to_save=None, rank_pattern={})
    check_adapter("adapter", adapter, local_headers("adapter", adapter))


@pytest.mark.parametrize("name", ["lora_magnitude_vector", "modules_to_save.default.weight", "weight"])
def test_a_tensor_that_is_no_lora_is_named(tmp_path: Path, name: str) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    write_safetensors(adapter / "adapter_model.safetensors", {f"base_model.model.{LAYER}.{name}": ("F32", [8])})
    with pytest.raises(UserError, match=f"it holds {LAYER}.{name}, which vLLM does not load; merge it"):
        check_adapter("adapter", adapter, local_headers("adapter", adapter))


def test_modules_that_the_base_does_not_have_are_named(tmp_path: Path, base: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    headers = local_headers("base", base)
    assert strange_modules(local_headers("adapter", adapter), headers) == []
    write_safetensors(
        adapter / "adapter_model.safetensors",
        {"base_model.model.model.layers.0.w_proj.lora_A.weight": ("F32", [8, 8])},
    )
    assert strange_modules(local_headers("adapter", adapter), headers) == ["w_proj"]
    assert strange_modules(local_headers("adapter", adapter), {}) == []


def test_an_adapter_of_another_base_with_its_own_tokens_and_template_is_told(tmp_path: Path) -> None:
    base = SMALL_MODELS / "sft"
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    change(adapter, base_model_name_or_path="/somebody/elsewhere/SFT/")
    assert list(differences("adapter", adapter, base, "team/sft", "chat")) == []
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (adapter / name).write_bytes((base / name).read_bytes())
    assert list(differences("adapter", adapter, base, "team/sft", "chat")) == []
    change(adapter, base_model_name_or_path="meta/other-7b")
    tokens = json.loads((adapter / "tokenizer.json").read_text())
    tokens["added_tokens"].append({"id": 1024, "content": "<|im_end|>", "special": True})
    (adapter / "tokenizer.json").write_text(json.dumps(tokens))
    (adapter / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    said = list(differences("adapter", adapter, base, "team/sft", "chat"))
    assert said == [
        "adapter: it was trained on meta/other-7b, and is asked over team/sft",
        "adapter: it brings a tokenizer with 1 tokens that the base's does not have so, such as '<|im_end|>'; the "
        "base's is used, so merge it into the base if it was trained with them",
        "adapter: it brings a chat template of its own, which is used in place of the base's",
    ]
    assert len(list(differences("adapter", adapter, base, "team/sft", "alpaca"))) == 2
