"""What names a result in the ledger: the SHA-256 of the one JSON text of everything that determines it."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII; raises ValueError on NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256_hex(text: str) -> str:
    """The SHA-256 of a text in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def content_key(value: Any) -> str:
    """The ledger key of everything that determines a result: SHA-256 of its canonical JSON."""
    return sha256_hex(canonical_json(value))
