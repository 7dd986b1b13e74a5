"""A folder's chat template, from the places where transformers looks for it."""

from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.sources.weights.small import read_json

TEMPLATE_FILE = "chat_template.jinja"


def chat_template(where: str, folder: Path) -> str | None:
    """The template that messages are written with, None where there is none.

    Raises a UserError for named templates of which none is the default: nothing says which of them is meant.
    """
    file = folder / TEMPLATE_FILE
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace")
    for name in ("chat_template.json", "tokenizer_config.json"):
        found = read_json(where, folder / name, required=False).get("chat_template")
        if found:
            return default_of(where, found)
    return None


def default_of(where: str, found: Any) -> str:
    """One template, or the default of several named ones: a mapping, or a list of sections with name and template."""
    if isinstance(found, list):
        found = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}
    if isinstance(found, dict):
        names = one_line(", ".join(sorted(map(str, found))), 80)
        found = found.get("default")
        if not isinstance(found, str):
            fault = f"its chat templates are called {names}, and none of them `default`"
            raise UserError(where, fault, "name the one to use `default` in its tokenizer_config.json")
    if not isinstance(found, str):
        raise UserError(where, "its chat template is no text", "download or save the model again")
    return found
