"""Writes docs/settings.md from what params.yaml says of its settings, so that no table is kept by hand.

It also gives params.yaml the form that DVC writes, which every experiment would give it otherwise. Long texts want a
block (`>-`) with lines of at most 78 characters, for DVC wraps what is longer.

Reads   params.yaml, dvc.yaml
Writes  params.yaml, docs/settings.md
Run     python -m tests.house.settings_tables
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from dvc.utils.hydra import apply_overrides

ROOT = Path(__file__).parents[2]
PAGE = "docs/settings.md"
KEYS_ARE_THE_USERS = {"criteria", "prices", "prices_usd_per_hour"}  # one row, whatever stands in them
LONGEST_VALUE = 60
LINE = re.compile(r"(?P<indent> *)(?:(?P<key>[\w.-]+):)?(?P<value>.*?)(?P<comment>(?:^|(?<=\s))#.*)?$")
HEADING = """# Settings

Every setting of `params.yaml`, its value as shipped and what it does, made from that file's own comments by
`python -m tests.house.settings_tables`; a test compares.

*Tracked by* names the stages that DVC runs again when the value changes. "-" is none: validate runs always, and what it
finds re-runs the others; gate and publish read theirs each time; `execution` changes no result. A setting that is left
out has the value shown, but for `embedded` (false) and the prices (none)."""

Place = tuple[str, ...]


def settings_page(params: str, stages: Mapping[str, Any]) -> str:
    """The page, from the text of params.yaml and the stages of dvc.yaml."""
    words, values = comments(params), yaml.safe_load(params)
    plain = [name for name, value in values.items() if not isinstance(value, dict)]
    parts = [HEADING, f"## {', '.join(plain)}", table([((name,), values[name]) for name in plain], words, stages)]
    for name in values:
        if name == "execution":
            parts += ["## execution", words[(name,)]]
            for inner, section in values[name].items():
                parts += [f"### execution.{inner}", *section_parts((name, inner), section, words, stages)]
        elif name == "models":
            first, model = next(iter(values[name].items()))
            parts += ["## models", *section_parts((name, first), model, words, stages)]
        elif name not in plain:
            parts += [f"## {name}", *section_parts((name,), values[name], words, stages)]
    return "\n\n".join(part for part in parts if part) + "\n"


def section_parts(
    place: Place, section: Mapping[str, Any], words: Mapping[Place, str], stages: Mapping[str, Any]
) -> list[str]:
    """What is said of a section, and its table."""
    said = words.get(place[:1], "") if place[0] == "models" else words.get(place, "")
    return [
        markdown(said[:1].upper() + said[1:]),
        table(list(leaves(place, section)), words, stages, inside=len(place)),
    ]


def comments(params: str) -> dict[Place, str]:
    """What params.yaml says of each section and setting: above it, on its line, and where that goes on below."""
    found: dict[Place, str] = {}
    above: list[str] = []
    place: Place = ()
    column = -1
    indents: list[int] = []
    for line in params.splitlines():
        match = LINE.fullmatch(line)
        assert match
        comment = (match["comment"] or "").lstrip("# ").strip()
        if match["key"]:
            while indents and indents[-1] >= len(match["indent"]):
                indents.pop()
            place = (*place[: len(indents)], match["key"])
            indents.append(len(match["indent"]))
            found[place] = " ".join([*above, comment]).strip()
            above, column = [], match.start("comment")
        elif comment and match.start("comment") == column:
            found[place] += f" {comment}"
        else:
            above = [*above, comment] if comment else []
    return found


def leaves(place: Place, section: Mapping[Any, Any]) -> Iterator[tuple[Place, Any]]:
    """Every setting below a section, with its value."""
    for name, value in section.items():
        inner = (*place, str(name))
        if isinstance(value, dict) and value and name not in KEYS_ARE_THE_USERS:
            yield from leaves(inner, value)
        else:
            yield inner, value


def table(rows: list[tuple[Place, Any]], words: Mapping[Place, str], stages: Mapping[str, Any], inside: int = 0) -> str:
    """A table of settings; their names begin `inside` that many sections."""
    lines = ["| setting | as shipped | what it does | tracked by |", "|---|---|---|---|"]
    for place, value in rows:
        cells = [f"`{'.'.join(place[inside:])}`", shown(value), markdown(words[place]), tracked_by(place[0], stages)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def tracked_by(section: str, stages: Mapping[str, Any]) -> str:
    """The stages that name a section among their params."""
    names = {section, f"{section}.${{key}}"}
    tracking = [name for name, stage in stages.items() if names & set(stage.get("do", stage).get("params", []))]
    return ", ".join(tracking) or "-"


def shown(value: Any) -> str:
    """A value as params.yaml writes it, shortened where it is long."""
    if isinstance(value, dict):
        return ", ".join(map(str, value)) or "{}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace('"', "")
    return markdown(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE].rsplit(' ', 1)[0]} …")


def markdown(text: str) -> str:
    """Text for a cell: neither a column's end nor the beginning of HTML."""
    return text.replace("|", "\\|").replace("<", "\\<")


def main() -> None:
    """Writes both from the files as they are in the working tree."""
    apply_overrides(ROOT / "params.yaml", [])
    params, stages = (ROOT / "params.yaml").read_text(encoding="utf-8"), (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    (ROOT / PAGE).write_text(settings_page(params, yaml.safe_load(stages)["stages"]), encoding="utf-8")


if __name__ == "__main__":
    main()
