"""The verdict on a model, and on each criterion, in words."""

from tuneproof.results.details.criteria import CriterionDetails
from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import gain_text, mean_text, plain_name, yes_gain_text
from tuneproof.settings.evidence.decision import WIN_RATE

UNDECIDED = "undecided"  # the one word for what the questions do not tell apart, or what was not tested
SHOWN_ONLY = "shown only"  # a criterion on which no verdict rests, whatever its interval says
VERDICT_WORDS = {
    "better": "better",
    "worse": "worse",
    "mixed": "better on some criteria, worse on others",
    "undecided": UNDECIDED,
    "too few": "too few questions to decide",
    "not tested": UNDECIDED,
    "no verdict": "no verdict",
}
GUARD_WORDS = {
    "held": "guard holds",
    "dropped": "guard broken",
    "open": "guard is open",
    "too few": "too few questions to decide",
}


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
        "no verdict": f"{subject}: no verdict against {baseline}, for the judge is no better than chance",
    }[details.verdict]
    facts = "; ".join(criterion_clause(name, details.criteria[name], yes_no(run, name)) for name in run.claimed)
    return f"{opening}{sharing_clause(run)}: {facts}.{missing_clause(details)}"


def sharing_clause(run: RunDetails) -> str:
    """How many comparisons share alpha, in brackets after a space: with each that joins, all intervals grow.

    Empty where there is only one.
    """
    if run.sharing == 1:
        return ""
    return f" ({run.sharing} {sharing_word(run)} share the {100 * run.alpha:.4g}%)"


def sharing_word(run: RunDetails) -> str:
    """What shares alpha: where criteria are tested in order, each model has its share for all of them."""
    return "models" if run.plan and run.plan.in_order else "comparisons"


def counted(run: RunDetails) -> str:
    """What a question must be to count: scored, or labelled where people's units decide."""
    return "labelled" if run.in_units_of == "people" else "scored"


def paired_questions(details: Details) -> int:
    """How many questions count in both models on every criterion of the claim, at most."""
    return min((details.criteria[name].paired or 0 for name in details.run.claimed), default=0)


def yes_no(run: RunDetails, name: str) -> bool:
    """Whether the judge answers a criterion by yes or no."""
    return name in run.rubric and run.rubric[name].is_yes_no


def criterion_clause(name: str, criterion: CriterionDetails, yes_no: bool = False) -> str:
    """What was found on one criterion, and what could have been where nothing was; of yes or no, in shares of yes."""
    found = f"{plain_name(name)} {yes_gain_text(criterion) if yes_no else gain_text(criterion)}"
    if criterion.verdict == "not tested":
        return f"{found}, {UNDECIDED} (not tested, for one before it did not improve)"
    if criterion.verdict == "no verdict":
        return found
    if criterion.verdict != "undecided":
        return f"{found}, {criterion.verdict}"
    detectable = criterion.smallest_detectable
    if detectable is None:
        return f"{found}, {UNDECIDED}"
    under = f"{detectable:.0%}" if yes_no else f"{detectable:.2f}"
    return f"{found}, {UNDECIDED} (with {criterion.paired} questions a difference under {under} often goes unseen)"


def missing_clause(details: Details) -> str:
    """A warning, with a leading space, where the missing scores could turn a verdict; empty otherwise."""
    named = [
        plain_name(name)
        for name in details.run.claimed
        if name not in details.run.withheld
        and (missing := details.criteria[name].missing)
        and missing.could_change_verdict
    ]
    if not named:
        return ""
    return f" The missing scores could change the verdict on {' and '.join(named)}."


def row_verdict(details: Details, criterion: str) -> str:
    """The verdict on one criterion, what its guard says where it is only a guard, or that it is shown only."""
    one = details.criteria[criterion]
    if one.verdict == "not tested" and details.run.criteria[criterion].role == "shown":
        return SHOWN_ONLY
    return guard_verdict(details, criterion) or criterion_verdict(one)


def card_verdict(details: Details, criterion: str) -> str:
    """The verdict on one criterion in a word or two: the guard's where it is only a guard, or that it is shown only."""
    one = details.criteria[criterion]
    if one.verdict == "not tested" and details.run.criteria[criterion].role == "shown":
        return SHOWN_ONLY
    return guard_verdict(details, criterion) or short_verdict(one.verdict) or ""


def rate_verdict(details: Details) -> str:
    """The verdict on a win rate in a word or two, and that nothing rests on it where that is so; empty without one."""
    if details.win_rate is None:
        return ""
    said = short_verdict(details.win_rate.verdict) or ""
    return said if WIN_RATE in details.run.deciding else f"{said}, {SHOWN_ONLY}"


def guard_verdict(details: Details, criterion: str) -> str:
    """What the guard says of a criterion that is only a guard; empty for any other."""
    guards = details.decision.guards if details.decision else {}
    held = criterion in guards and criterion not in details.run.withheld
    only_guard = held and details.run.criteria[criterion].role == "guard"
    return GUARD_WORDS[guards[criterion].outcome] if only_guard else ""


def criterion_verdict(criterion: CriterionDetails) -> str:
    """The verdict on one criterion in words; `baseline` for the baseline's own."""
    return VERDICT_WORDS[criterion.verdict] if criterion.verdict else "baseline"


def short_verdict(verdict: str | None) -> str | None:
    """A verdict in one or two words, for a card."""
    return UNDECIDED if verdict == "not tested" else verdict
