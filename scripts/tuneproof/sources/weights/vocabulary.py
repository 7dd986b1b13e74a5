"""Tokens without a row in the embedding: a model that is fed one fails, and one that must end with it never ends.

The usual cause is a token that was added to the tokenizer while the model's embedding was not resized.
https://huggingface.co/docs/transformers/main_classes/model#transformers.PreTrainedModel.resize_token_embeddings
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.sources.weights.safetensors import Header
from tuneproof.sources.weights.small import read_json, token_ids

EMBEDDINGS = (
    "model.embed_tokens.weight", "embed_tokens.weight", "language_model.model.embed_tokens.weight",
    "model.language_model.embed_tokens.weight", "transformer.wte.weight", "wte.weight", "gpt_neox.embed_in.weight",
    "model.decoder.embed_tokens.weight", "transformer.word_embeddings.weight",
)  # fmt: skip
RESIZE = "resize the model's embedding (resize_token_embeddings) and save both again, or take its own tokenizer"


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer's tokens with their ids; the added ones stand apart, `special` are those of them that no text shows.

    A tokenizer without tokenizer.json has the added ones only.
    """

    plain: Mapping[str, int]
    added: Mapping[str, int]
    special: Mapping[str, int]

    def id_of(self, token: object) -> int | None:
        """The id of a token as tokenizer_config.json names it, a text or a section; None where it is not known."""
        text = token.get("content") if isinstance(token, dict) else token
        return self.added.get(text, self.plain.get(text)) if isinstance(text, str) else None


def vocabulary_of(where: str, folder: Path) -> Vocabulary:
    """The tokens that a folder's small files name. Raises a UserError for a broken file."""
    words = read_json(where, folder / "tokenizer.json", required=False)
    decoder = read_json(where, folder / "tokenizer_config.json", required=False).get("added_tokens_decoder")
    entries = [
        {"id": int(number), **entry}
        for number, entry in (decoder.items() if isinstance(decoder, dict) else ())
        if number.isdecimal() and isinstance(entry, dict)
    ]
    tokens = words.get("added_tokens")
    entries += [token for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []
    known = {str(entry.get("content")): entry for entry in entries if isinstance(entry.get("id"), int)}
    more = read_json(where, folder / "added_tokens.json", required=False)
    added = {text: number for text, number in more.items() if isinstance(number, int)}
    added |= {text: int(entry["id"]) for text, entry in known.items()}
    special = {text: int(entry["id"]) for text, entry in known.items() if entry.get("special")}
    return Vocabulary(plain_tokens(words), added, special)


def plain_tokens(words: Mapping[str, Any]) -> dict[str, int]:
    """The tokens of the model in tokenizer.json: a mapping, or a list of pairs in the order of their ids."""
    model = words.get("model")
    found = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(found, list):
        return {str(pair[0]): number for number, pair in enumerate(found) if isinstance(pair, list) and pair}
    return (
        {text: number for text, number in found.items() if isinstance(number, int)} if isinstance(found, dict) else {}
    )


def embedding_rows(headers: Mapping[str, Header]) -> int | None:
    """The rows of the embedding; None where no header shows it."""
    shapes = {name: shape for header in headers.values() for name, shape in header.plain_shapes()}
    return next((shapes[name][0] for name in EMBEDDINGS if name in shapes), None)


def check_vocabulary(
    where: str, folder: Path, vocabulary: Vocabulary, headers: Mapping[str, Header], template: str | None
) -> list[str]:
    """Holds tokens against the embedding; returns warnings, raises a UserError for what cannot work.

    `template` is the chat template that the model is asked with, None where it is asked without.
    """
    rows = embedding_rows(headers)
    if rows is None:
        return []
    config = read_json(where, folder / "config.json")
    check_size(where, config, rows)
    highest = max(vocabulary.plain.values(), default=0)
    if highest >= rows:
        found = f"its tokenizer has ids up to {highest}, and its embedding {rows} rows"
        raise UserError(where, found, "take the tokenizer that the model was trained with")
    tokenizer = read_json(where, folder / "tokenizer_config.json", required=False)
    check_ends(where, folder, config, vocabulary.id_of(tokenizer.get("eos_token")), rows)
    first = vocabulary.id_of(tokenizer.get("bos_token"))
    if first is not None and first >= rows:
        raise UserError(where, f"the token that begins its texts has the id {first}, {beyond(rows)}", RESIZE)
    outside = {text: number for text, number in vocabulary.added.items() if number >= rows}
    shown = next((text for text in outside if template and text in template), None)
    if shown is not None:
        raise UserError(where, f"its chat template writes {one_line(shown, 40)!r}, a token {beyond(rows)}", RESIZE)
    return list(warnings_of(where, config, vocabulary.id_of(tokenizer.get("pad_token")), outside, rows))


def check_size(where: str, config: Mapping[str, Any], rows: int) -> None:
    """Raises a UserError where the configuration and the weights disagree on the vocabulary's size."""
    text = config.get("text_config")
    size = config.get("vocab_size", text.get("vocab_size") if isinstance(text, dict) else None)
    if isinstance(size, int) and size != rows:
        found = f"its config.json says vocab_size {size}, and its embedding has {rows} rows"
        raise UserError(where, found, "save the model again, or correct vocab_size")


def check_ends(where: str, folder: Path, config: Mapping[str, Any], tokenizer_end: int | None, rows: int) -> None:
    """Raises a UserError where no token that could end an answer has a row."""
    ends = token_ids(config.get("eos_token_id"))
    ends |= token_ids(read_json(where, folder / "generation_config.json", required=False).get("eos_token_id"))
    ends |= {tokenizer_end} if tokenizer_end is not None else set()
    outside = sorted(end for end in ends if end >= rows)
    if outside and len(outside) == len(ends):
        raise UserError(where, f"the token that ends its answers (eos) has the id {outside[0]}, {beyond(rows)}", RESIZE)


def warnings_of(
    where: str, config: Mapping[str, Any], padding: int | None, outside: Mapping[str, int], rows: int
) -> Iterator[str]:
    """What may work, and is told all the same."""
    for number in sorted(token_ids([padding, config.get("pad_token_id")])):
        if number >= rows:
            yield f"{where}: its padding token has the id {number}, {beyond(rows)}; batches are padded with another"
    others = {text: number for text, number in outside.items() if number != padding}
    if others:
        text, number = next(iter(others.items()))
        yield (
            f"{where}: {len(others)} tokens of its tokenizer, such as {one_line(text, 40)!r} ({number}), are "
            f"{beyond(rows)}; a question that holds one cannot be asked"
        )


def beyond(rows: int) -> str:
    """Where a token lies that the model does not have."""
    return f"beyond the {rows} rows of its embedding"
