"""Which rooms of scripts/tuneproof a stage reaches, read from its imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

SCRIPTS = ROOT / "scripts"
PACKAGE = SCRIPTS / "tuneproof"
# What a stage chooses by its name in params.yaml, without importing it.
CHOSEN = {"generate": "tuneproof/generation/engines/*.py"}


@cache
def imported(path: Path) -> frozenset[Path]:
    """The modules of `tuneproof` that a file imports itself, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in imported_names(node):
            module = SCRIPTS.joinpath(*name.split(".")).with_suffix(".py")
            if name.startswith("tuneproof.") and module.is_file():
                found.add(module)
    return frozenset(found)


def imported_names(node: ast.AST) -> Iterator[str]:
    """The dotted names that an import statement may mean."""
    if isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)


def modules_reached(stage: str) -> set[Path]:
    """Every module of `tuneproof` that a stage's script reaches."""
    waiting = [*imported(SCRIPTS / f"{stage}.py"), *SCRIPTS.glob(CHOSEN.get(stage, "nothing"))]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(path)
    return found


def room(module: Path) -> str:
    """The folder that stands in dvc.yaml for a module: its room, of those who score the one among them."""
    parts = module.relative_to(PACKAGE).parts
    return str(PACKAGE.joinpath(*parts[: 2 if parts[0] == "scoring" else 1]).relative_to(ROOT))


def rooms_reached(stage: str) -> set[str]:
    """The rooms that a stage's script reaches, as dvc.yaml lists them."""
    return {room(module) for module in modules_reached(stage)}
