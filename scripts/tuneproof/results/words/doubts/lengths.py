"""Whether the length of answers may explain a gain on one criterion."""

import math

from tuneproof.results.details.model import Details
from tuneproof.results.words.figures import plain_name

ERRORS = 1.96  # standard errors of a rank correlation, 1 / sqrt(n - 1) each where nothing is related
FEWEST = 10  # questions, below which nothing is said


def card_sentence(details: Details, baseline: Details) -> tuple[str, bool]:
    """What length has to do with a model's gains over all the judge's criteria, and whether it may explain one.

    Empty where there is nothing to compare.
    """
    found = {name: one for name in details.run.rubric if (one := explains(details, baseline, name)) is not None}
    may = [plain_name(name) for name, explained in found.items() if explained]
    if may:
        return f"Length may explain a part of the difference in {' and '.join(may)}.", True
    said = f"Length is not shown to explain the difference in {' or '.join(map(plain_name, found))}."
    return (said if found else ""), False


def explains(details: Details, baseline: Details, criterion: str) -> bool | None:
    """Whether the length of answers may explain a gain; None where there is nothing to compare."""
    one = details.criteria[criterion]
    now, before, related = details.lengths.characters_mean, baseline.lengths.characters_mean, one.length_correlation
    if not one.gain or now is None or before is None or related is None or one.scored < FEWEST:
        return None
    return abs(related) >= by_chance(one.scored) and ((now > before) == (related > 0)) == (one.gain > 0)


def by_chance(scored: int) -> float:
    """The rank correlation that chance alone reaches over so many questions."""
    return ERRORS / math.sqrt(scored - 1)


def length_sentence(details: Details, baseline: Details, criterion: str) -> str:
    """What length may have to do with a gain: as a model's answers differ in length from the baseline's, so they score.

    Whether longer answers of the model score higher is told by the rank correlation over its questions, where that is
    beyond what chance reaches. Empty where there is nothing to compare.
    """
    explained = explains(details, baseline, criterion)
    if explained is None:
        return ""
    one = details.criteria[criterion]
    now, before = details.lengths.characters_mean or 0, baseline.lengths.characters_mean or 0
    gain, related = one.gain or 0, one.length_correlation or 0
    name, change = plain_name(details.model), "gain" if gain > 0 else "loss"
    chance = by_chance(one.scored)
    if abs(related) < chance:
        return (
            f"{name}: length is not shown to explain its {change}; longer answers of it are not shown to score "
            f"otherwise (rank correlation {related:+.2f}, and chance alone reaches {chance:.2f})."
        )
    longer, higher = "longer" if now > before else "shorter", "higher" if (now > before) == (related > 0) else "lower"
    facts = (
        f"its answers are {longer} ({before:,.0f} \N{RIGHTWARDS ARROW} {now:,.0f} characters), and {longer} ones of it "
        f"score {higher} (rank correlation {related:+.2f})"
    )
    if explained:
        return f"{name}: length may explain a part of its {change}: {facts}."
    return f"{name}: length is not shown to explain its {change}: {facts}."
