"""Prints the comparison of the last run: a table on a terminal, plain aligned text in a pipe.

Reads   params.yaml, data/details/; with --revision those of a commit or experiment (from DVC's cache or remote)
Run     PYTHONPATH=scripts python -m tuneproof.results.report.terminal [--revision <revision>]   (or: make results)
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tuneproof.common.errors import run
from tuneproof.records.handovers import DETAILS_DIRECTORY
from tuneproof.results.details.model import Details, read_all_details, read_details
from tuneproof.results.revisions import Revision
from tuneproof.results.words.decisions import collapse_sentence, plan_sentence, ship_sentence
from tuneproof.results.words.notes import benchmark_note, family_note, run_note
from tuneproof.results.words.people import first_sentences, people_sentences
from tuneproof.results.words.tables import aligned, table, undeciding_note
from tuneproof.results.words.trust import judge_sentence
from tuneproof.results.words.verdicts import VERDICT_WORDS, model_sentence
from tuneproof.settings.reading import PARAMS_FILE, load_params

STYLES = {VERDICT_WORDS["better"]: "bold green", VERDICT_WORDS["worse"]: "bold red"}


def main() -> None:
    """Reads every model's details and prints them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--revision", help="a Git revision or a DVC experiment; default: the last run here")
    revision = parser.parse_args().revision
    models = details_of(revision) if revision else read_all_details(load_params())
    if sys.stdout.isatty():
        print_rich(models)
    else:
        print(plain_text(models))


def details_of(revision: str) -> list[Details]:
    """Every model's details of another revision, in the order of its own params.yaml.

    Raises a UserError where there is no such revision, or neither cache nor remote has its results.
    """
    there = Revision(revision)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        there.fetch([PARAMS_FILE], root)
        paths = [DETAILS_DIRECTORY / f"{model}.json" for model in load_params(root / PARAMS_FILE).models]
        there.fetch(paths, root)
        return [read_details(root / path) for path in paths]


def plain_text(models: Sequence[Details]) -> str:
    """The comparison as aligned columns."""
    return "\n".join([*aligned(*table(models, deciding=True)), "", *notes(models)])


def print_rich(models: Sequence[Details]) -> None:
    """The comparison as a table that fits the terminal, a model's name said once."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    header, rows = table(models, deciding=True)
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in header:
        shown.add_column(Text(name), overflow="fold")
    above = ""
    for row in rows:
        first = Text(row[0] if row[0] != above else "", style="bold")
        if above and row[0] != above:
            shown.add_section()
        above = row[0]
        shown.add_row(first, *map(Text, row[1:-1]), Text(row[-1], style=STYLES.get(row[-1], "")))
    console = Console(highlight=False)
    console.print(shown)
    for note in notes(models):
        console.print(Text(note))


def notes(models: Sequence[Details]) -> list[str]:
    """What kind of run this is, what was decided, sentences on each model, and how to read the intervals."""
    shared = models[0].run
    said = [text for say in (ship_sentence, model_sentence, collapse_sentence) for text in map(say, models)]
    how_to_read = (plan_sentence(shared), undeciding_note(shared), benchmark_note(models), family_note(shared))
    first = (run_note(shared), *first_sentences(models), judge_sentence(models))
    notes = (*first, *said, *people_sentences(models), *how_to_read)
    return [text for text in notes if text]


if __name__ == "__main__":
    run(main)
