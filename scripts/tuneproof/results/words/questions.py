"""A run's questions in words: how many got worse, what a kind of them is called, over what a score is a mean."""

import re
from collections.abc import Sequence

from tuneproof.results.details.model import Details
from tuneproof.results.details.slices import FEWEST_FOR_INTERVAL, Slice
from tuneproof.results.words.figures import listed, plain_name
from tuneproof.statistics.kinds import FEWEST_IN_A_KIND

TURN = re.compile(r"(\d+) of \d+")  # what aggregate calls a slice by turn
LONGEST_KIND = 80  # characters of a kind's name in a sentence
ORDINALS = ("first", "second", "third", "fourth", "fifth")


def worst_heading(details: Details) -> str:
    """How many questions got worse, and how many of them follow."""
    many, shown = details.worsened, len(details.losses)
    got_worse = f"got worse in {' or '.join(details.run.by_question)}"
    if many == 1:
        return f"The question that {got_worse}"
    return f"The {many:,} questions that {got_worse}" + (f"; the {shown} worst of them" if shown < many else "")


def slice_name(one: Slice) -> str:
    """A kind of question in words: `first turn`, or the tag with its value."""
    found = TURN.fullmatch(one.value) if one.tag == "turn" else None
    if found is None:
        return f"{one.tag}: {one.value}"
    number = int(found[1])
    return f"{ORDINALS[number - 1]} turn" if number <= len(ORDINALS) else f"turn {number}"


def kinds_sentence(details: Details, criteria: Sequence[str]) -> str:
    """In which kinds of question a model is shown to lose, by intervals that lie wholly below 0; or that in none.

    Empty where no verdict may rest on any of the criteria.
    """
    telling = [name for name in criteria if name not in details.run.withheld]
    if not telling:
        return ""
    worse = {
        slice_name(one): [name for name in telling if (score := one.criteria.get(name)) and (score.gain_high or 0) < 0]
        for one in details.slices
    }
    known = sum(has_interval(one, telling) for one in details.slices)
    if not known:
        return (
            f"{plain_name(details.model)}: no kind has the {FEWEST_FOR_INTERVAL} questions that an interval takes, so "
            "none alone is shown to gain or to lose."
        )
    lost = [
        f"{plain_name(kind, LONGEST_KIND)} ({' and '.join(map(plain_name, names))})"
        for kind, names in worse.items()
        if names
    ]
    kinds = "the one kind" if known == 1 else f"the {known} kinds"
    kinds += "" if known == len(details.slices) else f" with {FEWEST_FOR_INTERVAL} questions or more"
    if lost:
        return f"{plain_name(details.model)} is shown to lose in {len(lost)} of {kinds}: {'; '.join(lost)}."
    if all(gains(one, telling) for one in details.slices if has_interval(one, telling)):
        return f"{plain_name(details.model)} is shown to gain in {kinds}, in {' and '.join(map(plain_name, telling))}."
    return (
        f"{plain_name(details.model)} is not shown to lose in {kinds}: no interval lies wholly below 0. "
        "Losses may hide where few questions make wide intervals, or none."
    )


def spread_sentence(details: Details, criteria: Sequence[str]) -> str:
    """In which kinds of question a model gains most and least, and whether that is more than chance; empty without."""
    kinds = [one for one in details.slices if one.questions >= FEWEST_IN_A_KIND]
    ends = [clause for name in criteria if (clause := ends_clause(kinds, name))]
    said = f"{plain_name(details.model)}'s gains are {'; '.join(ends)}" if ends else ""
    chances = [(tag, name, of[name]) for tag, of in details.kinds_by_chance.items() for name in criteria if name in of]
    if not said or not chances:
        return f"{said}." if said else ""
    shown = [(tag, name, chance) for tag, name, chance in chances if chance < details.run.alpha / len(chances)]
    tags = " or ".join(plain_name(tag) for tag in details.kinds_by_chance)
    where = " and ".join(f"{plain_name(tag)} in {plain_name(name)}" for tag, name, _ in shown)
    told = f"they are shown to lie differently by {where}" if shown else f"that they differ by {tags} is not shown"
    turns = ", turns are not tested" if any(one.tag == "turn" for one in kinds) else ""
    least = min(chance for *_, chance in chances)
    return f"{said}; {told} (Kruskal and Wallis, the smallest p {least:.2g}{turns})."


def ends_clause(kinds: Sequence[Slice], criterion: str) -> str:
    """The kinds with the largest and the smallest gain on one criterion; empty where these are not two."""
    known = [(one.criteria[criterion], one) for one in kinds if criterion in one.criteria]
    gains = [(score.gain, score.paired or 0, slice_name(one)) for score, one in known if score.gain is not None]
    if len({f"{gain:.2f}" for gain, *_ in gains}) < 2:
        return ""
    (least, few, weakest), (most, many, strongest) = (end(gains, key=lambda one: one[0]) for end in (min, max))
    return (
        f"in {plain_name(criterion)} largest in “{plain_name(strongest, LONGEST_KIND)}” ({most:+.2f}, {many:,} "
        f"questions) and smallest in “{plain_name(weakest, LONGEST_KIND)}” ({least:+.2f}, {few:,})"
    )


def gains(one: Slice, criteria: Sequence[str]) -> bool:
    """Whether the interval of a kind of question lies wholly above 0 on each of these criteria."""
    return all((score := one.criteria.get(name)) is not None and (score.gain_low or 0) > 0 for name in criteria)


def has_interval(one: Slice, criteria: Sequence[str]) -> bool:
    """Whether a kind of question has questions enough for the interval of a gain on any of these criteria."""
    return any(score.gain_low is not None for name in criteria if (score := one.criteria.get(name)))


def row_means(models: Sequence[Details]) -> str:
    """Over what a question's score is a mean; empty where it is none."""
    turns = any(details.answers > details.questions * details.samples for details in models)
    samples = any(details.samples > 1 for details in models)
    several = [("turns", turns), ("samples", samples), ("judges", len(models[0].run.judge.judges) > 1)]
    names = [name for name, there in several if there]
    return f" over its {listed(names)}" if names else ""
