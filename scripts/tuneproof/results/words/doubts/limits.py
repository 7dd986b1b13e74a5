"""Whether a gain may be the doing of the limit of tokens, which cut off the baseline's answers."""

from collections.abc import Mapping

from tuneproof.results.details.model import Details
from tuneproof.results.details.slices import SliceScore
from tuneproof.results.words.figures import interval_text, plain_name

MANY_CUT_OFF = 0.1  # of the baseline's answers, from which a gain may be the limit's doing
FEWEST_FINISHED = 5  # questions, below which a gain over them says nothing


def cut_off_sentence(details: Details, baseline: Details, limit: int | None = None) -> str:
    """Where a part of a gain may be that the baseline's answers hit the limit of tokens; empty otherwise.

    `limit` is how many tokens the baseline may write, where that is known.
    """
    theirs, ours = (one.finish_reasons.get("length", 0) for one in (baseline, details))
    many = theirs > MANY_CUT_OFF * baseline.answers and theirs / baseline.answers > ours / max(details.answers, 1)
    if not many or details.verdict not in ("better", "mixed"):
        return ""
    answers = f"{theirs:,} of {baseline.answers:,} answers of {plain_name(baseline.model)}"
    return (
        f"{answers} were cut off at the limit of {f'{limit:,} ' if limit else ''}tokens ({ours:,} of "
        f"{details.answers:,} here), so that limit may explain a part of the gain."
    )


def finished_sentence(details: Details, baseline: Details) -> str:
    """What the gain is over only the questions that the baseline finished; empty where no limit may explain it."""
    found = details.finished
    if found is None or not cut_off_sentence(details, baseline):
        return ""
    name = plain_name(baseline.model)
    deciding = {criterion: one for criterion in details.run.deciding if (one := found.criteria.get(criterion))}
    known = {criterion: one for criterion, one in deciding.items() if (one.paired or 0) >= FEWEST_FINISHED}
    if not known:
        finished = f"{found.questions:,} questions" if found.questions != 1 else "1 question"
        return f"{name} finished only {finished}, too few to say what the gain is over them."
    gains = ", ".join(
        f"{plain_name(criterion)} {gain_text(one)}{beside_all(details, criterion)}" for criterion, one in known.items()
    )
    scored = max(one.paired or 0 for one in known.values())
    return (
        f"Over the {scored:,} questions that {name} finished: {gains} (exploratory: each interval alone, and these may "
        f"be the easier questions){rest_clause(details, known)}."
    )


def rest_clause(details: Details, known: Mapping[str, SliceScore]) -> str:
    """That the limit is not all of a gain, where one is shown over what the baseline finished; empty otherwise."""
    gained = {name: one for name, one in known.items() if details.criteria[name].verdict == "better"}
    held = [plain_name(name) for name, one in gained.items() if (one.gain_low or 0) > 0]
    if not held:
        return ""
    of_those = "" if len(held) == len(gained) else f" in {' and '.join(held)}"
    return f"; a gain{of_those} is shown there too, so the limit is not all of it"


def beside_all(details: Details, criterion: str) -> str:
    """The gain over all questions, in brackets after a space."""
    gain = details.criteria[criterion].gain
    return "" if gain is None else f" (over all {gain:+.2f})"


def gain_text(score: SliceScore) -> str:
    """A gain over some of the questions with its interval: `+0.42 [+0.10, +0.74]`."""
    return interval_text(score.gain, score.gain_low, score.gain_high, signed=True)
