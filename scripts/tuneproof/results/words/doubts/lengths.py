"""Whether the length of answers may explain a gain on one criterion."""

import math

from tuneproof.results.details.model import Details
from tuneproof.results.words.figures import plain_name

ERRORS = 1.96  # standard errors of a rank correlation, 1 / sqrt(n - 1) each where nothing is related
FEWEST = 10  # questions, below which nothing is said


def length_sentence(details: Details, baseline: Details, criterion: str) -> str:
    """What length may have to do with a gain: as a model's answers differ in length from the baseline's, so they score.

    Whether longer answers of the model score higher is told by the rank correlation over its questions, where that is
    beyond what chance reaches. Empty where there is nothing to compare.
    """
    one = details.criteria[criterion]
    now, before, related = details.lengths.characters_mean, baseline.lengths.characters_mean, one.length_correlation
    if not one.gain or now is None or before is None or related is None or one.scored < FEWEST:
        return ""
    name, change = plain_name(details.model), "gain" if one.gain > 0 else "loss"
    by_chance = ERRORS / math.sqrt(one.scored - 1)
    if abs(related) < by_chance:
        return (
            f"{name}: length is not shown to explain its {change}; longer answers of it are not shown to score "
            f"otherwise (rank correlation {related:+.2f}, and chance alone reaches {by_chance:.2f})."
        )
    longer, higher = "longer" if now > before else "shorter", "higher" if (now > before) == (related > 0) else "lower"
    facts = (
        f"its answers are {longer} ({before:,.0f} \N{RIGHTWARDS ARROW} {now:,.0f} characters), and {longer} ones of it "
        f"score {higher} (rank correlation {related:+.2f})"
    )
    if (higher == "higher") == (one.gain > 0):
        return f"{name}: length may explain a part of its {change}: {facts}."
    return f"{name}: length does not explain its {change}: {facts}."
