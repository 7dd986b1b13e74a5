"""The gate's findings as text: plain for a terminal or log, Markdown for a pull request."""

from collections.abc import Mapping, Sequence

from tuneproof.results.gate.changes import Change
from tuneproof.results.gate.decision import ALPHA_SHARE, Decision, Findings
from tuneproof.results.words.decisions import plan_sentence
from tuneproof.results.words.figures import NOTHING, interval_text, listed, plain_name, score_forms
from tuneproof.results.words.notes import run_note
from tuneproof.results.words.tables import aligned, markdown_table, markdown_text
from tuneproof.results.words.trust import no_verdict

SHOWN_CHARACTERS = 60  # of a question
OPENINGS = {
    "no regression": "no regression",
    "regression": "REGRESSION",
    "cannot tell": "cannot tell whether this is a regression",
}
HEADER = ["model", "criterion", "change", "paired", "outcome"]
CHANGES_HEADER = ["model", "question", "scores", "same words", "instruction"]


def gate_text(findings: Findings, markdown: bool) -> str:
    """The whole comparison."""
    rows = [decision_row(decision) for decision in findings.decisions]
    forms = forms_of(findings.changes)
    changes = [change_row(change, forms) for change in findings.changes]
    opening = f"Gate: {OPENINGS[findings.outcome]}, against {plain_name(findings.against)}."
    plan = [*findings.shipping, plan_note(findings)]
    lost = lost_notes(findings)
    notes = [*reading_notes(findings), *plan, *models_notes(findings), *lost, run_note(findings.run)]
    notes = [note for note in notes if note]
    if markdown:
        opening, notes = f"**{markdown_text(opening)}**", [f"- {markdown_text(note)}" for note in notes]
    table = markdown_table if markdown else aligned
    lines = [opening, "", *table(HEADER, rows), "", *notes]
    if changes:
        lines += ["", "The answers that changed most:", "", *table(CHANGES_HEADER, changes)]
    return "\n".join(lines)


def decision_row(decision: Decision) -> list[str]:
    """One model on one criterion."""
    difference = decision.difference
    names = [plain_name(decision.model), plain_name(decision.criterion)]
    if not decision.changed:
        return [*names, "nothing changed", NOTHING, decision.outcome]
    if difference is None:
        return [*names, NOTHING, "0", decision.outcome]
    interval = difference.interval
    change = interval_text(interval.mean, interval.low, interval.high, signed=True)
    return [*names, change, str(difference.questions), decision.outcome]


def how_to_read(findings: Findings) -> str:
    """The rule and what was compared."""
    alpha = findings.run.alpha * ALPHA_SHARE
    confidence, allowed = f"{100 * (1 - alpha):.4g}%", f"{100 * alpha:.4g}%"
    drop, left_out = f"{findings.gate.max_drop:g}", findings.unpaired
    own = [f"-{drop:g} in {plain_name(name)}" for name, drop in findings.gate.max_drops.items()]
    besides = f", or {', '.join(own)}" if own else ""
    others = f" ({left_out} others are new, gone or changed)" if left_out else ""
    return (
        f"A change is this run less the other, over {findings.questions} questions that are the same in both{others}. "
        f"No regression: the whole interval is above -{drop} (gate.max_drop{besides}). Regression: the whole interval "
        f"is below 0 and the change is below -{drop}{' or its own limit' if own else ''}. Else it cannot be told. All "
        f"intervals hold together at {confidence}: the gate allows {allowed} of errors, half of decision.alpha, for it "
        "is asked again and again, and a false alarm stops a release."
    )


def reading_notes(findings: Findings) -> list[str]:
    """How the table is to be read; first where no verdict may rest on the judge's scores."""
    doubt = f"{no_verdict(findings.run)}, so its scores can show no regression." if findings.run.withheld else ""
    return [note for note in (doubt, how_to_read(findings), items_note(findings)) if note]


def items_note(findings: Findings) -> str:
    """How benchmarks were paired, where there are any that decide."""
    if not findings.unpaired_items:
        return ""
    others = [f"{count} items of {plain_name(name)}" for name, count in findings.unpaired_items.items() if count]
    left_out = f" ({', '.join(others)} are new, gone or changed)" if others else ""
    names = ", ".join(plain_name(name) for name in findings.unpaired_items)
    return f"Of {names} the items are paired, which are no questions of the run{left_out}."


def plan_note(findings: Findings) -> str:
    """Whether the two runs decide by the same plan, where one of them has any."""
    now, before = findings.run.plan, findings.before.plan
    if now is None or (before and before.key == now.key and not now.earlier):
        return ""
    if before and before.key != now.key:
        return f"Warning: the plan was changed: {before.key} there, {now.key} here. {plan_sentence(findings.run)}"
    return plan_sentence(findings.run)


def models_notes(findings: Findings) -> list[str]:
    """Which models are in one of the two runs only."""
    against = plain_name(findings.against)
    new, gone = (", ".join(plain_name(model) for model in models) for models in (findings.new, findings.gone))
    return [
        *([f"Not compared: {new} (not in {against})."] if new else []),
        *([f"No longer here: {gone} (in {against})."] if gone else []),
    ]


def lost_notes(findings: Findings) -> list[str]:
    """A warning for scores that the other run has and this one lacks: what is not scored cannot drop.

    Criteria in which as many are lacking share one.
    """
    lost: dict[tuple[str, int, str], list[str]] = {}
    for decision in findings.decisions:
        if decision.lost:
            unit = "item" if decision.criterion in findings.unpaired_items else "question"
            lost.setdefault((decision.model, decision.lost, unit), []).append(plain_name(decision.criterion))
    return [
        f"Warning: {number:,} {unit}{'' if number == 1 else 's'} had a score for {listed(names)} there and "
        f"{'has' if number == 1 else 'have'} none here ({plain_name(model)})."
        for (model, number, unit), names in lost.items()
    ]


def change_row(change: Change, forms: Mapping[str, str]) -> list[str]:
    """One answer that changed."""
    instruction = " ".join(change.question.asked.split())
    return [
        plain_name(change.model),
        plain_name(change.question.id),
        scores_text(change, forms),
        f"{change.likeness:.0%}",
        "".join(one if one.isprintable() else "?" for one in instruction[:SHOWN_CHARACTERS]),
    ]


def forms_of(changes: Sequence[Change]) -> dict[str, str]:
    """How the scores of each criterion are written, so that all of a list have as many decimals."""
    return score_forms(pair for change in changes for scores in (change.before, change.now) for pair in scores.items())


def changed_criteria(change: Change, forms: Mapping[str, str]) -> list[str]:
    """The criteria whose scores are shown as others than before."""
    return [name for name in forms if score_text(change.before, name, forms) != score_text(change.now, name, forms)]


def scores_text(change: Change, forms: Mapping[str, str]) -> str:
    """The scores that changed, before and after: `accuracy 3 to 1, style 2 to 3`."""
    shown = [
        f"{plain_name(name)} {score_text(change.before, name, forms)} to {score_text(change.now, name, forms)}"
        for name in changed_criteria(change, forms)
    ]
    return ", ".join(shown) or "the same scores"


def score_text(scores: Mapping[str, float], name: str, forms: Mapping[str, str]) -> str:
    """One score, `-` where there is none."""
    return forms[name] % scores[name] if name in scores else NOTHING
