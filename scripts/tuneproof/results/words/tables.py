"""The comparison as a table, and tables as Markdown and as plain text."""

from collections.abc import Collection, Sequence

from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import NOTHING, gain_text, mean_text, plain_name, share_text, win_rate_text
from tuneproof.results.words.verdicts import VERDICT_WORDS, row_verdict


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table's lines."""
    return [markdown_row(header), markdown_row(["---"] * len(header)), *map(markdown_row, rows)]


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table's lines as plain text in aligned columns, two spaces apart."""
    lines = [header, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return [line.rstrip() for line in padded]


def markdown_row(cells: Sequence[str]) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(markdown_text(cell).replace("|", "\\|") for cell in cells) + " |"


def markdown_text(text: str) -> str:
    """Text in which Markdown finds no HTML, link or code; brackets of intervals stay as they are."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("`", "'").replace("](", "] (")


def table(models: Sequence[Details], deciding: bool = False) -> tuple[list[str], list[list[str]]]:
    """The comparison as header and rows of text: a row per model and criterion, and one for its win rate.

    `deciding` leaves out the criteria beside the judge's that decide nothing.
    """
    run = models[0].run
    header = ["model", "criterion", "mean", f"gain over {plain_name(run.baseline)}", "coverage", "n", "verdict"]
    left_out = undeciding(run) if deciding else []
    return header, [row for details in models for row in table_rows(details, left_out)]


def undeciding(run: RunDetails) -> list[str]:
    """The criteria beside the judge's that decide nothing."""
    return [name for name in run.criteria if name not in run.deciding]


def undeciding_note(run: RunDetails) -> str:
    """Where the criteria stand that decide nothing; empty where there are none."""
    names = ", ".join(map(plain_name, undeciding(run)))
    return f"Beside these the report shows {names}, on which no verdict rests." if names else ""


def table_rows(details: Details, left_out: Collection[str]) -> list[list[str]]:
    """One model's rows."""
    name, ends = plain_name(details.model), [share_text(details.coverage), str(details.questions)]
    rows = [
        [name, plain_name(criterion), mean_text(one), gain_text(one), *ends, row_verdict(details, criterion)]
        for criterion, one in details.criteria.items()
        if criterion not in left_out
    ]
    rate = details.win_rate
    if rate:
        verdict = VERDICT_WORDS[rate.verdict]
        compared = share_text(rate.questions / details.questions)
        rows.append([name, "win rate", win_rate_text(rate), NOTHING, compared, str(details.questions), verdict])
    return rows
