"""Scores every row of a table with trained evaluators.

Reads   the evaluators (folders, or by Hub id, at the commit in data/pins.json where one is pinned);
        a .csv, .jsonl, .txt or .parquet file with the columns output, input, ground_truth
Writes  the same rows as .csv or .jsonl, with <criterion>_probability, _score and _label of each evaluator
Run     python scripts/score.py --evaluator FOLDER_OR_ID [--evaluator ...] FILE [--output FILE]
"""

import argparse
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line, run, say
from tuneproof.common.files import write_lines
from tuneproof.common.progress import Progress
from tuneproof.scoring.evaluator import Evaluator, load
from tuneproof.scoring.evaluator.contract import COLUMNS
from tuneproof.sources.tables import load_local_table

Row = Mapping[str, Any]

ROWS_AT_ONCE = 32
WRITTEN = (".csv", ".jsonl")
GIVEN = ("probability", "score", "label")


def main() -> None:
    """Reads the table, then scores and writes it row by row; the output is whole or absent."""
    arguments = parse_arguments()
    file, output = Path(arguments.file), output_file(arguments)
    evaluators = load_evaluators(arguments.evaluator)
    rows = load_local_table(file, None)
    columns = dict(arguments.column)
    check_columns(file, rows, columns, evaluators)
    say(f"score: {len(rows)} rows of {file} by {', '.join(evaluators)}")
    with Progress("score", len(rows), "rows") as progress:
        scored = scored_rows(rows, columns, evaluators, file, progress)
        write_lines(output, csv_lines(scored) if output.suffix.lower() == ".csv" else json_lines(scored))
    say(f"score: wrote {output}")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="a .csv, .jsonl, .parquet or .txt file (with tabs)")
    evaluator_help = "a trained evaluator's folder or Hub id (owner/name@revision); may be repeated"
    parser.add_argument("--evaluator", action="append", required=True, metavar="FOLDER_OR_ID", help=evaluator_help)
    output_help = "a .csv or .jsonl file (default: FILE with .scored before its suffix; of others .jsonl)"
    parser.add_argument("--output", metavar="FILE", help=output_help)
    column_help = "where the table calls a column otherwise, such as output=answer; may be repeated"
    parser.add_argument("--column", action="append", default=[], type=column, metavar="NAME=COLUMN", help=column_help)
    return parser.parse_args()


def column(text: str) -> tuple[str, str]:
    """One of our columns and its name in the table."""
    name, _, named = text.partition("=")
    if name not in COLUMNS or not named:
        raise argparse.ArgumentTypeError(f"give it as output=answer; ours are {', '.join(COLUMNS)}")
    return name, named


def output_file(arguments: argparse.Namespace) -> Path:
    """Where the scored table goes. Raises a UserError for a format that is not written, and for the table itself."""
    file = Path(arguments.file)
    suffix = file.suffix if file.suffix.lower() in WRITTEN else ".jsonl"
    output = Path(arguments.output) if arguments.output else file.with_name(f"{file.stem}.scored{suffix}")
    if output.suffix.lower() not in WRITTEN:
        raise UserError(f"--output {output}", "it is in no format that is written here", "give a .csv or .jsonl file")
    if output.resolve() == file.resolve():
        raise UserError(f"--output {output}", "this is the table itself", "name another file")
    return output


def load_evaluators(folders: Sequence[str]) -> dict[str, Evaluator]:
    """The evaluators by criterion. Raises a UserError where two are of one."""
    evaluators: dict[str, Evaluator] = {}
    for folder in folders:
        evaluator = load(folder)
        if evaluator.manifest.criterion in evaluators:
            found = f"another evaluator of {evaluator.manifest.criterion} is named already"
            raise UserError(folder, found, "score with one of them at a time")
        evaluators[evaluator.manifest.criterion] = evaluator
    return evaluators


def check_columns(
    file: Path, rows: Sequence[Row], columns: Mapping[str, str], evaluators: Mapping[str, Evaluator]
) -> None:
    """Raises a UserError for a column that is not there, or that a new one would replace."""
    known = dict.fromkeys(name for row in rows for name in row)
    for name in {"output": "output", **columns}.values():
        if name not in known:
            listed = ", ".join(one_line(each, 40) for each in list(known)[:20])
            found = f"there is no column {one_line(name, 40)}, only {listed}"
            raise UserError(str(file), found, "name the columns with --column output=...")
    for name in new_columns(evaluators):
        if name in known:
            raise UserError(str(file), f"it has a column {name} already", "rename or remove it")


def new_columns(evaluators: Iterable[str]) -> list[str]:
    """The columns that are added."""
    return [f"{criterion}_{name}" for criterion in evaluators for name in GIVEN]


def scored_rows(
    rows: Sequence[Row], columns: Mapping[str, str], evaluators: Mapping[str, Evaluator], file: Path, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Every row with its scores. Raises a UserError that names the row which cannot be scored."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        texts = [{name: row.get(columns.get(name, name)) for name in COLUMNS} for row in part]
        for place, text in enumerate(texts, start=start + 1):
            for name, value in text.items():
                if not isinstance(value, str) and (value is not None or name == "output"):
                    found = f"its {name} is no text" if value is not None else "it has no output"
                    raise UserError(f"{file}, row {place}", found, "give every row the texts that are to be scored")
        scored = {name: list(evaluator.score_table(texts)) for name, evaluator in evaluators.items()}
        for place, row in enumerate(part):
            given = {f"{name}_{field}": getattr(scored[name][place], field) for name in scored for field in GIVEN}
            yield {**row, **given}
        progress.advance(len(part))


def json_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Rows as JSON Lines; what JSON does not know, such as a date of a .parquet file, as its text."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, default=str) + "\n"


def csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Rows as CSV under a header, null as an empty field."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for place, row in enumerate(rows):
        if place == 0:
            writer.writerow(row)
        writer.writerow("" if value is None else value for value in row.values())
        yield text.getvalue()
        text.seek(0)
        text.truncate()


if __name__ == "__main__":
    run(main)
