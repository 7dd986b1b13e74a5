import json
from pathlib import Path

import pytest

from tests.made_up.weights import write_safetensors
from tuneproof.common.errors import UserError
from tuneproof.sources.weights.checks import local_headers
from tuneproof.sources.weights.shards import INDEX_FILE, check_shards

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards and their index."""
    write_safetensors(tmp_path / FIRST, {"model.embed_tokens.weight": ("BF16", [1024, 8])})
    write_safetensors(tmp_path / SECOND, {"model.norm.weight": ("BF16", [8])})
    places = {"model.embed_tokens.weight": FIRST, "model.norm.weight": SECOND}
    (tmp_path / INDEX_FILE).write_text(json.dumps({"weight_map": places}))
    return tmp_path


def check(folder: Path, engine: str = "vllm") -> None:
    names = [file.name for file in folder.iterdir()]
    check_shards("model sft", folder, names, local_headers("model sft", folder), engine)


def test_a_whole_model_passes(folder: Path) -> None:
    check(folder)
    (folder / INDEX_FILE).unlink()
    check(folder)  # vLLM reads every file that is there


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / SECOND).unlink()
    with pytest.raises(UserError, match=f"model sft: its {SECOND} is missing, which {INDEX_FILE} names; download"):
        check(folder)
    (folder / INDEX_FILE).unlink()
    with pytest.raises(UserError, match="1 of its 2 weight files are missing, the first of them number 2"):
        check(folder)


def test_an_index_that_is_missing_is_told_where_it_is_needed(folder: Path) -> None:
    (folder / INDEX_FILE).unlink()
    with pytest.raises(UserError, match=f"its weights are in 2 files without {INDEX_FILE}, which transformers needs"):
        check(folder, engine="transformers")


def test_a_tensor_that_is_not_where_the_index_says_is_named(folder: Path) -> None:
    write_safetensors(folder / SECOND, {"model.other.weight": ("BF16", [8])})
    with pytest.raises(UserError, match=f"says that model.norm.weight is in {SECOND}, and it is not"):
        check(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": [1]}}'])
def test_an_index_that_is_none_is_one_line(folder: Path, text: str) -> None:
    (folder / INDEX_FILE).write_text(text)
    with pytest.raises(UserError, match=f"its {INDEX_FILE} cannot be read|is missing"):
        check(folder)


@pytest.mark.parametrize("bytes_more", [-1, -16_000, 7])
def test_a_cut_or_spoilt_shard_is_told_with_both_lengths(folder: Path, bytes_more: int) -> None:
    size = (folder / FIRST).stat().st_size
    with (folder / FIRST).open("r+b") as file:
        file.truncate(size + bytes_more)
    words = f"its {FIRST} is cut or spoilt: it has {size + bytes_more:,} bytes, and its header says {size:,}"
    with pytest.raises(UserError, match=words):
        check(folder)
