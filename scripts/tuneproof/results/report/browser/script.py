"""The browser's script: parts that see each other and nothing else sees."""

from pathlib import Path

SCRIPT_DIRECTORY = Path(__file__).parents[1] / "templates" / "script"
SCRIPT_PARTS = (
    "elements", "scores", "order", "filters", "address", "markdown", "words", "question", "list", "downloads",
    "browser",
)  # fmt: skip


def page_script() -> str:
    """The browser's script, put together from its parts, which see each other and nothing else sees."""
    parts = [(SCRIPT_DIRECTORY / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPT_PARTS]
    return "\n".join(['"use strict";', "(() => {", *parts, "})();", ""])
