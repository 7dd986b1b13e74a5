"""What a Ray cluster is shipped of this code: the rooms that generation reaches, and nothing else of the project."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneproof.common.places import SCRIPTS

ROOMS = ("common", "endpoint", "generation", "records", "settings", "sources")


@contextmanager
def shipped_code() -> Iterator[Path]:
    """A folder with the package that the nodes import; Ray reads it as it is told of it, and it is gone afterwards."""
    package = SCRIPTS / "tuneproof"
    with tempfile.TemporaryDirectory(prefix="tuneproof-code-") as name:
        folder = Path(name) / "tuneproof"
        folder.mkdir()
        shutil.copy(package / "__init__.py", folder)
        for room in ROOMS:
            shutil.copytree(package / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(name)
