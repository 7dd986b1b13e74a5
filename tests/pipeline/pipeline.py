"""A clone of this repository with a project in it, driven by the real DVC."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import NO_PINS, ROOT, SECRET_VARIABLES
from tests.own_settings import own_settings
from tests.processes import ended_with_test

RECORDED = ("sft", "dpo", "baseline")
CODE = (
    ".dvc/.gitignore", ".dvc/plots", ".dvcignore", ".gitignore", "LICENSE", "Makefile", "README.md", "checks", "tasks",
    "data/embedded", "data/labels", "docs", "dvc.yaml", "pyproject.toml", "report/dvc.yaml", "report/evaluator",
    "requirements", "scripts",
)  # fmt: skip
DVC_CONFIGURATION = """[core]
    analytics = false
    check_update = false
    autostage = false
[plots]
    html_template = plots/offline.html
"""
# Where it is installed, importing the harness for each model takes longer than all the rest of a small pipeline.
WITHOUT_HARNESS = ROOT / "tests" / "pipeline" / "without_harness"


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in the environment of a person who has activated the virtual environment."""
    clean = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    clean = {"PYTHONPATH": str(WITHOUT_HARNESS)} | clean
    return subprocess.run(
        command, cwd=cwd, env=clean | {"PATH": path} | environment, capture_output=True, text=True, check=False
    )


def copy_files(root: Path, *names: str) -> None:
    """Copies files and folders of this working tree that Git knows or would take."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *names, cwd=ROOT).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)


class Clone:
    """A clone to work in. `dvc` runs a DVC command that must succeed and gives everything it printed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of_this_repository(cls, root: Path) -> "Clone":
        """The code of this working tree with the tests' own settings, as one commit: no setting or result of a user."""
        copy_files(root, *CODE)
        (root / ".dvc" / "config").write_text(DVC_CONFIGURATION)
        clone = cls(root)
        clone.write_params(own_settings())
        (root / "data" / "pins.json").write_text(NO_PINS)
        clone.git("init", "--quiet", "--initial-branch", "main")
        clone.set_identity()
        clone.commit("Start")
        return clone

    def pretend_set_up(self) -> None:
        """Spares `make` the installation: the environment that runs the tests stands where it would make its own."""
        environment = self.root / ".venv"
        environment.mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (environment / name).symlink_to(Path(sys.prefix) / name)
        (environment / ".base-is-installed").touch()

    def set_identity(self) -> None:
        """Git wants to know who commits."""
        self.git("config", "user.name", "Tests")
        self.git("config", "user.email", "tests@localhost")

    def git(self, *arguments: str) -> str:
        """Runs git."""
        done = run("git", *arguments, cwd=self.root)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self, message: str) -> None:
        """Commits everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def dvc(self, *arguments: str, **environment: str) -> str:
        """Runs DVC."""
        done = run("dvc", *arguments, cwd=self.root, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start_dvc(self, shell: str, *arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Starts DVC in a process group of its own; it runs stages by `shell`, which may stay between them."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return ended_with_test(subprocess.Popen(
            ["dvc", *arguments], cwd=self.root, env=os.environ | environment | {"PATH": path, "SHELL": shell},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        ))  # fmt: skip

    def failing_dvc(self, *arguments: str, **environment: str) -> str:
        """Runs a DVC command that must fail."""
        done = run("dvc", *arguments, cwd=self.root, **environment)
        assert done.returncode != 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def stages_run(self, *arguments: str, **environment: str) -> set[str]:
        """The stages that `dvc repro` really ran, without those that run always."""
        printed = self.dvc("repro", *arguments, **environment)
        return set(re.findall(r"Running stage '([^']+)'", printed)) - {"validate", "publish"}

    def params(self) -> dict[str, Any]:
        """The settings as plain data."""
        values: dict[str, Any] = yaml.safe_load((self.root / "params.yaml").read_text())
        return values

    def write_params(self, params: dict[str, Any]) -> None:
        """Writes the settings."""
        (self.root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def use_served_models(self, base_url: str) -> None:
        """Makes it a real run of two models behind an endpoint, judged there too."""
        rows = [{"instruction": f"What is {number}?", "output": f"It is {number}."} for number in range(12)]
        self.write_lines("questions.jsonl", rows)
        params = self.params()
        params["questions"]["dataset"] = "questions.jsonl"
        served = {"engine": "endpoint", "base_url": base_url, "prompt": "chat"}
        params["models"] = {model: served | {"id": f"small-{model}"} for model in ("sft", "baseline")}
        params["judge"]["base_url"] = base_url
        self.write_params(params)

    def use_recorded_models(self, base_url: str, questions: int = 6) -> None:
        """Makes it a real run that needs no GPU: answers made elsewhere, judged at a local address."""
        rows = [
            {"instruction": f"What is {number}?", "output": f"It is {number}, a number.", "level": str(number % 2)}
            for number in range(questions)
        ]
        self.write_lines("questions.jsonl", rows)
        for model in (*RECORDED, "orpo"):
            self.write_lines(
                f"{model}.jsonl",
                [{"instruction": row["instruction"], "answer": f"{model} says {row['output']}"} for row in rows],
            )
        params = self.params()
        params["questions"]["dataset"] = "questions.jsonl"
        params["models"] = {model: {"engine": "recorded", "path": f"{model}.jsonl"} for model in RECORDED}
        params["judge"]["base_url"] = base_url
        self.write_params(params)

    def write_lines(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Writes a JSON Lines file."""
        (self.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        return (self.root / name).read_bytes()
