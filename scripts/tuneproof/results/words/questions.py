"""A run's questions in words: how many got worse, what a kind of them is called, over what a score is a mean."""

import re
from collections.abc import Sequence

from tuneproof.results.details.model import Details
from tuneproof.results.details.slices import Slice
from tuneproof.results.words.figures import listed

TURN = re.compile(r"(\d+) of \d+")  # what aggregate calls a slice by turn
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


def row_means(models: Sequence[Details]) -> str:
    """Over what a question's score is a mean; empty where it is none."""
    turns = any(details.answers > details.questions * details.samples for details in models)
    samples = any(details.samples > 1 for details in models)
    several = [("turns", turns), ("samples", samples), ("judges", len(models[0].run.judge.judges) > 1)]
    names = [name for name, there in several if there]
    return f" over its {listed(names)}" if names else ""
