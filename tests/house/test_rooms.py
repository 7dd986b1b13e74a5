"""The house itself: no room is a hall, and each says what it is."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "scripts" / "tuneproof"
FOLDERS = [path.parent for path in sorted(PACKAGE.rglob("__init__.py"))]
MOST_ENTRIES = 11


@pytest.mark.parametrize("folder", FOLDERS, ids=[str(folder.relative_to(ROOT)) for folder in FOLDERS])
def test_a_folder_has_few_entries_and_says_what_lives_there_what_it_may_import_and_where_to_begin(folder: Path) -> None:
    entries = [path.name for path in folder.iterdir() if path.name not in ("__init__.py", "__pycache__")]
    assert len(entries) <= MOST_ENTRIES
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert len(said.splitlines()) >= 3
    assert "import" in said
    assert "Begin with" in said
