"""A made-up run for the tests of what aggregate makes of it, read and changed."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import CHECKS, JUDGEMENTS
from tuneproof.records.rows import Check, Judgement
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


EDGES = {"accuracy": (1.0, 1.5, 2.0, 2.5, 3.0), "style": (0.1, 0.25, 0.4, 0.55, 0.7)}  # half a step apart
PROGRAMS = {"finished": "finish", "no_loop": "repetition", "shared_words": "token_f1"}


def write_edges(directory: Path) -> Shape:
    """A run of four models whose scores differ by exactly half a step, by thirds of it, or hardly, and lack at times.

    The scores of programs are tenths, which no float holds.
    """
    shape = Shape(
        questions=60, models=("sft", "dpo", "orpo", "baseline"), samples=3, unusable=0.15,
        criteria={"accuracy": (1, 2, 3), "style": (0.1, 0.4, 0.7)},
    )  # fmt: skip
    write_run(directory, shape)
    change_params(directory, lambda params: params.update(check={name: {"kind": k} for name, k in PROGRAMS.items()}))
    chance = random.Random(3)
    for model in shape.models:
        of_question: dict[str, dict[str, float]] = {}

        def scored(_: int, row: Judgement, same: dict[str, dict[str, float]] = of_question) -> Judgement:
            drawn = {name: chance.choice(steps) for name, steps in EDGES.items()}
            if row.scores is None:
                return row
            scores = drawn if chance.random() < 0.3 else same.setdefault(row.id, drawn)
            reply = row.replies[0].model_copy(update={"scores": scores})
            return row.model_copy(update={"scores": scores, "replies": [reply, reply]})

        change_judgements(directory, model, scored)
        path = directory / CHECKS.path(model)
        checks = read_rows(path, Check, made_by="")
        tenths = [
            {"finished": 1.0, "no_loop": float(chance.random() < 0.5), "shared_words": chance.randrange(4) / 10}
            for _ in checks
        ]
        write_rows(
            path, [row.model_copy(update={"scores": scores}) for row, scores in zip(checks, tenths, strict=True)]
        )
    aggregate(directory)
    return shape
