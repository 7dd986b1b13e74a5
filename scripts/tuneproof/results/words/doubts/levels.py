"""How good a model is in itself: a gain says nothing of where it begins."""

from tuneproof.results.details.criteria import CriterionDetails
from tuneproof.results.details.model import Details
from tuneproof.results.words.figures import decimals, plain_name

MOST = 0.5  # of the answers: with more of them at the lowest score a gain leaves most as bad as they can be
NEARLY_ALL = 0.8  # of the baseline's answers: with more of them at the lowest score losses cannot show
LOWEST, HIGHEST = 0, -1  # steps of a scale


def level_text(details: Details, baseline: Details, criterion: str) -> str:
    """Both means with their scale, and how many answers are at its ends: `mean 1.15 → 1.94 on a scale of 1 to 3; …`."""
    before, now = (one.criteria[criterion].mean for one in (baseline, details))
    low, high = details.run.criteria[criterion].ends
    text = f"mean {decimals(before)} → {decimals(now)} on a scale of {low:g} to {high:g}"
    ends = [end_text(details, baseline, criterion, step) for step in (LOWEST, HIGHEST)]
    return f"{text}; answers nearest to the lowest score {ends[0]}, to the highest {ends[1]}" if all(ends) else text


def end_text(details: Details, baseline: Details, criterion: str, step: int) -> str:
    """The share of answers at one end of the scale in both models: `100% → 80%`; empty where there is none."""
    shares = [share_at(one, criterion, step) for one in (baseline, details)]
    return " → ".join(f"{share:.0%}" for share in shares if share is not None) if None not in shares else ""


def share_at(details: Details, criterion: str, step: int) -> float | None:
    """The share of answers nearest to a step; None where no judge scored by steps, or only yes and no."""
    counts, rubric = details.criteria[criterion].distribution, details.run.rubric.get(criterion)
    if rubric is None or rubric.is_yes_no or not sum(counts.values()):
        return None
    return counts[list(rubric.scale)[step]] / sum(counts.values())


def floor_sentence(baseline: Details) -> str:
    """Where hardly an answer of the baseline could get worse, for it has the lowest score; empty otherwise."""
    at_floor = {name: share_at(baseline, name, LOWEST) or 0 for name in baseline.run.rubric}
    said = [f"{share:.0%} in {plain_name(name)}" for name, share in at_floor.items() if share > NEARLY_ALL]
    if not said:
        return ""
    return (
        f"Of {plain_name(baseline.model)}'s answers {' and '.join(said)} are nearest to the lowest score already: "
        "these can hardly get worse, so that few losses say little there."
    )


def lost_level_sentence(details: Details, baseline: Details) -> str:
    """Where both models stand on the worst questions beside where they stand over all; empty where none got worse.

    Falls are chosen for being large, so the baseline's answers to them are among those that were scored highest.
    """
    fallen = [name for name in details.run.by_question if any(name in loss.fell for loss in details.losses)]
    clauses, high = [], False
    for name in fallen:
        means = [own_mean(one.criteria[name]) for one in (baseline, details)]
        both = [(loss.baseline.get(name), loss.model.get(name)) for loss in details.losses]
        known = [(before, after) for before, after in both if before is not None and after is not None]
        if None not in means and known:
            here = [sum(scores) / len(known) for scores in zip(*known, strict=True)]
            high |= here[0] - means[0] >= details.run.criteria[name].counts_from
            clauses += [
                f"{plain_name(one.model)} has {decimals(mean_here)} in {plain_name(name)} ({decimals(mean)} over all)"
                for one, mean_here, mean in zip((baseline, details), here, means, strict=True)
            ]
    these = "this question" if len(details.losses) == 1 else f"these {len(details.losses)} questions"
    luck = f"; {plain_name(baseline.model)} stands high here, by luck or by a mistake of the judge" if high else ""
    return f"On {these} {', '.join(clauses)}{luck}." if clauses else ""


def own_mean(one: CriterionDetails) -> float | None:
    """The mean of the judge's own scores, where people's units decide too."""
    return one.judge_alone.mean if one.judge_alone else one.mean


def low_level_sentence(details: Details) -> str:
    """Where most answers of a model are at the lowest score, whatever it gained; empty otherwise."""
    low = [name for name in details.run.rubric if (share_at(details, name, LOWEST) or 0) > MOST]
    return (
        f"Most of its answers are still nearest to the lowest score in {' and '.join(map(plain_name, low))}."
        if low
        else ""
    )
