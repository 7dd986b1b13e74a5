"""The page of changes, `report/changes.html`: this run beside another, offline as the report is."""

import difflib
from collections.abc import Iterator
from pathlib import Path

from tuneproof.results.gate.changes import Change
from tuneproof.results.gate.decision import Decision
from tuneproof.results.gate.overview import Overview, texts_of
from tuneproof.results.gate.text import OPENINGS, how_to_read, items_note, lost_notes, scores_text
from tuneproof.results.report import page as report_page
from tuneproof.results.words import notes
from tuneproof.results.words.figures import NOTHING, decimals, interval_text, plain_name

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_TEXT = 6_000  # characters of an answer that are shown
TONES = {"no regression": "undecided", "regression": "worse", "cannot tell": "undecided"}
Part = tuple[str, str]  # "same", "gone" or "new", and the text


def changes_page(overview: Overview, other: Path) -> str:
    """The whole page, which has no script."""
    findings = overview.findings
    return (
        report_page.page_templates(TEMPLATES)
        .get_template("changes.html")
        .render(
            overview=overview,
            run=overview.run,
            run_note=notes.run_note(overview.run),
            against=plain_name(overview.against),
            headline=headline(overview),
            score_rows=[score_row(one, overview) for one in findings.decisions] if findings else [],
            remarks=[how_to_read(findings), items_note(findings), *lost_notes(findings)] if findings else [],
            shown=[shown_change(change, other) for change in findings.changes] if findings else [],
            code=sorted({path for paths in overview.causes.code.values() for path in paths}),
            style=report_page.page_style(report_page.TEMPLATES / "report.css", TEMPLATES / "changes.css"),
            script=None,
        )
    )


def headline(overview: Overview) -> str:
    """What the gate says, or that the two runs cannot be compared."""
    against = plain_name(overview.against)
    if overview.findings is None:
        return f"Scores cannot be compared with {against}"
    said = OPENINGS[overview.findings.outcome].lower()
    return f"{said[0].upper()}{said[1:]}, against {against}"


def score_row(decision: Decision, overview: Overview) -> dict[str, str]:
    """One model on one criterion: both means, the change with its interval, and what the gate says of it."""
    before, now = overview.means.get((decision.model, decision.criterion), (None, None))
    difference = decision.difference
    change = NOTHING
    if not decision.changed:
        change = "nothing changed"
    elif difference is not None:
        found = difference.interval
        change = interval_text(found.mean, found.low, found.high, signed=True)
    return {
        "model": plain_name(decision.model),
        "criterion": plain_name(decision.criterion),
        "before": decimals(before),
        "now": decimals(now),
        "change": change,
        "paired": f"{difference.questions:,}" if difference else NOTHING,
        "outcome": decision.outcome,
        "tone": TONES[decision.outcome],
    }


def shown_change(change: Change, other: Path) -> dict[str, object]:
    """One answer of both runs, with the words that are gone and new marked."""
    texts = ["\n\n".join(texts_of(change.model, root)[change.question.id])[:LONGEST_TEXT] for root in (other, Path())]
    parts = list(word_changes(*texts))
    return {
        "model": change.model,
        "question": change.question,
        "scores": scores_text(change.before, change.now),
        "likeness": f"{change.likeness:.0%}",
        "before": [(kind, text) for kind, text in parts if kind != "new"],
        "now": [(kind, text) for kind, text in parts if kind != "gone"],
    }


def word_changes(before: str, now: str) -> Iterator[Part]:
    """The words of two texts in order: those of both, those that are gone, those that are new."""
    old, fresh = split_words(before), split_words(now)
    changes = difflib.SequenceMatcher(None, old, fresh, autojunk=False).get_opcodes()
    for kind, start, end, other_start, other_end in changes:
        if kind == "equal":
            yield "same", "".join(old[start:end])
            continue
        if end > start:
            yield "gone", "".join(old[start:end])
        if other_end > other_start:
            yield "new", "".join(fresh[other_start:other_end])


def split_words(text: str) -> list[str]:
    """Words with the white space after them, so that together they are the text."""
    found, start = [], 0
    for place in range(1, len(text)):
        if text[place - 1].isspace() and not text[place].isspace():
            found.append(text[start:place])
            start = place
    return [*found, text[start:]]
