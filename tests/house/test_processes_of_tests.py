"""Tests start processes only in ways that end them too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.processes import ended_with_test, ending_processes
from tests.waiting import wait_until

FILES = [path for path in (ROOT / "tests").rglob("*.py") if "measurements" not in path.parts]


def starts(tree: ast.AST) -> list[ast.Call]:
    """The calls that start a process which runs beside the caller."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) == "subprocess.Popen"]


def ended(tree: ast.AST) -> set[int]:
    """The ids of the calls whose processes are ended: by the block of a `with`, or with the test."""
    found = set[int]()
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            found |= {id(item.context_expr) for item in node.items}
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "ended_with_test":
            found |= {id(argument) for argument in node.args}
    return found


def test_a_process_is_ended_by_its_block_or_with_its_test() -> None:
    left = []
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known = ended(tree)
        left += [f"{path.relative_to(ROOT)}:{call.lineno}" for call in starts(tree) if id(call) not in known]
    assert left == []


def test_the_end_of_a_test_ends_what_it_left_running_with_the_group_and_closes_its_streams(tmp_path: Path) -> None:
    with (
        subprocess.Popen(["cat"], stdin=subprocess.PIPE) as beside,
        pytest.raises(AssertionError),
        ending_processes(),
    ):
        alone = ended_with_test(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        group = ended_with_test(
            subprocess.Popen(
                ["sh", "-c", "sleep 600 & echo $! > child; wait"], cwd=tmp_path, stdout=subprocess.PIPE,
                start_new_session=True,
            )
        )  # fmt: skip
        told = tmp_path / "child"
        wait_until(lambda: told.exists() and told.read_text().endswith("\n"), group)
        child = Path("/proc", told.read_text().strip())
        assert child.exists()
        raise AssertionError
    assert alone.returncode is not None and group.returncode is not None
    assert alone.stdin and alone.stdin.closed and group.stdout and group.stdout.closed
    wait_until(lambda: not child.exists() or " Z " in (child / "stat").read_text())
    assert beside.returncode == 0, "what was begun outside of it ended by itself"
