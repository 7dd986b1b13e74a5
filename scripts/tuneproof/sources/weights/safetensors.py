"""The headers of safetensors files: names and shapes, without reading a weight."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError

LONGEST_HEADER_BYTES = 100_000_000  # what the format allows


PLAIN_NUMBERS = ("F", "BF")  # other types are packed by a quantization, whose shapes say nothing


def plain_shapes(where: str, file: Path) -> Iterator[tuple[str, list[int]]]:
    """The names and shapes of a safetensors file's matrices of plain numbers. Raises a UserError for a broken file."""
    try:
        header = read_header(file)
        for name, entry in header.items():
            if name != "__metadata__" and entry["dtype"].startswith(PLAIN_NUMBERS) and len(entry["shape"]) > 1:
                yield name, entry["shape"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        raise UserError(where, f"its {file.name} cannot be read", "download or save it again") from None


def read_header(file: Path) -> dict[str, Any]:
    """The header of a safetensors file."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(min(length, LONGEST_HEADER_BYTES)))
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    return header
