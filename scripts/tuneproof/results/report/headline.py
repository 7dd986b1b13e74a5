"""What the page says first: the decisions or verdicts on all models in one sentence, and how sure that is."""

from collections.abc import Sequence

from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words import figures, notes, pairs, trust, verdicts

OPENINGS = {  # in the order in which a reader wants them
    "better": "{names} {be} better than {baseline}",
    "worse": "{names} {be} worse than {baseline}",
    "mixed": "{names} {be} better than {baseline} in one respect and worse in another",
    "undecided": "{names} {be} undecided, not shown to differ from {baseline}",
    "too few": "{names}: too few questions to compare with {baseline}",
    "no verdict": "{names}: no verdict against {baseline}",
}
SHIP_OPENINGS = {"yes": "ship {names}", "no": "do not ship {names}", "not yet": "not yet: {names}"}
EACH_MAY_SHIP = "each of {names} may ship"  # where none of them is shown to be better than every other
BEST_MAY_SHIP = "ship {best}: it is better than {others}, which may ship too"
FOUND = "4 of 5"  # repeats find the smallest difference that is called detectable (statistics/differences.py)
MOST_NAMES = 4  # more models with the same verdict are counted in the headline; each has its own sentence below


def headline(models: Sequence[Details]) -> str:
    """All decisions in one sentence, or all verdicts where there is no plan.

    Before it stands that none rests on the judge, else what kind of run it is where it is no real one.
    """
    said, run = outcomes(models), models[0].run
    doubt = trust.no_verdict(run) if run.in_units_of == "judge" else ""
    if not doubt and run.run == "real":
        return said
    before = f"{doubt};" if doubt else f"In this {notes.RUN_KINDS[run.run]},"
    return f"{before} {said[0].lower() + said[1:] if run.plan else said}"


def outcomes(models: Sequence[Details]) -> str:
    """What came out of all models."""
    parts = []
    for ship, words_of in SHIP_OPENINGS.items():
        names = [details.model for details in models if details.decision and details.decision.ship == ship]
        if names:
            several = ship == "yes" and len(names) > 1
            parts.append(several_may_ship(models, names) if several else words_of.format(names=counted(names)))
    if parts:
        decisions = "; ".join(parts)
        return decisions[0].upper() + decisions[1:]
    for verdict in OPENINGS:
        names = [details.model for details in models if details.verdict == verdict]
        if names:
            parts.append(opening(verdict, names, models[0].run.baseline))
    return "; ".join(parts) or f"{models[0].run.baseline} stands alone: there is no model to compare it with"


def several_may_ship(models: Sequence[Details], names: Sequence[str]) -> str:
    """That several models may ship, and which of them to take where one is shown to be better than every other."""
    best = pairs.best_shipping(models)
    if best is None:
        return EACH_MAY_SHIP.format(names=counted(names))
    return BEST_MAY_SHIP.format(best=best, others=counted([name for name in names if name != best]))


def counted(names: Sequence[str]) -> str:
    """A few names, or how many models they are."""
    return figures.listed(names) if len(names) <= MOST_NAMES else f"{len(names)} models"


def opening(verdict: str, names: Sequence[str], baseline: str) -> str:
    """The verdict on models that share it."""
    return OPENINGS[verdict].format(names=counted(names), be="is" if len(names) == 1 else "are", baseline=baseline)


def confidence(models: Sequence[Details]) -> str:
    """How sure the verdicts are, for someone who has read nothing else."""
    run = models[0].run
    if any(name in run.withheld for name in run.claimed):
        return "The judge's scores stand below with their intervals; nothing better or worse follows from them."
    if all(details.verdict in ("too few", None) for details in models):
        return f"A verdict needs {run.min_questions} questions that are scored in both; until then none is given."
    if all(details.verdict in ("too few", "undecided", None) for details in models):
        return (
            "Not shown is not the same as equal: these questions do not tell them apart "
            f"at {1 - run.alpha:.0%} confidence, over all that is claimed against {run.baseline}"
            f"{verdicts.sharing_clause(run)}."
        )
    sharing = verdicts.sharing_clause(run)
    together = (
        f"How sure, against {run.baseline}: at {1 - run.alpha:.0%} confidence, over all that is claimed{sharing}."
    )
    if pairs.shipping_pairs(models):
        together = (
            f"How sure: {1 - 2 * run.alpha:.0%} or more that all of it holds at once, {1 - run.alpha:.0%} that all "
            f"against {run.baseline} does{sharing}, {1 - run.alpha:.0%} that all between the models does."
        )
    return (
        f"{together} If no model truly differed from {run.baseline}, at most {run.alpha:.0%} of "
        f"such runs would call any of them better or worse. Not in it: {beyond(run)}."
    )


def beyond(run: RunDetails) -> str:
    """What no interval over questions covers."""
    taught = run.run == "embedded"
    questions = "questions that the models were not taught" if taught else "questions unlike these"
    judge = [] if run.in_units_of == "people" else ["the judge's own errors"]
    return figures.listed([questions, "another training run", *judge])


def detectable_note(details: Details) -> str:
    """What so many questions could have shown, and how many the undecided criteria take; empty where unknown."""
    known = {
        name: one
        for name in details.run.deciding
        if (one := details.criteria[name]).smallest_detectable is not None and one.verdict != "too few"
    }
    if not known:
        return ""
    paired = max(one.paired or 0 for one in known.values())
    sizes = figures.listed([f"{one.smallest_detectable:.2f} in {name}" for name, one in known.items()])
    found = f"With {paired:,} questions, {FOUND} such runs find a true difference of {sizes}"
    note = f"{found}; a smaller one often goes unseen."
    needed = [
        f"{one.questions_needed:,} questions in {name}"
        for name, one in known.items()
        if one.verdict == "undecided" and one.questions_needed
    ]
    return f"{note} To show the observed one takes about {figures.listed(needed)}." if needed else note
