import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tuneproof.common.errors import UserError
from tuneproof.sources.weights.adapters import check_adapter_fits, lora_rank
from tuneproof.sources.weights.safetensors import read_header

LAYER = "model.layers.0.self_attn.q_proj"


def write_safetensors(file: Path, shapes: dict[str, tuple[str, list[int]]]) -> None:
    """A file with a header and no numbers: only the header is read."""
    header: dict[str, Any] = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]} for name, (dtype, shape) in shapes.items()
    }
    text = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(text)) + text)


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


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base in two shards, one of them without the weight in question."""
    write_safetensors(tmp_path / "base/model-1.safetensors", {"model.norm.weight": ("BF16", [128])})
    write_safetensors(tmp_path / "base/model-2.safetensors", {f"{LAYER}.weight": ("BF16", [256, 128])})
    return tmp_path / "base"


def test_an_adapter_of_the_bases_width_fits(tmp_path: Path, base: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    check_adapter_fits("model sft", adapter, base)
    assert lora_rank(adapter) == 8


@pytest.mark.parametrize(("down", "up", "words"), [
    ([8, 96], [256, 8], "q_proj is 128 wide, and the adapter 96"),
    ([8, 128], [512, 8], "q_proj is 256 wide, and the adapter 512"),
])  # fmt: skip
def test_an_adapter_of_another_width_is_one_line_that_names_the_module(
    tmp_path: Path, base: Path, down: list[int], up: list[int], words: str
) -> None:
    adapter = write_adapter(tmp_path / "adapter", down, up)
    with pytest.raises(UserError, match=words):
        check_adapter_fits("model sft", adapter, base)


def test_a_packed_weight_of_a_quantized_base_is_not_compared(tmp_path: Path, base: Path) -> None:
    write_safetensors(base / "model-2.safetensors", {f"{LAYER}.weight": ("U8", [16384, 1])})
    check_adapter_fits("model sft", write_adapter(tmp_path / "adapter", [8, 128], [256, 8]), base)


def test_what_the_base_does_not_name_so_is_left_to_the_engine(tmp_path: Path, base: Path) -> None:
    write_safetensors(base / "model-2.safetensors", {"language_model.x.weight": ("BF16", [1, 1])})
    check_adapter_fits("model sft", write_adapter(tmp_path / "adapter", [8, 7], [9, 8]), base)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\xff" * 64, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 9) + b'{"a": {}}']
)
def test_a_broken_adapter_is_one_line(tmp_path: Path, base: Path, content: bytes) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    (adapter / "adapter_model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"model sft: its adapter_model\.safetensors cannot be read"):
        check_adapter_fits("model sft", adapter, base)


def test_a_missing_adapter_file_is_one_line(tmp_path: Path, base: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", [8, 128], [256, 8])
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        check_adapter_fits("model sft", adapter, base)


def test_a_header_is_read_as_the_format_says(base: Path) -> None:
    assert read_header(base / "model-2.safetensors")[f"{LAYER}.weight"]["shape"] == [256, 128]
