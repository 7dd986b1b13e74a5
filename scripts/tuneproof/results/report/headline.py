"""What the page says first: the decisions or verdicts on all models in one sentence, and how sure that is."""

from collections.abc import Sequence

from tuneproof.results.details.model import Details
from tuneproof.results.words import figures, trust, verdicts

OPENINGS = {  # in the order in which a reader wants them
    "better": "{names} {be} better than {baseline}",
    "worse": "{names} {be} worse than {baseline}",
    "mixed": "{names} {be} better than {baseline} in one respect and worse in another",
    "undecided": "{names} {be} undecided, not shown to differ from {baseline}",
    "too few": "{names}: too few questions to compare with {baseline}",
}
SHIP_OPENINGS = {"yes": "ship {names}", "no": "do not ship {names}", "not yet": "not yet: {names}"}
EACH_MAY_SHIP = "each of {names} may ship"  # where several may: which is better is another comparison
MOST_NAMES = 4  # more models with the same verdict are counted in the headline; each has its own sentence below


def headline(models: Sequence[Details]) -> str:
    """All decisions in one sentence, or all verdicts where there is no plan; first where none rests on the judge."""
    said, run = outcomes(models), models[0].run
    doubt = trust.no_verdict(run) if run.in_units_of == "judge" else ""
    return f"{doubt}; {said[0].lower() + said[1:] if run.plan else said}" if doubt else said


def outcomes(models: Sequence[Details]) -> str:
    """What came out of all models."""
    parts = []
    for ship, words_of in SHIP_OPENINGS.items():
        names = [details.model for details in models if details.decision and details.decision.ship == ship]
        if names:
            several = EACH_MAY_SHIP if ship == "yes" and len(names) > 1 else words_of
            listed = figures.listed(names) if len(names) <= MOST_NAMES else f"{len(names)} models"
            parts.append(several.format(names=listed))
    if parts:
        decisions = "; ".join(parts)
        return decisions[0].upper() + decisions[1:]
    for verdict in OPENINGS:
        names = [details.model for details in models if details.verdict == verdict]
        if names:
            parts.append(opening(verdict, names, models[0].run.baseline))
    return "; ".join(parts) or f"{models[0].run.baseline} stands alone: there is no model to compare it with"


def opening(verdict: str, names: Sequence[str], baseline: str) -> str:
    """The verdict on models that share it."""
    subject = figures.listed(names) if len(names) <= MOST_NAMES else f"{len(names)} models"
    return OPENINGS[verdict].format(names=subject, be="is" if len(names) == 1 else "are", baseline=baseline)


def confidence(models: Sequence[Details]) -> str:
    """How sure the verdicts are, for someone who has read nothing else."""
    run = models[0].run
    if run.at_chance:
        return "The verdicts below are what the scores would say, if the judge's scores said anything."
    if all(details.verdict in ("too few", None) for details in models):
        return f"A verdict needs {run.min_questions} questions that are scored in both; until then none is given."
    if all(details.verdict in ("too few", "undecided", None) for details in models):
        return (
            "Not shown is not the same as equal: these questions do not tell them apart "
            f"at {1 - run.alpha:.0%} confidence, over all that is claimed of the models{verdicts.sharing_clause(run)}."
        )
    return (
        f"How sure: at {1 - run.alpha:.0%} confidence, over all that is claimed of the models"
        f"{verdicts.sharing_clause(run)}. If no model truly differed from {run.baseline}, at most {run.alpha:.0%} of "
        "such runs would call any of them better or worse."
    )


def undecided_note(details: Details) -> str:
    """What so many questions could have shown on the criteria that stayed undecided; empty where none did."""
    open_ones = {
        name: one
        for name, one in details.criteria.items()
        if one.verdict == "undecided" and one.smallest_detectable is not None
    }
    if not open_ones:
        return ""
    paired = max(one.paired or 0 for one in open_ones.values())
    sizes = figures.listed([f"{one.smallest_detectable:.2f} in {name}" for name, one in open_ones.items()])
    note = f"With {paired:,} questions, a true difference under {sizes} often goes unseen."
    needed = [f"{one.questions_needed:,} ({name})" for name, one in open_ones.items() if one.questions_needed]
    return f"{note} To show the observed one takes about {figures.listed(needed)} questions." if needed else note
