"""Faults of a model folder that would cost a GPU hour, found by reading its small files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.settings.generation import PromptFormat
from tuneproof.sources.weights.files import weights_of
from tuneproof.sources.weights.safetensors import SUFFIX, Header, file_header
from tuneproof.sources.weights.small import read_json, token_ids
from tuneproof.sources.weights.templates import chat_template
from tuneproof.sources.weights.vocabulary import Vocabulary, check_vocabulary, vocabulary_of

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "vocab.txt", "spiece.model")


def check_model(
    where: str, folder: Path, prompt: PromptFormat, stop: Sequence[str], headers: Mapping[str, Header]
) -> list[str]:
    """Checks a model's configuration and tokenizer; returns warnings, raises a UserError for what cannot work.

    Takes the words for error lines, a folder with at least the small files, the prompt format, the stop strings, and
    the headers of its weights by file where they are known.
    """
    config = read_json(where, folder / "config.json")
    if not config.get("architectures"):
        raise UserError(where, "its config.json names no architecture", "name a model that transformers can load")
    if config.get("auto_map"):
        raise UserError(where, "it needs code of its own (auto_map)", "name a model that runs without foreign code")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(where, "it has no tokenizer", "add the tokenizer's files to the model")
    template = chat_template(where, folder) if prompt == "chat" else None
    if prompt == "chat" and not template:
        raise UserError(where, "it has no chat template", "set `prompt: alpaca`, or add the template it was trained on")
    vocabulary = vocabulary_of(where, folder)
    check_stops(where, stop, vocabulary)
    return [
        *differing_ends(where, folder, config, vocabulary),
        *check_vocabulary(where, folder, vocabulary, headers, template),
    ]


def check_weights(where: str, names: Iterable[str]) -> None:
    """Raises a UserError where the weights are pickles: loading them could run code."""
    weights = weights_of(names)
    if weights and not any(name.endswith((SUFFIX, ".safetensors.index.json")) for name in weights):
        raise UserError(where, f"its weights are pickles ({weights[0]})", "save the model with safetensors")


def local_headers(where: str, folder: Path) -> dict[str, Header]:
    """The header of each weight file of a folder.

    Raises a UserError where one is cut or none at all, such as the pointer that Git leaves without Git LFS.
    """
    names = weights_of(file.name for file in folder.iterdir() if file.is_file())
    return {name: file_header(where, folder / name) for name in names if name.endswith(SUFFIX)}


def check_stops(where: str, stop: Sequence[str], vocabulary: Vocabulary) -> None:
    """Raises a UserError for a stop string that no text can show, since a special token is a part of it.

    A special token alone ends an answer as the token that it is.
    """
    for text in stop:
        within = next((token for token in vocabulary.special if token and token in text), None)
        if within is not None and text not in vocabulary.special:
            found = f"the stop string {one_line(repr(text), 60)} holds the special token {one_line(within, 40)!r}"
            raise UserError(where, f"{found}, which no text shows", "write that token alone in `stop`")


def differing_ends(where: str, folder: Path, config: dict[str, Any], vocabulary: Vocabulary) -> Iterator[str]:
    """Says so when model and tokenizer disagree on the token that ends an answer; both then end it."""
    model_ends = token_ids(config.get("eos_token_id"))
    model_ends |= token_ids(read_json(where, folder / "generation_config.json", required=False).get("eos_token_id"))
    token = read_json(where, folder / "tokenizer_config.json", required=False).get("eos_token")
    tokenizer_end = vocabulary.id_of(token)
    if model_ends and tokenizer_end is not None and tokenizer_end not in model_ends:
        text = token.get("content") if isinstance(token, dict) else token
        yield (
            f"{where}: its tokenizer ends texts with {one_line(text, 40)!r} ({tokenizer_end}) and its configuration "
            f"with {sorted(model_ends)}; each of them ends an answer here, but the model may have been saved wrongly"
        )
