"""The headers of safetensors files: names, shapes and how long the file must be, without reading a weight.

https://huggingface.co/docs/safetensors, "Format".
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tuneproof.common.errors import UserError

SUFFIX = ".safetensors"
LENGTH_BYTES = 8  # the header's own length comes first
LONGEST_HEADER_BYTES = 100_000_000  # what the format allows
PLAIN_NUMBERS = ("F", "BF")  # other types are packed by a quantization, whose shapes say nothing
BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, struct.error)


@dataclass(frozen=True)
class Header:
    """What a file says of itself: each tensor's type and shape, and the length of the whole file."""

    tensors: dict[str, tuple[str, list[int]]]
    file_bytes: int

    def plain_shapes(self) -> Iterator[tuple[str, list[int]]]:
        """The names and shapes of the matrices of plain numbers."""
        for name, (dtype, shape) in self.tensors.items():
            if dtype.startswith(PLAIN_NUMBERS) and len(shape) > 1:
                yield name, shape


class Readable(Protocol):
    """A file, or what can be read like one."""

    def read(self, count: int, /) -> bytes:
        """The next so many bytes, fewer at the end."""


def read_header(opened: Readable) -> Header:
    """The header that an opened file begins with. Raises one of BROKEN where there is none."""
    (length,) = struct.unpack("<Q", opened.read(LENGTH_BYTES))
    document = json.loads(opened.read(min(length, LONGEST_HEADER_BYTES)))
    entries = {name: entry for name, entry in document.items() if name != "__metadata__"}
    tensors = {name: (str(entry["dtype"]), list(entry["shape"])) for name, entry in entries.items()}
    ends = [int(entry["data_offsets"][1]) for entry in entries.values()]
    return Header(tensors, LENGTH_BYTES + length + max(ends, default=0))


def file_header(where: str, file: Path) -> Header:
    """The header of a file on this disk. Raises a UserError for a broken or cut file."""
    try:
        with file.open("rb") as opened:
            header = read_header(opened)
        require_whole(where, file.name, header, file.stat().st_size)
    except BROKEN:
        raise unreadable(where, file.name) from None
    return header


def require_whole(where: str, name: str, header: Header, size_bytes: int) -> None:
    """Raises a UserError for a file of another length than its header says."""
    if size_bytes != header.file_bytes:
        found = f"its {name} is cut or spoilt: it has {size_bytes:,} bytes, and its header says {header.file_bytes:,}"
        raise UserError(where, found, "download or save it again")


def unreadable(where: str, name: str) -> UserError:
    """The error for a file that is no safetensors file."""
    return UserError(where, f"its {name} cannot be read", "download or save it again")
