"""Every shell command that the documentation shows, in a block or in a sentence, as a person would type it."""

import re
from collections.abc import Iterator

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data/embedded/README.md", *(ROOT / "docs").rglob("*.md")]
PROGRAMS = r"(?:aws|cp|docker|dvc|git|hf|inspect|make|mkdir|mypy|pip|pytest|python|ray|ruff|source|\.ci/run)"
COMMAND = re.compile(rf"(?:[A-Z_]+=\S+ )*{PROGRAMS}(?: .*)?")
FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n)+")
INLINE = re.compile(r"`([^`\n]+)`")
NO_SHELL = {"ini", "json", "jsonl", "mermaid", "python"}


def documented_commands() -> dict[str, set[str]]:
    """Every command with the pages that show it."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        for command in commands_of(page.read_text(encoding="utf-8")):
            found.setdefault(command, set()).add(str(page.relative_to(ROOT)))
    return found


def commands_of(page: str) -> Iterator[str]:
    """The commands of a page's text: those of its blocks, and those within its sentences that have an argument."""
    for _, language, block in FENCED.findall(page):
        if language not in NO_SHELL:
            yield from commands_of_block(block, prompted=language == "console")
    sentences = FENCED.sub("", page)
    for block in INDENTED.findall(sentences):
        yield from commands_of_block(block, prompted=False)
    for text in INLINE.findall(INDENTED.sub("", sentences)):
        if " " in text and COMMAND.fullmatch(text):
            yield text


def commands_of_block(block: str, prompted: bool) -> Iterator[str]:
    """The commands of a block, without remarks; where it has prompts, all else is what they print."""
    for line in block.replace("\\\n", " ").splitlines():
        text = re.sub(r"\s+#.*", "", " ".join(line.split())).removeprefix("- run: ")
        if prompted and not text.startswith("$ "):
            continue
        if COMMAND.fullmatch(text.removeprefix("$ ")):
            yield text.removeprefix("$ ")
