"""The page of changes, `report/changes.html`: this run beside another, offline as the report is."""

from pathlib import Path

from tuneproof.results.gate.answers import shown_changes
from tuneproof.results.gate.causes import THE_GATE
from tuneproof.results.gate.decision import Decision
from tuneproof.results.gate.overview import Overview
from tuneproof.results.gate.text import OPENINGS, lost_notes, reading_notes
from tuneproof.results.report import page as report_page
from tuneproof.results.report.headline import headline as report_headline
from tuneproof.results.words import notes
from tuneproof.results.words.figures import NOTHING, decimals, interval_text, listed, plain_name

TEMPLATES = Path(__file__).parent / "templates"
TONES = {"no regression": "undecided", "regression": "worse", "cannot tell": "undecided"}


def changes_page(overview: Overview, other: Path, has_report: bool) -> str:
    """The whole page, which has no script; `has_report` says whether this run's report stands beside it."""
    findings = overview.findings
    gated = {one.model for one in findings.decisions} if findings else set()
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
            remarks=[*reading_notes(findings), *lost_notes(findings)] if findings else [],
            shown=shown_changes(findings.changes, other, has_report) if findings else [],
            reasons_note=notes.reasons_note(overview.run),
            where=where(overview),
            limits_changed=overview.causes.touching(THE_GATE),
            changed=sum(one.answers.changed for one in overview.models if one.answers and one.model in gated),
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


def where(overview: Overview) -> str:
    """In what the gate says so, by model and criterion; empty where it finds no regression."""
    findings = overview.findings
    if findings is None or findings.outcome == "no regression":
        return ""
    found = [
        f"{plain_name(one.model)} in {plain_name(one.criterion)}"
        for one in findings.decisions
        if one.outcome == findings.outcome
    ]
    said = "A regression of" if findings.outcome == "regression" else "It cannot be told of"
    return f"{said} {listed(found)}."


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
