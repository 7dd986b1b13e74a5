"""Nothing is installed in the container of a SageMaker job: what runs there must do with what vLLM's image holds."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.house.rooms import SCRIPTS, imported
from tests.tuneproof.generation.engines.workspaces import make_workspace, rendered
from tuneproof.generation.jobs import load_engine

# AWS's image adds botocore to vLLM and what vLLM requires (aws/deep-learning-containers, docker/vllm/Dockerfile).
ADDED_BY_AWS = {"botocore", "jmespath", "python-dateutil", "six", "urllib3"}
RUN_THERE = (
    "generate.py", "tuneproof/generation/sagemaker/container.py", "tuneproof/generation/engines/vllm.py",
    "tuneproof/generation/likelihoods/answering.py", "tuneproof/generation/likelihoods/vllm.py",
)  # fmt: skip
CHOSEN_THERE = (
    "tuneproof/generation/engines/transformers.py",
    "tuneproof/sources/hub/downloads.py",
    "tuneproof/sources/folders.py",
)
IN_THE_IMAGE = """
import runpy, sys
from importlib.machinery import PathFinder
hidden, path, *arguments = sys.argv[1:]
class Image(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden.split(",") else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Image
sys.argv = [path, *arguments]
runpy.run_path(path, run_name="__main__")
"""


def normalized(distribution: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@pytest.fixture(scope="module")
def image() -> set[str]:
    """The distributions of the image: vLLM, its requirements and theirs, and what AWS adds."""
    lines = (ROOT / "requirements" / "vllm-cpu.txt").read_text().splitlines()
    pinned = {normalized(line.split("==")[0]) for line in lines if "==" in line}
    assert len(pinned) > 100
    return pinned | ADDED_BY_AWS | {"vllm"}


def modules_missing(image: set[str]) -> set[str]:
    """The modules of this environment that no distribution of the image brings."""
    return {
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if not image & {normalized(name) for name in distributions}
    }


def imports(path: Path, lazy: bool) -> Iterator[str]:
    """The packages that a file imports when it is imported itself, or wherever it does."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def test_every_import_is_in_the_image(image: set[str]) -> None:
    waiting, reached = [SCRIPTS / name for name in RUN_THERE + CHOSEN_THERE], set[Path]()
    found = {name for path in waiting for name in imports(path, lazy=True)}
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            found |= set(imports(path, lazy=False))
            waiting += [module for module in imported(path) if module_is_imported_at_once(path, module)]
    ours = {"tuneproof", *sys.stdlib_module_names}
    distributions = {"vllm": ["vllm"], **importlib.metadata.packages_distributions()}
    for name in found - ours - {"sagemaker"}:
        assert image & {normalized(each) for each in distributions.get(name, [name])}, name


def module_is_imported_at_once(path: Path, module: Path) -> bool:
    """Whether a file imports a module of `tuneproof` outside of any function."""
    name = module.relative_to(SCRIPTS).with_suffix("").as_posix().replace("/", ".")
    parent, _, last = name.rpartition(".")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    within = {id(node) for function in functions for node in ast.walk(function)}
    return any(
        isinstance(node, ast.ImportFrom)
        and id(node) not in within
        and (node.module == name or (node.module == parent and last in {alias.name for alias in node.names}))
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("name", ["embedded", pytest.param("transformers", marks=pytest.mark.exhaustive)])
def test_generating_needs_nothing_that_is_not_in_the_image(image: set[str], tmp_path: Path, name: str) -> None:
    workspace = make_workspace(tmp_path / "workspace", questions=2)
    workspace.set(embedded=name == "embedded")
    workspace.change(engine=name)
    keys = [request.key for request in rendered(load_engine(name), workspace.job(), workspace.questions)]
    (workspace.root / "open.jsonl").write_text("".join(json.dumps({"key": key}) + "\n" for key in keys))
    hidden = modules_missing(image)
    assert {"dvc", "datasets", "moto", "pytest", "boto3"} <= hidden
    done = subprocess.run(
        [
            sys.executable, "-c", IN_THE_IMAGE, ",".join(hidden), str(SCRIPTS / "generate.py"), "sft",
            "--only", "open.jsonl", "--rows", "rows",
        ],
        cwd=workspace.root, env={"PYTHONPATH": str(SCRIPTS)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for path in (workspace.root / "rows").iterdir() for line in path.read_text().splitlines()]
    assert {row["key"] for row in rows} == set(keys)
