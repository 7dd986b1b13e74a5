"""Counting the tokens of requests as OpenAI's models do, where tiktoken and its files are there already."""

import functools
import hashlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENCODINGS_ADDRESS = "https://openaipublic.blob.core.windows.net/encodings"


def tiktoken_bytes_per_token(model: str, requests: Sequence[str]) -> float | None:
    """Bytes of a request (a body as JSON) per token of its messages and schema; None where they cannot be counted.

    tiktoken would download a model's vocabulary, without a time-out; only one that it has kept before is used.
    """
    encoding = _encoding(model)
    if encoding is None or not requests:
        return None
    tokens = sum(len(encoding.encode_ordinary(_text(json.loads(request)))) for request in requests)
    return sum(map(len, requests)) / max(tokens, 1)


def _text(body: dict[str, Any]) -> str:
    contents = [message["content"] for message in body["messages"]]
    schema = json.dumps(body["response_format"], separators=(",", ":")) if "response_format" in body else ""
    return "\n".join([*contents, schema]).encode("utf-8", "replace").decode()


@functools.cache
def _encoding(model: str) -> Any | None:
    if importlib.util.find_spec("tiktoken") is None:
        return None
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model(model)
    except KeyError:
        return None
    return tiktoken.get_encoding(name) if _kept_file(name).is_file() else None


def _kept_file(name: str) -> Path:
    """Where tiktoken keeps a vocabulary (tiktoken/load.py)."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    address = f"{ENCODINGS_ADDRESS}/{name}.tiktoken"
    kept = hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
    return Path(folder or Path(tempfile.gettempdir()) / "data-gym-cache") / kept
