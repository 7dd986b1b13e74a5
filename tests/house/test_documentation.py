"""What the documentation points at is there: pages, headings, files and commands."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data/embedded/README.md", *(ROOT / "docs").rglob("*.md")]
PACKAGE = ROOT / "scripts" / "tuneproof"
ROOMS = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()]
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
CODE = re.compile(rf"`((?:(?:scripts|tests|docs|requirements)|(?:{'|'.join(ROOMS)}))/[\w./-]*)`")


def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def anchors(page: Path) -> Iterator[str]:
    """The names by which GitHub links to a page's headings."""
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_every_link_leads_to_a_page_and_its_heading(page: Path) -> None:
    for path, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not heading or heading in anchors(target), f"{path}#{heading}"


@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_every_file_of_the_code_that_is_named_is_there(page: Path) -> None:
    for path in CODE.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists() or (PACKAGE / path).exists(), path


def test_every_room_has_a_line_in_the_readme_and_in_contributing() -> None:
    readme, contributing = ((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "CONTRIBUTING.md"))
    for room in ROOMS:
        assert f"    {room}/ " in readme, room
        assert f"| `{room}` |" in contributing, room


def test_every_page_is_in_the_index_of_the_docs() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [
        path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md" and path.name not in index
    ] == []


def test_every_command_of_make_that_the_readme_shows_is_there() -> None:
    shown = re.findall(r"^\$ make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert shown
    assert [target for target in shown if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
