"""Writes the picture of the stages into README.md, from what `dvc dag` makes of dvc.yaml.

DVC draws every dependency; an arrow is left out here where a longer way leads there too, so that the picture can be
read. `train` makes no stages until `evaluator.criteria` names some, and is drawn all the same.

Reads   dvc.yaml, README.md
Writes  README.md
Run     python -m tests.house.stages_picture
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tests.own_settings import own_settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "README.md"
PICTURE = re.compile(r"```mermaid\n.*?```", re.DOTALL)
NODE = re.compile(r'(node\d+)\["([^"]+)"\]')
ARROW = re.compile(r"(node\d+)-->(node\d+)")
Arrows = set[tuple[str, str]]


def stages_picture() -> str:
    """The stages and what each hands to which, as Mermaid."""
    drawn = mermaid_of_dvc()
    names = dict(NODE.findall(drawn))
    arrows = {(names[start], names[end]) for start, end in ARROW.findall(drawn)}
    order = list(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
    kept = sorted(without_detours(arrows), key=lambda arrow: (order.index(arrow[0]), order.index(arrow[1])))
    return "\n".join(["```mermaid", "flowchart LR", *(f"    {start} --> {end}" for start, end in kept), "```"])


def mermaid_of_dvc() -> str:
    """What `dvc dag` draws in an empty project with the tests' own settings, models and criteria as one stage each."""
    settings = own_settings()
    settings["evaluator"] = {**settings.get("evaluator", {}), "criteria": {"accuracy": {}}}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
        (project / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        dvc(project, "init", "--no-scm", "--quiet")
        return dvc(project, "dag", "--mermaid", "--collapse-foreach-matrix")


def dvc(project: Path, *arguments: str) -> str:
    """Runs a DVC command that must succeed; returns what it printed."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout


def without_detours(arrows: Arrows) -> Arrows:
    """The arrows without those between two stages that a longer way connects as well."""
    return {(start, end) for start, end in arrows if not reaches(start, end, arrows - {(start, end)})}


def reaches(start: str, end: str, arrows: Arrows) -> bool:
    """Whether a way leads from one stage to another."""
    after = {other for one, other in arrows if one == start}
    return end in after or any(reaches(one, end, arrows) for one in after)


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PICTURE.sub(lambda _: stages_picture(), text, count=1), encoding="utf-8")
