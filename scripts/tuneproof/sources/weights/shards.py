"""Whether all of a model's weight files are there: what the index names, and what the files' own names count to."""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from tuneproof.common.errors import UserError
from tuneproof.sources.weights.safetensors import Header

INDEX_FILE = "model.safetensors.index.json"
NUMBERED = re.compile(r".*-(\d{5})-of-(\d{5})\.safetensors")
AGAIN = "download or save the model again"


def check_shards(where: str, folder: Path, names: Collection[str], headers: Mapping[str, Header], engine: str) -> None:
    """Raises a UserError where a shard is missing, or holds another part than the index says.

    Takes the folder of the index, the names of the model's files, and the headers by file as far as they are known.
    """
    if INDEX_FILE in names:
        check_index(where, folder / INDEX_FILE, names, headers)
        return
    shards = [found for name in names if (found := NUMBERED.fullmatch(name))]
    for count in {int(shard[2]) for shard in shards}:
        there = {int(shard[1]) for shard in shards if int(shard[2]) == count}
        missing = sorted(set(range(1, count + 1)) - there)
        if missing:
            fault = f"{len(missing)} of its {count} weight files are missing, the first of them number {missing[0]}"
            raise UserError(where, fault, AGAIN)
    if len(shards) > 1 and engine == "transformers":
        fault = f"its weights are in {len(shards)} files without {INDEX_FILE}, which transformers needs"
        raise UserError(where, fault, AGAIN)


def check_index(where: str, index: Path, names: Collection[str], headers: Mapping[str, Header]) -> None:
    """Raises a UserError where an index and the files that it names disagree."""
    try:
        places = dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UserError(where, f"its {index.name} cannot be read", AGAIN) from None
    for tensor, file in places.items():
        if file not in names:
            raise UserError(where, f"its {str(file)[:80]} is missing, which {index.name} names", AGAIN)
        if file in headers and tensor not in headers[file].tensors:
            found = f"{index.name} says that {str(tensor)[:80]} is in {str(file)[:80]}, and it is not"
            raise UserError(where, found, AGAIN)
