"""That `make measurements` can run: each measurement starts, and the first that fails ends it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "measurements"
NEEDS_MORE = {"win_rates", "recorded_outputs", "on_a_gpu"}  # data of others, a GPU


def listed() -> list[str]:
    """The measurements that `make measurements` runs."""
    found = re.search(r"^MEASUREMENTS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found.group(1).split()


def test_every_program_among_the_measurements_is_run() -> None:
    programs = {path.stem for path in FOLDER.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert set(listed()) == programs - NEEDS_MORE


ASKED_FOR_HELP = f"""
import contextlib, io, json, runpy, sys
said = {{}}
for name in {listed()}:
    sys.argv = [f'{{name}}.py', '--help']
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as output:
        runpy.run_path(f'tests/measurements/{{name}}.py', run_name='__main__')
    said[name] = output.getvalue()
print(json.dumps(said))
"""


def test_every_measurement_starts_and_needs_no_argument() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKED_FOR_HELP], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"scripts{os.pathsep}."},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said: dict[str, str] = json.loads(done.stdout)
    for name in listed():
        usage = " ".join(said[name].split("\n\n")[0].split())
        assert re.fullmatch(rf"usage: {name}\.py( \[[^]]*\]+)*", usage), usage


def test_the_first_failure_ends_the_measurements(tmp_path: Path) -> None:
    installed = ("browser", tmp_path / ".dev-is-installed", tmp_path / ".vllm-is-installed")  # as far as make knows
    old = [word for target in installed for word in ("--old-file", str(target))]
    done = subprocess.run(
        ["make", *old, f"VENV={tmp_path}", f"VENV_VLLM={tmp_path}", "measurements", "MEASUREMENTS=no_such_one startup"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={name: value for name, value in os.environ.items() if "MAKE" not in name},  # as if no make ran the tests
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stdout.splitlines() == ["== no_such_one"]
