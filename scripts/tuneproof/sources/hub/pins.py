"""The pins in data/pins.json: which commit of a Hub repository a branch meant when the project first saw it.

The file is committed in Git, so that an old commit of the project finds the same models and data again after a branch
has moved.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tuneproof.common.errors import UserError
from tuneproof.common.files import write_text

PINS_FILE = Path("data/pins.json")
UPDATE_COMMAND = "python scripts/validate.py --update"

Kind = Literal["model", "dataset"]

_SHA = re.compile(r"[0-9a-f]{40}")
_CONTENT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Pin:
    """A commit on the Hub (`sha`) and the SHA-256 over the files in it that matter (`content`)."""

    sha: str
    content: str


@dataclass
class Pins:
    """The pins of a project. Nothing is written before `save`, which only a validate that succeeded calls.

    `update` says that a pin may move to where its branch is now.
    """

    path: Path = PINS_FILE
    update: bool = False
    _pins: dict[Kind, dict[str, Pin]] = field(default_factory=lambda: {"model": {}, "dataset": {}})

    @classmethod
    def load(cls, path: Path = PINS_FILE, *, update: bool = False) -> "Pins":
        """Reads the file; a missing one holds no pins. Raises a UserError for anything but pins in it."""
        pins = cls(path, update)
        if not path.exists():
            return pins
        try:
            document = json.loads(path.read_bytes())
            for kind, entries in pins._pins.items():
                entries.update({name: _pin(entry) for name, entry in document.get(f"{kind}s", {}).items()})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            remedy = "restore it from Git, or delete it to pin everything anew"
            raise UserError(str(path), f"this is not a file of pins ({error})", remedy) from None
        return pins

    def get(self, kind: Kind, repository: str, revision: str) -> Pin | None:
        """The pin of `repository@revision`, None where there is none yet."""
        return self._pins[kind].get(f"{repository}@{revision}")

    def put(self, kind: Kind, repository: str, revision: str, pin: Pin) -> None:
        """Adds or moves a pin, in memory."""
        self._pins[kind][f"{repository}@{revision}"] = pin

    def save(self) -> None:
        """Writes the file whole, sorted; an unchanged file is left alone."""
        document = {
            f"{kind}s": {name: {"sha": pin.sha, "content": pin.content} for name, pin in sorted(entries.items())}
            for kind, entries in self._pins.items()
        }
        text = json.dumps(dict(sorted(document.items())), indent=2) + "\n"
        if not self.path.exists() or self.path.read_text(encoding="utf-8") != text:
            write_text(self.path, text)


def _pin(entry: dict[str, str]) -> Pin:
    pin = Pin(entry["sha"], entry["content"])
    if not _SHA.fullmatch(pin.sha) or not _CONTENT.fullmatch(pin.content):
        raise ValueError("a sha or content hash is malformed")
    return pin
