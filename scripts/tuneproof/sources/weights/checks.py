"""Faults of a model folder that would cost a GPU hour, found by reading its small files."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.settings.generation import PromptFormat
from tuneproof.sources.weights.files import weights_of
from tuneproof.sources.weights.safetensors import plain_shapes

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "vocab.txt", "spiece.model")


def check_model(where: str, folder: Path, prompt: PromptFormat) -> list[str]:
    """Checks a model's configuration and tokenizer; returns warnings, raises a UserError for what cannot work.

    Takes the words for error lines, a folder with at least the small files, and the prompt format.
    """
    config = read_json(where, folder / "config.json")
    if not config.get("architectures"):
        raise UserError(where, "its config.json names no architecture", "name a model that transformers can load")
    if config.get("auto_map"):
        raise UserError(where, "it needs code of its own (auto_map)", "name a model that runs without foreign code")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(where, "it has no tokenizer", "add the tokenizer's files to the model")
    tokenizer = read_json(where, folder / "tokenizer_config.json", required=False)
    words = read_json(where, folder / "tokenizer.json", required=False)
    if prompt == "chat" and not has_chat_template(folder, tokenizer):
        raise UserError(where, "it has no chat template", "set `prompt: alpaca`, or add the template it was trained on")
    return list(differing_ends(where, folder, config, tokenizer, words))


def check_weights(where: str, names: Iterable[str]) -> None:
    """Raises a UserError where the weights are pickles: loading them could run code."""
    weights = weights_of(names)
    if weights and not any(name.endswith((".safetensors", ".safetensors.index.json")) for name in weights):
        raise UserError(where, f"its weights are pickles ({weights[0]})", "save the model with safetensors")


def check_headers(where: str, folder: Path) -> None:
    """Raises a UserError where a weight file is none, such as the pointer that Git leaves without Git LFS."""
    for name in weights_of(file.name for file in folder.iterdir()):
        if name.endswith(".safetensors"):
            list(plain_shapes(where, folder / name))


def check_adapter(where: str, folder: Path) -> None:
    """Checks that a folder holds a LoRA adapter. Raises a UserError otherwise."""
    config = read_json(where, folder / "adapter_config.json")
    if str(config.get("peft_type", "")).upper() != "LORA":
        raise UserError(where, f"its adapter is of type {str(config.get('peft_type'))[:40]}", "name a LoRA adapter")


def has_chat_template(folder: Path, tokenizer: dict[str, Any]) -> bool:
    """Whether a chat template stands in any of the places where transformers looks for one."""
    files = ("chat_template.jinja", "chat_template.json")
    return bool(tokenizer.get("chat_template")) or any((folder / name).is_file() for name in files)


def differing_ends(
    where: str, folder: Path, config: dict[str, Any], tokenizer: dict[str, Any], words: dict[str, Any]
) -> Iterator[str]:
    """Says so when model and tokenizer disagree on the token that ends an answer; both then end it."""
    model_ends = token_ids(config.get("eos_token_id"))
    model_ends |= token_ids(read_json(where, folder / "generation_config.json", required=False).get("eos_token_id"))
    token = tokenizer.get("eos_token")
    text = token.get("content") if isinstance(token, dict) else token
    tokenizer_end = id_of_token(words, text) if isinstance(text, str) else None
    if model_ends and tokenizer_end is not None and tokenizer_end not in model_ends:
        yield (
            f"{where}: its tokenizer ends texts with {text!r} ({tokenizer_end}) and its configuration with "
            f"{sorted(model_ends)}; each of them ends an answer here, but the model may have been saved wrongly"
        )


def token_ids(value: Any) -> set[int]:
    """An `eos_token_id`, which may be one number, several or none."""
    return {token for token in (value if isinstance(value, list) else [value]) if isinstance(token, int)}


def id_of_token(words: dict[str, Any], text: str) -> int | None:
    """The id of a special token in what tokenizer.json holds; no tokenizer is loaded for it."""
    added = words.get("added_tokens")
    tokens = [token for token in added if isinstance(token, dict)] if isinstance(added, list) else []
    ids = token_ids([token.get("id") for token in tokens if token.get("content") == text])
    return min(ids, default=None)


def read_json(where: str, path: Path, required: bool = True) -> dict[str, Any]:
    """One of a model's JSON files; {} where it may be missing. Raises a UserError when it is needed or broken."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise UserError(where, f"it has no {path.name}", "name a complete model") from None
    except (ValueError, OSError, RecursionError) as error:
        raise UserError(
            where, f"its {path.name} is no JSON ({one_line(error)})", "download or save the model again"
        ) from None
    if not isinstance(document, dict):
        raise UserError(where, f"its {path.name} is no JSON object", "download or save the model again")
    return document
