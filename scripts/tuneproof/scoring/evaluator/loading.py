"""A trained evaluator, loaded and asked: `load("data/evaluator/accuracy").score(input=..., output=...)`."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuneproof.common.errors import UserError
from tuneproof.common.files import file_sha256
from tuneproof.records.rows import problem_in
from tuneproof.scoring.evaluator.contract import COLUMNS, MANIFEST, Manifest, Model, Scored, Texts
from tuneproof.scoring.evaluator.decisions import decide
from tuneproof.scoring.evaluator.words.model import WordModel, read_model
from tuneproof.scoring.evaluator.words.reasons import reason, towards_label
from tuneproof.sources.folders import is_hub_id
from tuneproof.sources.hub.evaluators import bring_evaluator

REMEDY = "name the folder that `python scripts/train.py <criterion>` wrote, or a Hub id"
RESTORE = "train it anew, or restore the folder"
BATCH_SIZE = 32


@dataclass(frozen=True)
class Evaluator:
    """An evaluator ready to score. `content`, the SHA-256 of its evaluator.json, identifies all of it."""

    manifest: Manifest
    model: Model
    content: str

    def score(self, *, output: str, input: str | None = None, ground_truth: str | None = None) -> Scored:
        """Scores one answer. Columns that the evaluator does not see change nothing; one that is missing costs it."""
        return next(self.score_table([{"input": input, "output": output, "ground_truth": ground_truth}]))

    def reason(self, texts: Texts, scored: Scored) -> str | None:
        """What weighed most in a score, in a sentence; None of an encoder, which cannot say it."""
        if not isinstance(self.model, WordModel):
            return None
        manifest = self.manifest
        towards = [1.0] * manifest.logits if manifest.ordered else towards_label(manifest.classes, scored.label)
        return reason(self.model, texts, list(towards))

    def score_table(self, rows: Iterable[Mapping[str, Any]], batch_size: int = BATCH_SIZE) -> Iterator[Scored]:
        """Scores rows with the columns input, output and ground_truth, in their order, holding one batch at a time.

        Raises a UserError that names the row whose output is missing, or of which a column is no text.
        """
        numbered = enumerate(rows, start=1)
        while batch := list(islice(numbered, batch_size)):
            texts = [texts_of(row, number) for number, row in batch]
            for logits in self.model.logits(texts):
                yield decide(self.manifest, logits)


def texts_of(row: Mapping[str, Any], number: int) -> Texts:
    """The texts of a table's row. Raises a UserError."""
    for column in COLUMNS:
        value = row.get(column)
        if value is None and column == "output":
            raise UserError(f"row {number}", "it has no output", "give every row the answer that is to be scored")
        if value is not None and not isinstance(value, str):
            found = f"its {column} is no text ({type(value).__name__})"
            raise UserError(f"row {number}", found, "turn the column into text")
    return Texts(row.get("input"), row["output"], row.get("ground_truth"))


def load(path: str | Path, threads: int = 0) -> Evaluator:
    """Loads an evaluator from its folder, or from the Hub: `owner/name`, or `owner/name@revision`.

    An encoder computes with so many threads, 0 for one on each core. Raises a UserError where it is missing, broken, or
    was changed by hand.
    """
    folder = bring_evaluator(str(path)) if is_hub_id(str(path)) else Path(path)
    manifest, content = read_manifest(folder)
    check_files(folder, manifest)
    if manifest.model == "encoder":
        from tuneproof.scoring.evaluator.encoder.model import read_encoder

        return Evaluator(manifest, read_encoder(folder, manifest, threads), content)
    file = folder / manifest.scores_with
    try:
        return Evaluator(manifest, read_model(file, manifest.columns, manifest.logits), content)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise UserError(str(file), "it is no model of words", RESTORE) from error


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """An evaluator's manifest and the SHA-256 of it. Raises a UserError."""
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
        return Manifest.model_validate_json(text), hashlib.sha256(text).hexdigest()
    except OSError as error:
        raise UserError(str(path), f"it cannot be read ({error.strerror})", REMEDY) from None
    except ValidationError as error:
        raise UserError(str(path), f"it describes no evaluator: {problem_in(error)}", RESTORE) from None


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raises a UserError where a file that the manifest names is missing or is not the one that was trained."""
    for name in manifest.needed:
        path = folder / name
        try:
            same = file_sha256(path) == manifest.files[name]
        except OSError as error:
            raise UserError(str(path), f"it cannot be read ({error.strerror})", RESTORE) from None
        if not same:
            raise UserError(str(path), f"it is not the file that {MANIFEST} names", RESTORE)
