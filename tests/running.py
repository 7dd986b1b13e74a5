"""A stage's script run as a person runs it, in the folder of a project."""

import contextlib
import io
import os
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@dataclass(frozen=True)
class Done:
    """How a script ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run_apart(root: Path, script: str, *arguments: str, **environment: str) -> Done:
    """Runs a script in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *arguments],
        cwd=root, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def run_here(root: Path, script: str, *arguments: str, **environment: str) -> Done:
    """Runs a script within this process, which saves starting one and loading its libraries each time."""
    path = str(SCRIPTS / script)
    output, said = io.StringIO(), io.StringIO()
    code: str | int | None = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(said),
    ):
        patch.chdir(root)
        patch.setattr(sys, "argv", [path, *arguments])
        for name, value in environment.items():
            patch.setenv(name, value)
        before = dict(os.environ)
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as ended:
            code = ended.code
        finally:  # a .env file's variables belong to this run only
            for name in set(os.environ) - set(before):
                del os.environ[name]
    return Done(int(code or 0), output.getvalue(), said.getvalue())
