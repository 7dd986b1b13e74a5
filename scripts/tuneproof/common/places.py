"""Where things lie: the project that is worked on, the scripts that work on it, and paths from params.yaml."""

import os
from pathlib import Path

from tuneproof.common.errors import UserError

SCRIPTS = Path(__file__).parents[2]  # the folder that holds the package, also where that was shipped elsewhere
MARKS = ("dvc.yaml", ".git")  # of a project, the surest first: in a monorepo, Git's root holds many


def project_root() -> Path:
    """The folder with dvc.yaml, which also holds .cache and .env.

    DVC names it to what it runs, also in its temporary copies. Without DVC it is the nearest folder from the current
    one upwards with dvc.yaml, else Git's root, else the current folder.
    """
    if named := os.environ.get("DVC_ROOT"):
        return Path(named)
    here = Path.cwd()
    marked = (folder for mark in MARKS for folder in (here, *here.parents) if (folder / mark).exists())
    return next(marked, here)


def local_path(path: str) -> Path:
    """A path from params.yaml, from the working copy or else the project's root: DVC's copies lack ignored files."""
    try:
        given = Path(path).expanduser()
    except RuntimeError:  # ~somebody who is not here
        given = Path(path)
    in_root = project_root() / given
    try:
        return in_root if in_root.exists() and not given.exists() else given
    except OSError as error:  # such as a name that is too long
        found = f"this cannot be looked for ({error.strerror or error})"
        raise UserError(f"'{path[:80]}'", found, "correct the path or id in params.yaml") from None
