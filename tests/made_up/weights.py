"""Weight files with a header and no numbers worth reading: only their headers are."""

import json
import math
import struct
from pathlib import Path
from typing import Any

BYTES = {"F32": 4, "BF16": 2, "F16": 2, "U8": 1}


def write_safetensors(file: Path, shapes: dict[str, tuple[str, list[int]]]) -> None:
    """A whole file of zeros, with these types and shapes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in shapes.items():
        begin, end = end, end + BYTES[dtype] * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    file.parent.mkdir(exist_ok=True)
    with file.open("wb") as opened:
        opened.write(struct.pack("<Q", len(text)) + text)
        opened.truncate(8 + len(text) + end)


def padded(weights: bytes, bytes_more: int) -> bytes:
    """The same weights with a tensor more that no model reads, so that they take long to download."""
    (length,) = struct.unpack("<Q", weights[:8])
    header = json.loads(weights[8 : 8 + length])
    end = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    header["padding"] = {"dtype": "U8", "shape": [bytes_more], "data_offsets": [end, end + bytes_more]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + weights[8 + length :] + bytes(bytes_more)
