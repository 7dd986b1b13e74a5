"""How a stranger who has nothing but the page gets the same run again."""

import shlex
from pathlib import PurePosixPath
from typing import NamedTuple

from tuneproof.results.repository import folder_in_repository, repository_address

NO_ADDRESS = "<address>"
# The page was written before its commit, so it cannot name it: dvc.lock of that commit has the page's own hash.
COMMIT = 'git log --all --reverse --format=%h -S "$(md5sum < "$page" | cut -c 1-32)" -- dvc.lock'


class Again(NamedTuple):
    """Where the repository is, where that is known, and the commands, one a line."""

    address: str | None
    commands: list[str]


def how_again() -> Again:
    """What this project's repository has to be asked for."""
    address = repository_address()
    return Again(address, commands(address, folder_in_repository()))


def commands(address: str | None, folder: str) -> list[str]:
    """The commands for a repository by its address, and where in it the project lies."""
    cloned = PurePosixPath((address or "").replace(":", "/")).name.removesuffix(".git") or "repository"
    return [
        'page="$PWD/index.html" &&',
        f"git clone {shlex.quote(address) if address else NO_ADDRESS} {shlex.quote(cloned)} &&",
        f"cd {shlex.quote(str(PurePosixPath(cloned, folder)))} &&",
        f'git checkout --detach "$({COMMIT} | head -n 1)" &&',
        "python3 -m venv .venv && source .venv/bin/activate &&",
        "pip install -r requirements/base.txt -c requirements/constraints.txt &&",
        "dvc repro",
    ]
