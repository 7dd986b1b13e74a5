"""Trains an evaluator from examples and writes its folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuneproof.common.files import file_sha256, write_text
from tuneproof.records.files import record_text
from tuneproof.records.keys import content_key
from tuneproof.scoring.evaluator.calibrating import HeldOut, fit_calibration, fit_cuts
from tuneproof.scoring.evaluator.contract import MANIFEST, Base, Column, Manifest, Trained
from tuneproof.scoring.evaluator.examples import Classes, Example
from tuneproof.scoring.evaluator.words import fitting
from tuneproof.scoring.evaluator.words.model import FILE, model_text

EMBEDDED_BASE = "embedded"


@dataclass(frozen=True)
class Task:
    """What is to be learned: a criterion's classes, from the columns that the evaluator may see."""

    criterion: str
    classes: Classes
    columns: tuple[Column, ...]
    seed: int


@dataclass(frozen=True)
class WordsOutcome:
    """A trained model of words: its manifest (without the files' hashes), its file's text, and the losses on the way.

    `held_out` are the examples that are not made up, each with the logits that it got unseen.
    """

    manifest: Manifest
    texts: Mapping[str, str]
    losses: Mapping[float, float]  # by strength, on held-out questions
    held_out: HeldOut


def train_words(task: Task, examples: Sequence[Example], progress: Callable[[], None] = lambda: None) -> WordsOutcome:
    """Trains a model of words on examples, cross-validated by question. `progress` is called for each of `FOLDS`."""
    labels = [example.label for example in examples]
    made = [example.source == "made" for example in examples]
    groups, weights = [example.group for example in examples], np.array([example.weight for example in examples])
    rows = [example.texts for example in examples]
    targets = task.classes.targets(labels)
    lessons = fitting.Lessons(rows, groups, targets, weights, made, task.columns, task.seed)
    logits = fitting.held_out_logits(lessons, progress)
    losses = fitting.held_out_losses(lessons, logits)
    strength = min(losses, key=lambda one: losses[one])
    numbers = task.classes.numbers(labels)
    held_out = HeldOut(logits[strength], numbers, weights, groups, task.classes.steps, task.seed)
    held_out = held_out.part(~np.array(made))
    calibration = fit_calibration(held_out)
    manifest = Manifest(
        criterion=task.criterion, model="words", columns=task.columns, classes=task.classes.names,
        steps=task.classes.steps, cuts=fit_cuts(held_out, calibration), calibration=calibration,
        base=Base(id=EMBEDDED_BASE), data=trained_on(examples), scores_with=FILE, files={FILE: "0" * 64},
    )  # fmt: skip
    return WordsOutcome(manifest, {FILE: model_text(fitting.fit_model(lessons, strength))}, losses, held_out)


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
