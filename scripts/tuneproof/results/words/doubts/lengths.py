"""Whether the length of answers may explain a gain on one criterion."""

from typing import Literal

from tuneproof.results.details.criteria import CriterionDetails, EqualLength
from tuneproof.results.details.model import Details
from tuneproof.results.words.figures import interval_text, listed, plain_name

Explained = Literal["in part", "hides", "not shown", "cannot tell"]
CONCLUSIONS: dict[Explained, str] = {
    "in part": "length may explain a part of the difference in {names}",
    "hides": "length works against the difference in {names}, so it explains none of it",
    "not shown": "length is not shown to explain the difference in {names}",
}


def card_sentence(details: Details, baseline: Details) -> tuple[str, bool]:
    """How long both models' answers are, the gains at equal length, and whether length may explain any of them.

    Empty, and no caution, where there is nothing to compare.
    """
    now, before = details.lengths.characters_mean, baseline.lengths.characters_mean
    if details.is_baseline or now is None or before is None:
        return "", False
    mean = f"Its answers have {now:,.0f} characters on average, {plain_name(baseline.model)}'s {before:,.0f}"
    told = [name for name in details.run.rubric if name not in details.run.withheld]
    known = {name: one for name in told if (one := details.criteria[name]).equal_length}
    if not known:
        return f"{mean}.", False
    gains = ", ".join(f"{plain_name(name)} {equal_text(one)}{beside_all(one)}" for name, one in known.items())
    judged = " by the judge's scores" if details.run.in_units_of == "people" else ""
    said = f"{mean}. At equal length the gains{judged} are {gains} (exploratory: each interval alone)"
    return f"{said}{conclusion(known)}.", any(explained(one) in ("in part", "cannot tell") for one in known.values())


def conclusion(known: dict[str, CriterionDetails]) -> str:
    """What follows for the gains, as a clause."""
    names: dict[Explained | None, list[str]] = {}
    for name, one in known.items():
        names.setdefault(explained(one), []).append(plain_name(name))
    said = [words.format(names=listed(names[found])) for found, words in CONCLUSIONS.items() if found in names]
    unclear = [one.equal_length for one in known.values() if explained(one) == "cannot tell"]
    if unclear and unclear[0]:
        said.append(f"{sides_text(unclear[0])}, so equal length lies at the edge of what was seen")
    kept = [plain_name(name) for name, one in known.items() if is_kept(one)]
    alone = "it is" if len(known) == 1 else "they are"
    if kept:
        which = alone if len(kept) == len(known) else f"that in {listed(kept)} is"
        said.append(f"{which} shown at equal length too")
    return f": {'; '.join(said)}"


def is_kept(one: CriterionDetails) -> bool:
    """Whether a difference that is shown is shown at equal length too, in the direction that it has."""
    found, verdict = one.equal_length, (one.judge_alone or one).verdict
    if found is None or found.outside:
        return False
    return found.low > 0 if verdict == "better" else verdict == "worse" and found.high < 0


def explained(one: CriterionDetails) -> Explained | None:
    """Whether the length of answers may explain a gain; None where there is nothing to compare.

    In part: twice the length is shown to change a score, and at equal length less of the gain is left; where more is,
    length hides a part.
    """
    found, gain = one.equal_length, own_gain(one)
    if found is None or gain is None:
        return None
    works = found.doubling_low > 0 or found.doubling_high < 0
    if found.outside:
        return "cannot tell"
    if works and gain != found.gain:
        return "in part" if (gain - found.gain) * gain > 0 else "hides"
    return "not shown"


def own_gain(one: CriterionDetails) -> float | None:
    """The gain by the judge's own scores, where people's units decide too."""
    return one.judge_alone.gain if one.judge_alone else one.gain


def length_sentence(details: Details, baseline: Details, criterion: str) -> str:
    """What length has to do with a gain on one criterion, in figures; empty where there is nothing to compare."""
    one = details.criteria[criterion]
    found, gain = one.equal_length, own_gain(one)
    if found is None or gain is None:
        return ""
    low, high = details.run.criteria[criterion].ends
    doubling = interval_text(found.doubling, found.doubling_low, found.doubling_high, signed=True)
    known = found.doubling_high - found.doubling_low <= high - low
    twice = (
        f"an answer twice as long as {plain_name(baseline.model)}'s scores {doubling} beside one as long"
        if known
        else "lengths differ too little to tell what length does"
    )
    return (
        f"{plain_name(details.model)}: at equal length the gain is {equal_text(one)}{beside_all(one)}; {twice}; "
        f"{sides_text(found)}."
    )


def equal_text(one: CriterionDetails) -> str:
    """The gain at equal length with its interval."""
    found = one.equal_length
    return interval_text(found.gain, found.low, found.high, signed=True) if found else ""


def beside_all(one: CriterionDetails) -> str:
    """The gain over all questions, in brackets after a space."""
    gain = own_gain(one)
    return "" if gain is None else f" (over all {gain:+.2f})"


def sides_text(found: EqualLength) -> str:
    """In how many questions a model's answers are longer, and in how many shorter."""
    return (
        f"its answers are longer in {found.longer:,} and shorter in {found.shorter:,} of {found.questions:,} questions"
    )
