import os
from pathlib import Path

import pytest

from tuneproof.common.errors import UserError
from tuneproof.sources.weights import files as model_files
from tuneproof.sources.weights.files import data_files, identify_local_folder, weights_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors", "README.md"):
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize(
    ("names", "weights"),
    [
        (["model.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
        (["pytorch_model.bin", "training_args.bin", "optimizer.bin"], ["pytorch_model.bin"]),
        (["model.safetensors", "consolidated.safetensors"], ["model.safetensors"]),
        (["consolidated.safetensors"], ["consolidated.safetensors"]),
        (["adapter_model.safetensors"], ["adapter_model.safetensors"]),
        (["original/model.safetensors", "checkpoint-5/model.safetensors"], []),
        (["model.gguf", "README.md"], []),
        (
            ["model-2.safetensors", "model.safetensors.index.json", "model-1.safetensors"],
            ["model-1.safetensors", "model-2.safetensors", "model.safetensors.index.json"],
        ),
    ],
)
def test_weights_are_safetensors_first_and_each_weight_once(names: list[str], weights: list[str]) -> None:
    assert weights_of(names) == weights


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("config.json", True),
        ("generation_config.json", True),
        ("tokenizer.model", True),
        ("tokenizer_config.json", True),
        ("special_tokens_map.json", True),
        ("vocab.json", True),
        ("merges.txt", True),
        ("chat_template.jinja", True),
        ("adapter_config.json", True),
        ("README.md", False),
        ("LICENSE", False),
        (".gitattributes", False),
        ("trainer_state.json", False),
        ("modeling_custom.py", False),
        ("runs/events.out", False),
        ("onnx/config.json", False),
    ],
)
def test_a_file_matters_when_it_can_change_an_answer(name: str, matters: bool) -> None:
    assert (name in model_files.model_files([name, "model.safetensors"])) == matters


def test_files_of_rows_are_found_in_any_folder_and_compressed() -> None:
    names = ["data/test-00000.parquet", "train.jsonl.gz", "TEST.CSV", "README.md", "images/a.png", "notes.gz", "x.json"]
    assert data_files(names) == ["TEST.CSV", "data/test-00000.parquet", "train.jsonl.gz", "x.json"]


def test_a_folder_is_known_by_what_matters_in_it(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "hashes.json"
    before = identify_local_folder(folder, cache)
    (folder / "README.md").write_text("a better card")
    (folder / "trainer_state.json").write_text("{}")
    assert identify_local_folder(folder, cache) == before
    (folder / "tokenizer.json").write_text("another tokenizer")
    changed = identify_local_folder(folder, cache)
    assert changed != before
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    assert identify_local_folder(folder, cache) not in (before, changed)


def test_a_copy_of_a_folder_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    cache = tmp_path / "hashes.json"
    assert identify_local_folder(copy, cache) == identify_local_folder(folder, cache)


def test_weights_are_read_once_while_size_and_time_stay(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "hashes.json"
    weights = folder / "model.safetensors"
    first = identify_local_folder(folder, cache)
    written = weights.stat()
    weights.write_bytes(weights.read_bytes()[::-1])
    os.utime(weights, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert identify_local_folder(folder, cache) == first  # not read again
    os.utime(weights, ns=(written.st_atime_ns, written.st_mtime_ns + 1))
    assert identify_local_folder(folder, cache) != first


@pytest.mark.parametrize("text", ["not JSON", "\xff", "[]", '{"%s": 3}', '{"%s": [1, 2]}', '{"%s": [17, 0, "forged"]}'])
def test_a_spoilt_cache_costs_time_and_nothing_else(text: str, folder: Path, tmp_path: Path) -> None:
    expected = identify_local_folder(folder, tmp_path / "clean.json")
    cache = tmp_path / "spoilt.json"
    cache.write_text(text.replace("%s", str(folder / "model.safetensors")), encoding="latin-1")
    assert identify_local_folder(folder, cache) == expected


def test_what_is_no_model_folder_stops(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "hashes.json"
    empty = tmp_path / "empty"
    empty.mkdir()
    for path, found in (
        (tmp_path / "nowhere", "there is no such folder"),
        (folder / "config.json", "this is a file, not a folder"),
        (empty, "there are no weights in this folder"),
    ):
        with pytest.raises(UserError, match=found):
            identify_local_folder(path, cache)
    assert not cache.exists()
