"""An evaluator on an encoder, from examples to its folder: training, ONNX, calibration, learning curve."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tuneproof.common.errors import say
from tuneproof.common.files import write_json
from tuneproof.scoring.evaluator.contract import Base, Calibration, Manifest
from tuneproof.scoring.evaluator.encoder.exporting import FULL, LOST_AT_MOST, SMALL, write_encoder
from tuneproof.scoring.evaluator.encoder.fitting import Lesson, fit_encoder
from tuneproof.scoring.evaluator.encoder.model import open_encoder
from tuneproof.scoring.evaluator.learning.calibrating import HeldOut, fit_calibration, fit_cuts
from tuneproof.scoring.evaluator.learning.curves import Point, point, subsets
from tuneproof.scoring.evaluator.learning.examples import Example
from tuneproof.scoring.evaluator.learning.measuring import Rated, area
from tuneproof.scoring.evaluator.learning.training import Outcome, Task, trained_on

CURVE_SHARES = (0.25, 0.5)


def train_encoder(
    task: Task,
    lesson: Lesson,
    base: Base,
    parts: dict[str, list[Example]],
    folder: Path,
    curve: bool,
    advance: Callable[..., None],
) -> Outcome:
    """Trains on the part `train`, stops and calibrates on `validation`; with `curve`, also on smaller parts, on `test`.

    The files of the encoder are written into the folder; the manifest is the caller's to write. Raises a UserError.
    """  # fmt: skip
    train, validation, test = parts["train"], parts["validation"], parts["test"]
    points = smaller_points(task, lesson, parts) if curve else []
    fitted = fit_encoder(replace(lesson, checkpoints=lesson.checkpoints / "all"), train, validation, advance)
    if curve:
        points.append(point(len(train), fitted.logits(test), test, task.classes, task.seed))
    write_encoder(fitted, folder, train)
    rows = smallest_that_holds(task, folder, fitted.tokens.max_tokens, validation)
    calibration = fit_calibration(rows)
    file = SMALL if (folder / SMALL).is_file() else FULL
    manifest = Manifest(
        criterion=task.criterion, model="encoder", columns=task.columns, classes=task.classes.names,
        steps=task.classes.steps, cuts=fit_cuts(rows, calibration), calibration=calibration, base=base,
        data=trained_on([*train, *validation]), scores_with=file, max_tokens=fitted.tokens.max_tokens,
        files={file: "0" * 64},
    )  # fmt: skip
    shutil.rmtree(lesson.checkpoints, ignore_errors=True)
    return Outcome(manifest, {}, fitted.losses, rows, points)


def smaller_points(task: Task, lesson: Lesson, parts: dict[str, list[Example]]) -> list[Point]:
    """The learning curve below all examples. What was trained once for it is not trained again after a kill."""
    points = []
    for number, chosen in enumerate(subsets(parts["train"], CURVE_SHARES, 1, task.seed)):
        some = [example for example, is_chosen in zip(parts["train"], chosen, strict=True) if is_chosen]
        known = lesson.checkpoints / f"curve-{number}.json"
        if not known.is_file():
            say(f"train {task.criterion}: for the learning curve, on {len(some)} labelled answers")
            smaller = replace(lesson, checkpoints=lesson.checkpoints / f"curve-{number}")
            fitted = fit_encoder(smaller, some, parts["validation"], lambda steps=1: None)
            found = point(len(some), fitted.logits(parts["test"]), parts["test"], task.classes, task.seed)
            write_json(known, {"kappa": found.kappa})
        points.append(Point(len(some), json.loads(known.read_text())["kappa"]))
    return points


def smallest_that_holds(task: Task, folder: Path, max_tokens: int, validation: Sequence[Example]) -> HeldOut:
    """The validation examples with the logits of the file that will score.

    That is the one of 8 bits where its AUC on them is at most `LOST_AT_MOST` below the full one's; else it is removed.
    """
    full, small = (held_out(task, folder, file, max_tokens, validation) for file in (FULL, SMALL))
    lost = auc_of(full) - auc_of(small)
    if not lost <= LOST_AT_MOST:
        (folder / SMALL).unlink()
        return full
    return small


def held_out(task: Task, folder: Path, file: str, max_tokens: int, examples: Sequence[Example]) -> HeldOut:
    """Examples with the logits that an ONNX file gives them."""
    encoder = open_encoder(folder, file, task.columns, max_tokens)
    logits = np.array(encoder.logits([example.texts for example in examples]))
    numbers = task.classes.numbers([example.label for example in examples])
    weights = np.array([example.weight for example in examples])
    groups = [example.group for example in examples]
    return HeldOut(logits, numbers, weights, groups, task.classes.steps, task.seed)


def auc_of(rows: HeldOut) -> float:
    """The AUC of some rows, uncalibrated: calibration does not change an order."""
    shares = rows.shares(Calibration())
    return area(rows.classes, Rated(rows.classes, shares), rows.steps is not None)
