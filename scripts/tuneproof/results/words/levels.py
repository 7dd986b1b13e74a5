"""How good a model is in itself: a gain says nothing of where it begins."""

from tuneproof.results.details.model import Details
from tuneproof.results.words.figures import decimals, plain_name

MOST = 0.5  # of the answers: with more of them at the lowest score a gain leaves most as bad as they can be


def level_text(details: Details, baseline: Details, criterion: str) -> str:
    """Both means with the end of the scale, and how many answers are at the lowest: `mean 1.15 → 1.94 of 3; …`."""
    before, now = (one.criteria[criterion].mean for one in (baseline, details))
    text = f"mean {decimals(before)} → {decimals(now)} of {details.run.criteria[criterion].high:g}"
    at_lowest = [f"{share:.0%}" for one in (baseline, details) if (share := lowest_share(one, criterion)) is not None]
    if len(at_lowest) < 2:
        return text
    return f"{text}; at the lowest score {' → '.join(at_lowest)} of answers"


def lowest_share(details: Details, criterion: str) -> float | None:
    """The share of answers nearest to the lowest step; None where no judge scored by steps, or only yes and no."""
    counts, rubric = details.criteria[criterion].distribution, details.run.rubric.get(criterion)
    if rubric is None or rubric.is_yes_no or not sum(counts.values()):
        return None
    return counts[next(iter(rubric.scale))] / sum(counts.values())


def low_level_sentence(details: Details) -> str:
    """Where most answers of a model are at the lowest score, whatever it gained; empty otherwise."""
    low = [name for name in details.run.rubric if (lowest_share(details, name) or 0) > MOST]
    return f"Most of its answers still have the lowest score in {' and '.join(map(plain_name, low))}." if low else ""
