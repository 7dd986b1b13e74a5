"""Trains an evaluator from examples and writes its folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuneproof.common.files import file_sha256, write_text
from tuneproof.records.files import record_text
from tuneproof.records.keys import content_key
from tuneproof.scoring.evaluator.contract import MANIFEST, Base, Column, Manifest, Trained
from tuneproof.scoring.evaluator.learning.calibrating import HeldOut, fit_calibration, fit_cuts
from tuneproof.scoring.evaluator.learning.curves import DRAWS, SHARES, Point, mean_points, point, subsets
from tuneproof.scoring.evaluator.learning.examples import Classes, Example
from tuneproof.scoring.evaluator.words import fitting
from tuneproof.scoring.evaluator.words.model import FILE, measured, model_text
from tuneproof.settings.evidence.evaluator import EMBEDDED_BASE


@dataclass(frozen=True)
class Task:
    """What is to be learned: a criterion's classes, from the columns that the evaluator may see."""

    criterion: str
    classes: Classes
    columns: tuple[Column, ...]
    seed: int


@dataclass(frozen=True)
class Outcome:
    """A trained evaluator: its manifest (without the files' hashes), files given as text, and how it got there.

    `losses` are what it lost on held-out questions on the way: of words by strength, of an encoder by step.
    `held_out` are examples with the logits that they got unseen, for whoever fits something further on them.
    """

    manifest: Manifest
    texts: Mapping[str, str]
    losses: Mapping[float, float]
    held_out: HeldOut
    points: Sequence[Point] = ()


def train_words(
    task: Task, examples: Sequence[Example], test: Sequence[Example] = (), progress: Callable[[], None] = lambda: None
) -> Outcome:
    """Trains a model of words on examples, cross-validated by question. `progress` is called for each of `FOLDS`.

    With `test`, held-out examples, its learning curve is measured on them.
    """
    lessons = lessons_of(task, examples)
    logits = fitting.held_out_logits(lessons, progress)
    losses = fitting.held_out_losses(lessons, logits)
    strength = min(losses, key=lambda one: losses[one])
    numbers = task.classes.numbers([example.label for example in examples])
    rows = HeldOut(logits[strength], numbers, lessons.weights, lessons.groups, task.classes.steps, task.seed)
    held_out = rows.part(~np.array(lessons.made))
    calibration = fit_calibration(held_out)
    manifest = Manifest(
        criterion=task.criterion, model="words", columns=task.columns, classes=task.classes.names,
        steps=task.classes.steps, cuts=fit_cuts(held_out, calibration), calibration=calibration,
        base=Base(id=EMBEDDED_BASE), data=trained_on(examples), scores_with=FILE, files={FILE: "0" * 64},
    )  # fmt: skip
    text = model_text(fitting.fit_model(lessons, strength))
    points = words_curve(task, lessons, examples, test, strength) if test else ()
    return Outcome(manifest, {FILE: text}, losses, held_out, points)


def lessons_of(task: Task, examples: Sequence[Example]) -> fitting.Lessons:
    """Examples as a model of words learns from them."""
    return fitting.Lessons(
        rows=[example.texts for example in examples],
        groups=[example.group for example in examples],
        targets=task.classes.targets([example.label for example in examples]),
        weights=np.array([example.weight for example in examples]),
        made=[example.source == "made" for example in examples],
        columns=task.columns,
        seed=task.seed,
    )


def words_curve(
    task: Task, lessons: fitting.Lessons, examples: Sequence[Example], test: Sequence[Example], strength: float
) -> list[Point]:
    """The learning curve of a model of words on held-out examples, described by all training texts."""
    corpus = fitting.corpus_of(
        [row for row, made in zip(lessons.rows, lessons.made, strict=True) if not made], task.columns
    )
    rows = [example.texts for example in test]
    features = [measured(corpus, task.columns, row) for row in rows]
    points = []
    for chosen in subsets(examples, SHARES, DRAWS, task.seed):
        logits = fitting.logits_after(lessons, chosen, strength, rows, features)
        points.append(point(int(chosen.sum()), logits, test, task.classes, task.seed))
    return mean_points(points)


def trained_on(examples: Sequence[Example]) -> Trained:
    """What is kept of the examples."""
    return Trained(
        examples=len(examples),
        questions=len({example.group for example in examples}),
        from_people=sum(example.source == "people" for example in examples),
        sha256=content_key(sorted(example.key for example in examples)),
    )


def write_evaluator(folder: Path, manifest: Manifest, texts: Mapping[str, str]) -> Manifest:
    """Writes the files given as text beside those that lie there already, and the manifest with all their hashes.

    An evaluator that lay there is none from the first moment on: its manifest goes first, and the new one comes last.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)
    hashes = {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}
    complete = manifest.model_copy(update={"files": hashes})
    write_text(folder / MANIFEST, record_text(complete))
    return complete
