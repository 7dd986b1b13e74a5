"""A run's results in words: shared by the terminal, the pull request's table, the report and the gate."""

import math
from collections.abc import Collection, Sequence

from tuneproof.results.details import (
    CriterionDetails,
    Details,
    GuardDetails,
    PanelDetails,
    RunDetails,
    WinRateDetails,
)
from tuneproof.settings.evidence.decision import COLLAPSES

RUN_NOTES = {
    "real": "",
    "dummy": "Rehearsal: only the first questions were asked, so this shows that the pipeline runs and nothing more.",
    "embedded": (
        "Demonstration: small models and a small judge on demonstration questions; "
        "this shows the pipeline, not any model's ability."
    ),
}
UNDECIDED = "undecided"  # the one word for what the questions do not tell apart, or what was not tested
DECIDES_NOTHING = "decides nothing"  # a criterion outside the plan, whatever its interval says
VERDICT_WORDS = {
    "better": "better",
    "worse": "worse",
    "mixed": "better on some criteria, worse on others",
    "undecided": UNDECIDED,
    "too few": "too few questions to decide",
    "not tested": UNDECIDED,
}
SHIP_WORDS = {"yes": "ship", "no": "do not ship", "not yet": "not yet"}
GUARD_WORDS = {
    "held": "guard holds",
    "dropped": "guard broken",
    "open": "guard is open",
    "too few": "too few questions to decide",
}
NOTHING = "-"
LONGEST_NAME = 40


def run_note(run: RunDetails) -> str:
    """What a reader must know of a rehearsal or demonstration first; empty for a real run."""
    return RUN_NOTES[run.run]


def mean_text(criterion: CriterionDetails) -> str:
    """A mean with its interval: `2.27 [2.10, 2.44]`."""
    return interval_text(criterion.mean, criterion.low, criterion.high)


def gain_text(criterion: CriterionDetails) -> str:
    """A gain with its interval: `+0.21 [+0.05, +0.37]`."""
    return interval_text(criterion.gain, criterion.gain_low, criterion.gain_high, signed=True)


def interval_text(value: float | None, low: float | None, high: float | None, signed: bool = False) -> str:
    """A number with its limits. A gain's limits get as many decimals as they need not to be shown as 0."""
    if value is None or low is None or high is None:
        return NOTHING
    decimals = shown_decimals(low, high) if signed else 2
    sign = "+" if signed else ""
    return f"{value:{sign}.{decimals}f} [{low:{sign}.{decimals}f}, {high:{sign}.{decimals}f}]"


def win_rate_text(rate: WinRateDetails) -> str:
    """A win rate with its interval: `56% [48%, 64%]`."""
    if rate.win_rate is None or rate.low is None or rate.high is None:
        return NOTHING
    digits = shown_decimals(rate.low - 0.5, rate.high - 0.5) - 2  # of per cent, so that no limit is rounded to one half
    return f"{rate.win_rate:.{digits}%} [{rate.low:.{digits}%}, {rate.high:.{digits}%}]"


def share_text(share: float) -> str:
    """A share in per cent; only what is complete reads 100%."""
    return "100%" if share == 1 else f"{min(share, 0.999):.1%}"


def plain_name(name: str) -> str:
    """A name as one short line: files of another revision may hold names that params.yaml would refuse."""
    return "".join(character if character.isprintable() else "?" for character in name[:LONGEST_NAME])


def model_sentence(details: Details) -> str:
    """The verdict on one model in one sentence (two where missing scores could change it)."""
    run, subject, baseline = details.run, plain_name(details.model), plain_name(details.run.baseline)
    if details.verdict is None:
        means = ", ".join(f"{plain_name(name)} {mean_text(details.criteria[name])}" for name in run.deciding)
        return f"{subject} is the baseline: {means}."
    if details.verdict == "too few":
        return (
            f"{subject}: too few questions to decide whether it is better than {baseline} "
            f"({paired_questions(details)} {counted(run)} in both, {run.fewest} needed)."
        )
    opening = {
        "better": f"{subject} is better than {baseline}",
        "worse": f"{subject} is worse than {baseline}",
        "mixed": f"{subject} is better than {baseline} in one respect and worse in another",
        "undecided": f"{subject} is {UNDECIDED}, not shown to differ from {baseline}",
    }[details.verdict]
    facts = "; ".join(criterion_clause(name, details.criteria[name]) for name in run.claimed)
    return f"{opening}: {facts}.{missing_clause(details)}"


def counted(run: RunDetails) -> str:
    """What a question must be to count: scored, or labelled where people's units decide."""
    return "labelled" if run.in_units_of == "people" else "scored"


def paired_questions(details: Details) -> int:
    """How many questions count in both models on every criterion of the claim, at most."""
    return min((details.criteria[name].paired or 0 for name in details.run.claimed), default=0)


def criterion_clause(name: str, criterion: CriterionDetails) -> str:
    """What was found on one criterion, and what could have been where nothing was."""
    found = f"{plain_name(name)} {gain_text(criterion)}"
    if criterion.verdict == "not tested":
        return f"{found}, {UNDECIDED} (not tested, for one before it did not improve)"
    if criterion.verdict != "undecided":
        return f"{found}, {criterion.verdict}"
    detectable = criterion.smallest_detectable
    if detectable is None:
        return f"{found}, undecided"
    return (
        f"{found}, undecided (with {criterion.paired} questions a difference under {detectable:.2f} often goes unseen)"
    )


def missing_clause(details: Details) -> str:
    """A warning, with a leading space, where the missing scores could turn a verdict; empty otherwise."""
    named = [
        plain_name(name)
        for name in details.run.claimed
        if (missing := details.criteria[name].missing) and missing.could_change_verdict
    ]
    if not named:
        return ""
    return f" The missing scores could change the verdict on {' and '.join(named)}."


def ship_sentence(details: Details) -> str:
    """The decision on one model with its reasons; empty for the baseline, and without a plan."""
    decision, run = details.decision, details.run
    if decision is None:
        return ""
    if decision.judge_at_chance:
        reason = "the judge is no better than chance, so that no verdict rests on it"
        return f"{plain_name(details.model)}: {SHIP_WORDS[decision.ship]}, for {reason}."
    worse = [f"it is worse on {plain_name(name)}" for name in decision.worsened]
    broken = [guard_clause(name, one) for name, one in decision.guards.items() if one.outcome == "dropped"]
    unsettled = [guard_clause(name, one) for name, one in decision.guards.items() if one.outcome in ("open", "too few")]
    held = [guard_clause(name, one) for name, one in decision.guards.items() if one.outcome == "held"]
    claimed = " or ".join(map(plain_name, run.claimed))
    if decision.ship == "no":
        reasons = [*worse, *broken]
    elif decision.ship == "yes":
        none_worse = f"is worse on nothing of {claimed}" if len(run.claimed) > 1 else ""
        reasons = [f"it improved {' and '.join(map(plain_name, decision.improved))}", none_worse, *held]
    else:
        shown = "" if decision.improved and details.verdict != "too few" else not_improved(details, claimed)
        reasons = [shown, *unsettled]
    because = ", and ".join(filter(None, reasons))
    return f"{plain_name(details.model)}: {SHIP_WORDS[decision.ship]}, for {because}{settling_clause(details)}."


def not_improved(details: Details, claimed: str) -> str:
    """Why nothing counts as improved."""
    if details.verdict == "too few":
        run = details.run
        return f"{paired_questions(details)} questions are {counted(run)} in both and {run.fewest} are needed"
    return f"no improvement in {claimed} was shown"


def guard_clause(name: str, guard: GuardDetails) -> str:
    """What one guard says, with its limits."""
    if name == COLLAPSES:
        drop = f"a collapse on more than {guard.margin:.4g} of the questions"
        happened = f"it collapses on more than {guard.margin:.4g} of the questions"
    else:
        drop = f"a drop of more than {guard.margin:g} in {plain_name(name)}"
        happened = f"{plain_name(name)} dropped by more than {guard.margin:g}"
    clause = {
        "held": f"{drop} is excluded",
        "dropped": happened,
        "open": f"{drop} is not excluded",
        "too few": f"{drop} cannot be excluded by {guard.questions} questions",
    }[guard.outcome]
    found = interval_text(guard.difference, guard.low, guard.high, signed=True)
    return clause if found == NOTHING else f"{clause} ({found})"


def settling_clause(details: Details) -> str:
    """How many questions would settle what is open, with a leading semicolon; empty where nothing is open."""
    decision = details.decision
    if decision is None or decision.ship != "not yet":
        return ""
    kind = "labelled questions" if details.run.in_units_of == "people" else "questions"
    missing = details.run.fewest - paired_questions(details)
    if details.run.in_units_of == "people" and missing > 0:
        return f"; {missing} more {kind} come first"
    if decision.questions_needed is None:
        return "; if what was observed is true, more questions would not change that"
    return f"; about {decision.questions_needed:,} {kind} would settle it in 4 of 5 repeats"


def plan_sentence(run: RunDetails) -> str:
    """What was to be shown, and whether that was changed after results had been seen; empty without a plan."""
    plan = run.plan
    if plan is None:
        return ""
    claimed = (" then " if plan.in_order else " or ").join(map(plain_name, plan.improves))
    guards = ", ".join(f"{plain_name(name)} by more than {margin:g}" for name, margin in plan.must_not_drop.items())
    told = f"Plan {plan.key}: {claimed} improves" + (f", and nothing drops of {guards}" if guards else "")
    if not plan.earlier:
        return f"{told}."
    return (
        f"{told}. It was changed after results on these questions had been seen (before: {', '.join(plan.earlier)}), "
        "so its level holds no longer."
    )


def collapse_sentence(details: Details) -> str:
    """How often one model falls by a whole step or to the lowest score; empty for the baseline."""
    found, run = details.collapses, details.run
    if found is None:
        return ""
    own = (
        f"; two samples of {plain_name(run.baseline)} do so on {share_text(found.of_baseline)}"
        if found.of_baseline is not None
        else ""
    )
    return (
        f"{plain_name(details.model)} falls by a whole step or to the lowest score on {share_text(found.share)} "
        f"[{found.low:.1%}, {found.high:.1%}] of {found.questions:,} questions "
        f"(in {' or '.join(map(plain_name, run.claimed))}){own}."
    )


def panel_sentence(details: Details) -> str:
    """What each judge of a panel gave one model, and how far they agree; empty for a single judge."""
    if not details.panel:
        return ""
    clauses = "; ".join(panel_clause(name, one) for name, one in details.panel.items())
    return f"The judges on {plain_name(details.model)}: {clauses}."


def panel_clause(name: str, panel: PanelDetails) -> str:
    """The judges' means on one criterion, and their agreement where two of them scored the same answers."""
    means = ", ".join(f"{plain_name(judge)} {decimals(one.mean)}" for judge, one in panel.judges.items())
    found = f"{plain_name(name)} {means}"
    if panel.spread is None or panel.exact_agreement is None:
        return found
    return (
        f"{found} (mean spread {panel.spread:.2f}, the same score on {share_text(panel.exact_agreement)}, "
        f"weighted kappa {decimals(panel.weighted_kappa)})"
    )


def decimals(value: float | None) -> str:
    """A number to two decimals."""
    return NOTHING if value is None else f"{value:.2f}"


def family_note(run: RunDetails) -> str:
    """How to read the intervals."""
    confidence = f"{100 * (1 - run.alpha):.4g}%"
    if run.in_units_of == "people":
        return (
            "In people's units where there are labels enough, by random labels and the judge's scores (PPI++). "
            f"Intervals of means hold at {confidence} each; {family_clause(run, confidence)}. "
            f"A gain is the mean difference to {plain_name(run.baseline)}."
        )
    return (
        f"Intervals of means hold at {confidence} each; {family_clause(run, confidence)}. "
        f"A gain is the mean paired difference to {plain_name(run.baseline)} "
        "over the questions scored in both, so it is not always the difference of the means."
    )


def family_clause(run: RunDetails, confidence: str) -> str:
    """How the intervals of gains hold."""
    claimed = [plain_name(name) for name in run.claimed]
    rest = "" if len(claimed) == len(run.criteria) else "; the others hold by themselves and decide nothing"
    if run.plan and run.plan.in_order:
        share = f"{100 * (1 - run.alpha / max(len(run.models) - 1, 1)):.4g}%"
        return f"those of gains in {', '.join(claimed)} at {share} each, tested in this order as long as each improves"
    named = "all models and criteria" if not rest else f"all models in {' and '.join(claimed)}"
    return f"those of gains hold together at {confidence}, for {named}{rest}"


def benchmark_note(models: Sequence[Details]) -> str:
    """One line on the benchmarks: in which each model gained or lost; empty where there are none."""
    asked = models[0].benchmarks
    if not asked:
        return ""
    parts = []
    for details in models:
        gains = {name: (details.criteria[name].gain_low, details.criteria[name].gain_high) for name in asked}
        better = [name for name, (low, _) in gains.items() if low is not None and low > 0]
        worse = [name for name, (_, high) in gains.items() if high is not None and high < 0]
        said = [f"{word} in {', '.join(names)}" for word, names in (("better", better), ("worse", worse)) if names]
        if not details.is_baseline:
            parts.append(f"{plain_name(details.model)} {' and '.join(said) or 'not shown to differ'}")
    items = sum(one.items for one in asked.values())
    tasks = "1 task" if len(asked) == 1 else f"{len(asked)} tasks"
    return f"Benchmarks ({tasks}, {items:,} items, each interval alone): {'; '.join(parts)}."


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
    return f"Beside these the report shows {names}, which decide nothing." if names else ""


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


def row_verdict(details: Details, criterion: str) -> str:
    """The verdict on one criterion, what its guard says where it is only a guard, or that it decides nothing."""
    one = details.criteria[criterion]
    if one.verdict == "not tested" and details.run.criteria[criterion].role == "shown":
        return DECIDES_NOTHING
    return guard_verdict(details, criterion) or criterion_verdict(one)


def guard_verdict(details: Details, criterion: str) -> str:
    """What the guard says of a criterion that is only a guard; empty for any other."""
    guards = details.decision.guards if details.decision else {}
    only_guard = criterion in guards and details.run.criteria[criterion].role == "guard"
    return GUARD_WORDS[guards[criterion].outcome] if only_guard else ""


def criterion_verdict(criterion: CriterionDetails) -> str:
    """The verdict on one criterion in words; `baseline` for the baseline's own."""
    return VERDICT_WORDS[criterion.verdict] if criterion.verdict else "baseline"


def short_verdict(verdict: str | None) -> str | None:
    """A verdict in one or two words, for a card."""
    return UNDECIDED if verdict == "not tested" else verdict


def shown_decimals(low: float, high: float, at_least: int = 2) -> int:
    """Returns how many decimals the limits need: none is then shown as 0 that is not, so none contradicts a verdict."""
    nonzero = [abs(limit) for limit in (low, high) if limit != 0]
    return max([at_least, *(math.ceil(-math.log10(2 * limit)) for limit in nonzero)])
