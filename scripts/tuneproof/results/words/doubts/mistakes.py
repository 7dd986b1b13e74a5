"""How far the worst questions may be the judge's own mistakes."""

from collections.abc import Sequence

from tuneproof.records.documents.agreement import JudgeBesidePeople
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import listed, plain_name
from tuneproof.results.words.trust import is_embedded
from tuneproof.settings.worlds import EMBEDDED_CHECKS

# Checks of the embedded world by what its judge counts too.
SHARES_WORDS = [name for name, check in EMBEDDED_CHECKS.root.items() if check.kind == "token_f1"]
CLEAR = 0.75  # a preference from which on, or as far below one half, it is told without doubt


def mistakes_note(run: RunDetails) -> str:
    """That mistakes of the judge gather among the worst questions, and how many are known; empty where it has no part.

    What is largest of many is large by chance too: the judge's error in either answer is a part of why it stands there.
    """
    if not any(run.criteria[name].source in ("judge", "compare") for name in run.by_question):
        return ""
    return (
        "These are the largest falls of all, so a mistake of the judge, in either answer, is likelier here than "
        f"anywhere else. {known_mistakes(run)} Read both answers before you take one for a loss."
    )


def known_mistakes(run: RunDetails) -> str:
    """How often the judge scores otherwise than people, and of what answers that is known."""
    shares = {name: one.share_equal.value for name, one in beside_people(run).items() if one.share_equal}
    if run.agreement and shares:
        otherwise = listed([f"{1 - share:.1%} in {plain_name(name)}" for name, share in shares.items()])
        if run.agreement.source == "labels":
            return f"People scored otherwise than it did in {otherwise} of the answers that they rated."
        return (
            f"People scored otherwise than it did in {otherwise} of the answers that they graded; {none_of_run(run)}."
        )
    if run.admission.asked and run.admission.source == "golden answers":
        return f"It was held against golden answers alone: {none_of_run(run)}."
    return "" if run.admission.asked else "How often it is mistaken is not known: nothing was held against it."


def beside_people(run: RunDetails) -> dict[str, JudgeBesidePeople]:
    """The judge beside people, by criterion; empty where nobody rated."""
    return {name: one.judge for name, one in run.agreement.criteria.items() if one.judge} if run.agreement else {}


def errors_by_criterion(run: RunDetails) -> list[str]:
    """What the judge gave the answers that people gave the highest score, and the lowest; empty where nobody rated."""
    beside = beside_people(run)
    clauses = {name: [clause for end in (-1, 0) if (clause := given_clause(one, end))] for name, one in beside.items()}
    return [
        f"{plain_name(name)}: {'; '.join(found)}{bend_clause(beside[name])}" for name, found in clauses.items() if found
    ]


def bend_clause(judge: JudgeBesidePeople) -> str:
    """What errors of opposite sign at both ends of the scale do to a difference; empty where they are not opposite."""
    biases = {one.score: one.bias for one in judge.bias_by_score}
    low, high = (biases.get(judge.steps[end], 0.0) for end in (0, -1))
    if low > 0 > high:
        return ", so between such answers a gain is rather larger by people's measure than by its scores"
    wide = ", so between such answers a gain is rather smaller by people's measure than by its scores"
    return wide if low < 0 < high else ""


def rated_answers(run: RunDetails) -> str:
    """Which answers people rated beside the judge."""
    found = run.agreement
    if found is None or found.source is None:
        return ""
    rated = f"{found.rated:,} answers to {found.questions:,} questions"
    return f"{rated} of this run" if found.source == "labels" else f"{rated} that were graded before"


def beyond_the_rated(run: RunDetails) -> str:
    """That nothing of this run's answers was rated, and what that leaves open; empty where some were."""
    if run.agreement is None or run.agreement.source != "graded":
        return ""
    return (
        f"None of these is of this run. How it scores answers like {plain_name(run.baseline)}'s is not known, nor what "
        "its errors there do to the gains: the examples below are all there is."
    )


def given_clause(judge: JudgeBesidePeople, end: int) -> str:
    """What the judge gave the answers at one end of people's scale: `of 55 that people gave 3, it gave 3 to 30, …`."""
    row = judge.confusion[end]
    if not sum(row):
        return ""
    step = f"{judge.steps[end]:g}"
    given = sorted(zip(judge.steps, row, strict=True), key=lambda pair: abs(pair[0] - judge.steps[end]))
    shares = ", ".join(f"{found:g} to {count}" for found, count in given if count)
    beside = next((one.bias for one in judge.bias_by_score if one.score == judge.steps[end]), None)
    if beside is None:
        return f"of {sum(row)} answers that people gave {step} it gave {shares}"
    off = f"{abs(beside):.2f} {'above' if beside > 0 else 'below'} people on average"
    return f"of {sum(row)} answers that people gave {step} it gave {shares} ({off})"


def none_of_run(run: RunDetails) -> str:
    """That the judge's mistakes in this run's answers are not known."""
    baseline = plain_name(run.baseline)
    return f"none of them is of this run, so how often it is mistaken about answers like {baseline}'s is not known"


def witness_text(run: RunDetails, scores: Sequence[tuple[str, float | None, float | None]]) -> str:
    """Whether what programs scored speaks for a loss or against it, from each one's scores of both answers."""
    falls = [after < before for _, before, after in scores if before is not None and after is not None]
    said = "speaks both ways" if falls else "says nothing of a loss"
    if falls and (all(falls) or not any(falls)):
        said = "speaks for a loss" if falls[0] else "speaks against a loss"
    shared = is_embedded(run) and any(name in SHARES_WORDS for name, *_ in scores)
    return f"{said}, but this judge counts shared words too" if shared else said


def one_source_note(run: RunDetails) -> str:
    """That two sources count the same; empty where they do not."""
    if not is_embedded(run):
        return ""
    return f"This judge counts shared words too, so {' and '.join(SHARES_WORDS)} is no second witness beside it."


def preference_text(run: RunDetails, model: str, preference: float | None) -> str:
    """Which answer the judge prefers where it saw both; empty where it did not, or prefers by its scores alone."""
    if preference is None or is_embedded(run):
        return ""
    if preference == 1 - preference:
        return "Shown both answers in both orders, the judge does not tell which is better"
    leans = "prefers" if max(preference, 1 - preference) >= CLEAR else "leans to"
    preferred = model if preference > 1 - preference else run.baseline
    return f"Shown both answers in both orders, the judge {leans} {plain_name(preferred)}'s"
