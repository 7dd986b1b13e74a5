"""Which files of a model or dataset matter, and the hash that identifies them.

A model card, a licence or an example image changes no answer; weights, tokenizer and configuration do.
"""

import hashlib
import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from tuneproof.common.errors import UserError
from tuneproof.common.files import write_text
from tuneproof.records.keys import canonical_json, sha256_hex

SMALL_FILES = (
    "config.json", "generation_config.json", "adapter_config.json", "*preprocessor_config.json",
    "processor_config.json", "quantize_config.json", "hf_quant_config.json", "tokenizer*", "*.model", "*.tiktoken",
    "tekken.json", "vocab*", "merges.txt", "added_tokens.json", "special_tokens_map.json", "chat_template*",
)  # fmt: skip
SAFE_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
# Named one by one: a training_args.bin or optimizer.bin beside them is no weight, and is a pickle.
PICKLED_WEIGHTS = ("pytorch_model*.bin", "pytorch_model*.bin.index.json", "adapter_model.bin")
# The same weights once more, in the layout of their authors.
DUPLICATE_WEIGHTS = "consolidated*"

DATA_SUFFIXES = frozenset({".parquet", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".arrow"})
COMPRESSION_SUFFIXES = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip"})


def is_small(name: str) -> bool:
    """Whether a file of a model folder is tokenizer or configuration: a few megabytes, read before any weight."""
    return _matches(name, SMALL_FILES)


def weights_of(names: Iterable[str]) -> list[str]:
    """The weight files among a model folder's files, safetensors before pickles, each weight once."""
    found = list(names)
    safe = [name for name in found if _matches(name, SAFE_WEIGHTS)]
    if not safe:
        return sorted(name for name in found if _matches(name, PICKLED_WEIGHTS))
    first_choice = [name for name in safe if not fnmatchcase(name, DUPLICATE_WEIGHTS)]
    return sorted(first_choice or safe)


def model_files(names: Iterable[str]) -> list[str]:
    """The files of a model that matter, sorted. Only the top folder is loaded, so only it counts."""
    found = list(names)
    return sorted({*weights_of(found), *(name for name in found if is_small(name))})


def data_files(names: Iterable[str]) -> list[str]:
    """The files of a dataset that hold rows, sorted, in any folder."""
    return sorted(name for name in names if _holds_rows(PurePosixPath(name)))


def content_hash(identifiers: dict[str, str]) -> str:
    """One SHA-256 over the names of files and what identifies the bytes of each."""
    return sha256_hex(canonical_json(identifiers))


def identify_local_folder(folder: str | Path, cache: Path) -> str:
    """Hashes the files of a local model folder that matter.

    Each file's SHA-256 is remembered in the JSON file `cache` by path, size and time of change (ns), so that 16 GB are
    read once. Raises a UserError when the folder is missing, is no folder, or holds no weights.
    """
    root = Path(folder)
    if not root.is_dir():
        found = "this is a file, not a folder" if root.exists() else "there is no such folder"
        raise UserError(str(folder), found, "give the path of a model folder, or a Hub id")
    names = [path.name for path in root.iterdir() if path.is_file()]
    if not weights_of(names):
        remedy = "give the folder that holds *.safetensors files"
        raise UserError(str(folder), "there are no weights in this folder", remedy)
    remembered = _read_cache(cache)
    hashes = {name: _remembered_sha256(root / name, remembered) for name in model_files(names)}
    text = json.dumps(remembered, indent=1, sort_keys=True) + "\n"
    if not cache.is_file() or cache.read_bytes() != text.encode():
        write_text(cache, text)
    return content_hash(hashes)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return "/" not in name and any(fnmatchcase(name, pattern) for pattern in patterns)


def _holds_rows(path: PurePosixPath) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSION_SUFFIXES:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in DATA_SUFFIXES


def _read_cache(cache: Path) -> dict[str, list[int | str]]:
    try:
        document = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}  # it only saves time
    return document if isinstance(document, dict) else {}


def _remembered_sha256(path: Path, remembered: dict[str, list[int | str]]) -> str:
    state = path.stat()
    key = str(path.resolve())
    entry = remembered.get(key)
    if not isinstance(entry, list) or entry[:2] != [state.st_size, state.st_mtime_ns] or len(entry) != 3:
        with path.open("rb") as file:
            entry = [state.st_size, state.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest()]
        remembered[key] = entry
    return str(entry[2])
