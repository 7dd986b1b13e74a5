"""The tables behind DVC's plots, `report/plots/*.csv`: small whatever the number of questions, since Git keeps them."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from tuneproof.common.files import write_text
from tuneproof.records.handovers import REPORT_DIRECTORY
from tuneproof.results.details.model import Details

PLOTS_DIRECTORY = REPORT_DIRECTORY / "plots"
Row = dict[str, str | int | float | None]


def write_plots(models: Sequence[Details]) -> list[Path]:
    """Writes every table and returns the paths."""
    tables = {
        "scores": score_rows(models),
        "distribution": distribution_rows(models),
        "gains": gain_rows(models),
        "lengths": length_rows(models),
        "win_rates": win_rate_rows(models),
    }
    return [write_table(PLOTS_DIRECTORY / f"{name}.csv", rows) for name, rows in tables.items()]


def score_rows(models: Iterable[Details]) -> list[Row]:
    """Means with their intervals, by criterion and model."""
    return [
        named(details, criterion) | {"score": one.mean, "low": one.low, "high": one.high, "scored": one.scored}
        for details in models
        for criterion, one in details.criteria.items()
        if one.mean is not None
    ]


def distribution_rows(models: Iterable[Details]) -> list[Row]:
    """The share of the scored answers at each step of the scale."""
    return [
        named(details, criterion) | {"score": step, "share": answers / max(details.scored, 1), "answers": answers}
        for details in models
        for criterion, one in details.criteria.items()
        for step, answers in one.distribution.items()
    ]


def gain_rows(models: Sequence[Details]) -> list[Row]:
    """Differences to the baseline with their simultaneous intervals; only a header's worth where there is none."""
    rows: list[Row] = [
        named(details, criterion)
        | {"gain": one.gain, "low": one.gain_low, "high": one.gain_high, "verdict": one.verdict, "paired": one.paired}
        for details in models
        for criterion, one in details.criteria.items()
        if one.gain is not None
    ]
    return rows


def length_rows(models: Iterable[Details]) -> list[Row]:
    """Mean scores of questions grouped by the length of their answers."""
    return [
        named(details, criterion)
        | {"characters": group.characters, "score": group.mean, "low": group.low, "high": group.high}
        | {"questions": group.questions}
        for details in models
        for criterion, one in details.criteria.items()
        for group in one.lengths
    ]


def win_rate_rows(models: Iterable[Details]) -> list[Row]:
    """Win rates against the baseline, as they were counted and at equal length; none where nothing was compared."""
    rows: list[Row] = []
    for details in models:
        rate = details.win_rate
        if not rate or rate.win_rate is None:
            continue
        shared: Row = {"model": details.model, "run": details.run.run, "questions": rate.questions}
        rows.append(shared | {"kind": "win rate", "rate": rate.win_rate, "low": rate.low, "high": rate.high})
        if rate.length_controlled is not None:
            low, high = rate.length_controlled_low, rate.length_controlled_high
            rows.append(shared | {"kind": "at equal length", "rate": rate.length_controlled, "low": low, "high": high})
    return rows


def named(details: Details, criterion: str) -> Row:
    """The columns that every table begins with."""
    return {"model": details.model, "criterion": criterion, "run": details.run.run}


def write_table(path: Path, rows: Sequence[Row]) -> Path:
    """Writes rows as CSV, four digits after the point."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["model"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()} for row in rows
    )
    write_text(path, text.getvalue())
    return path
