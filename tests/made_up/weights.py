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
