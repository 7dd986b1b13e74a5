"""The page of changes, `report/changes.html`: this run beside another, offline as the report is."""

import difflib
from collections.abc import Iterator
from pathlib import Path

from tuneproof.results.gate.changes import Change
from tuneproof.results.gate.decision import Decision
from tuneproof.results.gate.overview import Overview, texts_of
from tuneproof.results.gate.text import OPENINGS, how_to_read, items_note, lost_notes, scores_text
from tuneproof.results.report import page as report_page
from tuneproof.results.report.headline import headline as report_headline
from tuneproof.results.report.links import browser_link
from tuneproof.results.words import notes
from tuneproof.results.words.figures import NOTHING, decimals, interval_text, listed, plain_name

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_TEXT = 6_000  # characters of an answer that are shown
TONES = {"no regression": "undecided", "regression": "worse", "cannot tell": "undecided"}
Part = tuple[str, str]  # "same", "gone" or "new", and the text


def changes_page(overview: Overview, other: Path, has_report: bool) -> str:
    """The whole page, which has no script; `has_report` says whether this run's report stands beside it."""
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
            run_key=report_page.run_key(overview.here),
            own_headline=report_headline(overview.here),
            has_report=has_report,
            still_better=still_better(overview),
            score_rows=[*(score_row(one, overview) for one in findings.decisions), *baseline_rows(overview)]
            if findings
            else [],
            remarks=[how_to_read(findings), items_note(findings), *lost_notes(findings)] if findings else [],
            shown=[shown_change(change, other, has_report) for change in findings.changes] if findings else [],
            shared_why=shared_why(overview),
            code_of_answers=any(overview.causes.code.get(f"generate@{one.model}") for one in overview.models),
            apart=[one.model for one in overview.models if overview.causes.cannot_be_told_apart(one.model)],
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


def still_better(overview: Overview) -> str:
    """Which models are better than the baseline and worse than in the other run: neither says the other is wrong."""
    findings = overview.findings
    fell = {one.model for one in findings.decisions if one.outcome == "regression"} if findings else set()
    names = [plain_name(one.model) for one in overview.here if one.model in fell and one.verdict == "better"]
    if not names:
        return ""
    baseline, against = plain_name(overview.run.baseline), plain_name(overview.against)
    be = "is" if len(names) == 1 else "are"
    return f"Both hold: {listed(names)} {be} still better than {baseline}, and worse than in {against}."


def shared_why(overview: Overview) -> list[str]:
    """What differs and touches the answers of all models alike, to be said once; empty where it is not the same."""
    found = [one.answers.why for one in overview.models if one.answers and one.answers.changed]
    return found[0] if len(found) > 1 and all(why == found[0] for why in found) else []


def baseline_rows(overview: Overview) -> list[dict[str, str]]:
    """The baseline's means, which the gate does not decide on: what the other rows stand beside."""
    baseline, findings = overview.run.baseline, overview.findings
    if findings is None or any(one.model == baseline for one in findings.decisions):
        return []
    rows = []
    for criterion in dict.fromkeys(one.criterion for one in findings.decisions):
        before, now = overview.means.get((baseline, criterion), (None, None))
        rows.append(
            {
                "model": plain_name(baseline),
                "criterion": plain_name(criterion),
                "before": decimals(before),
                "now": decimals(now),
                "change": mean_change(before, now),
                "paired": NOTHING,
                "outcome": "not gated",
                "tone": "undecided",
            }
        )
    return rows


def mean_change(before: float | None, now: float | None) -> str:
    """How far a mean moved; no interval, for nothing is decided by it."""
    if before is None or now is None:
        return NOTHING
    return "the same mean" if now == before else f"{now - before:+.2f} in the mean"


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


def shown_change(change: Change, other: Path, has_report: bool) -> dict[str, object]:
    """One answer of both runs, with the words that are gone and new marked, and where this run's report has it."""
    texts = ["\n\n".join(texts_of(change.model, root)[change.question.id])[:LONGEST_TEXT] for root in (other, Path())]
    parts = list(word_changes(*texts))
    return {
        "model": change.model,
        "question": change.question,
        "scores": scores_text(change.before, change.now),
        "likeness": f"{change.likeness:.0%}",
        "way": "better" if change.score_change > 0 else "worse" if change.score_change < 0 else "",
        "link": f"index.html{browser_link(question=change.question.id)}" if has_report else "",
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
