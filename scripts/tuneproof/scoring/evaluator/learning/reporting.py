"""What is reported of a trained evaluator: its figures on held-out questions, and the data of its plots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuneproof.scoring.evaluator.contract import COLUMNS, Calibration
from tuneproof.scoring.evaluator.learning.curves import MORE, Point, csv_text, gain_of_more
from tuneproof.scoring.evaluator.learning.examples import Classes, Example
from tuneproof.scoring.evaluator.learning.measuring import Rated, bins, figures
from tuneproof.scoring.evaluator.learning.training import Outcome
from tuneproof.scoring.evaluator.loading import Evaluator


@dataclass(frozen=True)
class Report:
    """The figures, and what is plotted: losses, agreement by number of labels, calibration by bin."""

    figures: Mapping[str, Any]
    losses: Mapping[float, float]
    points: Sequence[Point]
    bins: Sequence[tuple[float, float, int]]


def report(
    evaluator: Evaluator, outcome: Outcome, learned: Sequence[Example], test: Sequence[Example], seed: int
) -> Report:
    """Measures an evaluator as it was written, on examples that it has not seen."""
    manifest = evaluator.manifest
    classes = Classes(manifest.classes, manifest.steps)
    uncalibrated = replace(evaluator, manifest=manifest.model_copy(update={"calibration": Calibration()}))
    rated, raw = (Rated.of(list(each.score_table(map(row_of, test))), classes) for each in (evaluator, uncalibrated))
    found = figures(test, classes, rated, raw, learned, seed)
    found["learned_from"] = {"answers": len(learned), "from_people": manifest.data.from_people}
    more = gain_of_more(outcome.points)
    found |= {} if more is None else {f"kappa_gain_of_{MORE}_more": more}
    wanted = classes.numbers([example.label for example in test])
    return Report(found, outcome.losses, outcome.points, bins(wanted, rated, manifest.ordered))


def row_of(example: Example) -> dict[str, str | None]:
    """An example as a row of a table."""
    return {column: getattr(example.texts, column) for column in COLUMNS}


def plot_files(found: Report) -> dict[str, str]:
    """The plots' data by file name."""
    return {
        "calibration.csv": csv_text(
            ("probability", "share", "count"),
            [{"probability": round(p, 3), "share": round(s, 3), "count": n} for p, s, n in found.bins],
        ),
        "learning.csv": csv_text(
            ("labels", "kappa"), [{"labels": each.examples, "kappa": each.kappa} for each in found.points]
        ),
        "loss.csv": csv_text(
            ("step", "loss"), [{"step": f"{step:g}", "loss": round(loss, 4)} for step, loss in found.losses.items()]
        ),
    }


def sentence(found: Report) -> str:
    """The figures for a person, in one line."""
    kappa, area, error = (found.figures[name] for name in ("kappa", "auc", "calibration_error"))
    people = f", people among themselves {kappa['people']:.2f}" if "people" in kappa else ""
    more = found.figures.get(f"kappa_gain_of_{MORE}_more")
    hope = f"; {MORE:,} more labels would bring about {more:.2f}" if more is not None else ""
    answers = found.figures["held_out"]["answers"]
    return (
        f"on {answers} held-out answers kappa {kappa['evaluator']:.2f} [{kappa['low']:.2f}, "
        f"{kappa['high']:.2f}] (length only {kappa['length_only']:.2f}{people}), AUC {area['evaluator']:.2f} "
        f"[{area['low']:.2f}, {area['high']:.2f}] (length only {area['length_only']:.2f}), calibration error "
        f"{error['evaluator']:.2f}{hope}"
    )
