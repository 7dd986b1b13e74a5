"""Any two models beside each other, in words."""

from collections.abc import Sequence

from tuneproof.results.details.changes import Outcome, PairGain
from tuneproof.results.details.criteria import Changes
from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import interval_text, plain_name
from tuneproof.results.words.verdicts import UNDECIDED
from tuneproof.settings.evidence.decision import WIN_RATE

Pair = tuple[Details, str]  # a model and the name of one that it is compared with


def pairs(models: Sequence[Details]) -> list[Pair]:
    """Every two models but the baseline, each beside those named before it in params.yaml; neighbours come first."""
    compared = [details for details in models if details.against]
    places = [(later, earlier) for later in range(len(compared)) for earlier in range(later)]
    ordered = sorted(places, key=lambda pair: (pair[0] - pair[1] > 1, pair[0], -pair[1]))
    return [(compared[later], compared[earlier].model) for later, earlier in ordered]


def neighbours(models: Sequence[Details]) -> int:
    """How many of the pairs stand next to each other in params.yaml: SFT, and the DPO that was made from it."""
    return max(sum(bool(details.against) for details in models) - 1, 0)


def pair_sentence(details: Details, other: str) -> str:
    """What the scores say of one model beside another, over the claim's criteria."""
    gains = {name: details.against[other][name] for name in claimed(details.run) if name in details.against[other]}
    subject, beside = plain_name(details.model), plain_name(other)
    verdicts = {gain.verdict for gain in gains.values()}
    if not gains or "too few" in verdicts:
        return f"{subject} against {beside}: too few questions to decide."
    if "no verdict" in verdicts:
        found = "; ".join(f"{plain_name(name)} {pair_gain_text(gain)}" for name, gain in gains.items())
        return f"{subject} against {beside}: no verdict, for the judge is no better than chance: {found}."
    clauses = "; ".join(f"{plain_name(name)} {pair_gain_text(gain)}, {gain.verdict}" for name, gain in gains.items())
    if {"better", "worse"} <= verdicts:
        return f"{subject} is better than {beside} in one respect and worse in another: {clauses}."
    for verdict in ("better", "worse"):
        if verdict in verdicts:
            return f"{subject} is {verdict} than {beside}: {clauses}."
    return f"{subject} against {beside} is {UNDECIDED}: {clauses}."


def between_shipping(models: Sequence[Details]) -> str:
    """Which of the models that may ship is better, pair by pair; empty where fewer than two may."""
    return "; ".join(pair_clause(details, other) for details, other in shipping_pairs(models))


def shipping_pairs(models: Sequence[Details]) -> list[Pair]:
    """The pairs of models that may ship; of many those of neighbours in params.yaml."""
    may = {details.model for details in models if details.decision and details.decision.ship == "yes"}
    both = [(details, other) for details, other in pairs(models) if details.model in may and other in may]
    return both[: max(len(may) - 1, 0)]


def best_shipping(models: Sequence[Details]) -> str | None:
    """The one of several models that may ship which is better than every other of them; None where there is none."""
    may = [details for details in models if details.decision and details.decision.ship == "yes"]
    for details in may:
        others = [other.model for other in may if other is not details]
        if others and all(is_better(details, other) for other in others):
            return details.model
    return None


def is_better(details: Details, other: str) -> bool:
    """Whether a model is better than another in a criterion of the claim, and worse in none."""
    verdicts = {details.against[other][name].verdict for name in claimed(details.run) if name in details.against[other]}
    return "better" in verdicts and "worse" not in verdicts


def counted(details: Details, other: str) -> dict[str, Changes]:
    """How the questions went for one model beside another, by the claim's criteria; empty where it is not known."""
    gains = {name: details.against[other].get(name) for name in claimed(details.run)}
    return {name: gain.changes for name, gain in gains.items() if gain and gain.changes}


def outcome_counts(changes: Changes) -> list[tuple[Outcome, str, int]]:
    """Each outcome, how it is said of questions, and of how many."""
    return [
        ("better", "better", changes.improved),
        ("same", "the same", changes.same),
        ("worse", "worse", changes.worse),
    ]


def lost_heading(details: Details, other: str) -> str:
    """On how many questions a model is worse than another in any criterion of the claim, before these are listed."""
    found = details.lost_to[other]
    many = "1 question" if found.worsened == 1 else f"{found.worsened:,} questions"
    rest = f", the {len(found.worst)} worst of them" if len(found.worst) < found.worsened else ""
    worse = f"worse than {plain_name(other)} in {' or '.join(map(plain_name, details.run.by_question))}"
    scores = f"scores: {plain_name(other)} → {plain_name(details.model)}"
    beware = "Read both answers there, for a mistake of the judge is likeliest in the largest falls"
    return f"{plain_name(details.model)} is {worse} on {many}{rest} ({scores}). {beware}:"


def pair_clause(details: Details, other: str) -> str:
    """In what one model is better or worse than another: `dpo is better than sft in accuracy, +0.26 [+0.01, +0.53]`."""
    gains = {name: details.against[other][name] for name in claimed(details.run) if name in details.against[other]}
    subject, beside = plain_name(details.model), plain_name(other)
    clauses = []
    for verdict in ("better", "worse"):
        found = [f"{plain_name(name)}, {pair_gain_text(one)}" for name, one in gains.items() if one.verdict == verdict]
        clauses += [f"{verdict} than {beside} in {' and '.join(found)}"] if found else []
    return f"{subject} is {' and '.join(clauses)}" if clauses else f"{subject} and {beside} cannot be told apart"


def pair_gain_text(gain: PairGain) -> str:
    """One model less another with its interval: `+0.21 [+0.05, +0.37]`."""
    return interval_text(gain.gain, gain.low, gain.high, signed=True)


def claimed(run: RunDetails) -> list[str]:
    """The criteria of the claim that can be compared between any two models; the rubric's where there is none."""
    return [name for name in run.claimed if name != WIN_RATE] or list(run.rubric)


def names(run: RunDetails, shown: Sequence[Pair]) -> list[str]:
    """The criteria on which any of these pairs is compared, in the run's order."""
    return [name for name in run.criteria if any(name in details.against[other] for details, other in shown)]


def pairs_note(run: RunDetails) -> str:
    """How these comparisons are to be read."""
    confidence = f"{100 * (1 - run.alpha):.4g}%"
    names = ", ".join(map(plain_name, claimed(run)))
    units = " In the judge's units, not people's." if run.in_units_of == "people" else ""
    return (
        f"From the scores above, question by question; no judge was asked again. All pairs in {names} hold together at "
        f"{confidence}, as a family of their own: they widen no interval that decides. They rank models that may "
        f"ship, and do not decide whether one may.{units} Win rates against "
        f"{plain_name(run.baseline)} say nothing of two models beside each other, for they are not transitive. To have "
        "the judge see both answers at once, run again with one of the two as baseline: "
        "answers and scores are kept, so that only the comparisons are asked for."
    )
