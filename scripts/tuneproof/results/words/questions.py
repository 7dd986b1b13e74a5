"""A run's questions in words: how many got worse, what a kind of them is called, over what a score is a mean."""

import re
from collections.abc import Sequence

from tuneproof.results.details.model import Details
from tuneproof.results.details.slices import FEWEST_FOR_INTERVAL, Slice
from tuneproof.results.words.figures import listed, plain_name

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
            "nothing is shown of any; the counts are all that is known."
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
    return (
        f"{plain_name(details.model)} is not shown to lose in {kinds}: no interval lies wholly below 0. That "
        "does not show that it loses in none, for few questions make wide intervals."
    )


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
