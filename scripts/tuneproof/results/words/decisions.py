"""Whether a model ships, and why, in words."""

from collections.abc import Sequence

from tuneproof.results.details.decisions import GuardDetails
from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import NOTHING, interval_text, plain_name, share_text
from tuneproof.results.words.verdicts import counted, paired_questions, sharing_word
from tuneproof.settings.evidence.decision import COLLAPSES, WIN_RATE

SHIP_WORDS = {"yes": "ship", "no": "do not ship", "not yet": "not yet"}


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
        none_worse = none_worse_clause(run, decision.improved)
        reasons = [f"it improved {' and '.join(map(plain_name, decision.improved))}", none_worse, *held]
    else:
        shown = "" if decision.improved and details.verdict != "too few" else not_improved(details, claimed)
        reasons = [shown, *unsettled]
    because = ", and ".join(filter(None, reasons))
    return f"{plain_name(details.model)}: {SHIP_WORDS[decision.ship]}, for {because}{settling_clause(details)}."


def none_worse_clause(run: RunDetails, improved: Sequence[str]) -> str:
    """That a model is not shown to be worse in any other claimed criterion; empty where it improved all of them."""
    others = [plain_name(name) for name in run.claimed if name not in improved]
    return f"is not shown to be worse in {' or '.join(others)}" if others else ""


def rule_sentence(run: RunDetails) -> str:
    """When a model ships, as a whole: `Ship: better in accuracy (95% over 2 comparisons).`; empty without a plan."""
    plan = run.plan
    if plan is None:
        return ""
    names = list(map(plain_name, plan.improves))
    claimed = " or ".join(names) if not plan.in_order else f"{', then '.join(names)}, tested in this order"
    over = f" over {run.sharing} {sharing_word(run)}" if run.sharing > 1 else ""
    none_worse = {1: "", 2: " and shown to be worse in neither"}.get(len(names), " and shown to be worse in none")
    guards = [
        f"collapses on at most {margin:.4g} of the questions"
        if name == COLLAPSES
        else f"no drop of more than {margin:g} in {plain_name(name)}"
        for name, margin in plan.must_not_drop.items()
    ]
    return "; ".join([f"Ship: better in {claimed} ({100 * (1 - run.alpha):.4g}%{over}){none_worse}", *guards]) + "."


def beside_the_rule(models: Sequence[Details]) -> str:
    """That the win rate on the cards decides nothing; empty where it does, or there is none."""
    compared = any(details.win_rate for details in models)
    return "The win rate decides nothing." if compared and WIN_RATE not in models[0].run.deciding else ""


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
    """How often one model falls by a whole step, or by half of one to the lowest score; empty for the baseline."""
    found, run = details.collapses, details.run
    if found is None:
        return ""
    own = (
        f"; two samples of {plain_name(run.baseline)} do so on {share_text(found.of_baseline)}"
        if found.of_baseline is not None
        else ""
    )
    return (
        f"{plain_name(details.model)} falls far on {share_text(found.share)} [{found.low:.1%}, {found.high:.1%}] of "
        f"{found.questions:,} questions (by a whole step in {' or '.join(map(plain_name, run.claimed))}, or by half a "
        f"step down to the lowest score){own}{of_the_worse(details)}."
    )


def of_the_worse(details: Details) -> str:
    """How many of the questions that got worse fell that far, after a semicolon; empty where none got worse.

    Of several samples each falls by itself, so that there is no such count.
    """
    found, several = details.collapses, details.samples > 1 or not details.worsened
    if found is None or several or found.of_baseline is not None:
        return ""
    fell = round(found.share * found.questions)
    if details.worsened == 1:
        return f"; the one question that got worse fell {'that' if fell else 'less'} far"
    share = "all" if fell == details.worsened else f"{fell} of"
    return f"; {share} the {details.worsened:,} questions that got worse fell that far"
