"""A made-up run for the tests of what aggregate makes of it, read and changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import JUDGEMENTS
from tuneproof.records.rows import Judgement
from tuneproof.results.details.model import Details, read_details

SHAPE = Shape(questions=60)


def aggregate(directory: Path) -> str:
    """Runs the stage and returns what it said."""
    done = run_here(directory, "aggregate.py")
    assert done.returncode == 0, done.stderr
    return done.stderr


def metrics(directory: Path, model: str) -> dict[str, Any]:
    """The metrics file of a model."""
    loaded: dict[str, Any] = json.loads((directory / f"metrics/{model}.json").read_text())
    return loaded


def details(directory: Path, model: str) -> Details:
    """The details file of a model."""
    return read_details(directory / f"data/details/{model}.json")


def change_judgements(directory: Path, model: str, change: Callable[[int, Judgement], Judgement | None]) -> None:
    """Changes a model's judgements, dropping those for which None comes back."""
    path = directory / JUDGEMENTS.path(model)
    changed = [change(place, row) for place, row in enumerate(read_rows(path, Judgement, made_by=""))]
    write_rows(path, [row for row in changed if row])


def change_params(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes params.yaml."""
    params = yaml.safe_load((directory / "params.yaml").read_text())
    change(params)
    (directory / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def every_file(directory: Path) -> dict[str, bytes]:
    """What the stage writes, by name."""
    roots = ("metrics", "data/details", "report/plots")
    paths = sorted(path for root in roots for path in (directory / root).iterdir())
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def write_small_changes(directory: Path) -> Path:
    """A run of 40 questions with scores between the steps, in which sft is worse on three and counts so on two.

    On the first it loses 0.4 in accuracy, on the second 0.5; on the third it gains a step there and loses one in style.
    """
    write_run(directory, Shape(questions=40, unusable=0))
    changed = [(1.6, 2.0), (1.5, 2.0), (3.0, 1.0)]
    for model in ("sft", "dpo", "baseline"):
        of_model = changed if model == "sft" else []

        def scored(place: int, row: Judgement, of_model: list[tuple[float, float]] = of_model) -> Judgement:
            accuracy, style = of_model[place] if place < len(of_model) else (2.0, 2.0)
            reply = row.replies[0].model_copy(update={"scores": {"accuracy": accuracy, "style": style}})
            scores = {"accuracy": accuracy, "style": style}
            return row.model_copy(update={"scores": scores, "replies": [reply, reply]})

        change_judgements(directory, model, scored)
    aggregate(directory)
    return directory
