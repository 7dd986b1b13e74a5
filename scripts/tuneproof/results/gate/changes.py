"""The answers behind the gate's decision: those whose scores or words changed most."""

import difflib
from dataclasses import dataclass

from tuneproof.records.rows import Question
from tuneproof.results.gate.sides import Pairing, Side

MOST_CHANGES = 10
COMPARED_CHARACTERS = 2_000  # of two answers, to say how alike they are


@dataclass(frozen=True)
class Change:
    """One model's answer to one question that changed: its scores' mean change over the criteria, and its words'."""

    model: str
    question: Question
    before: dict[str, float]
    now: dict[str, float]
    score_change: float
    likeness: float  # of the two texts, from 0 to 1


def changed_most(here: Side, there: Side, pairing: Pairing) -> list[Change]:
    """The answers whose scores changed most, drops before gains of the same size, then those whose words did."""
    changes = [
        change
        for model in here.scores
        for question in pairing.questions
        if (change := change_of(model, question, here, there))
    ]
    changes.sort(key=lambda change: (-abs(change.score_change), change.score_change))
    # Comparing texts is slow, so only those that could still be shown are.
    return sorted(
        (with_likeness(change, here, there) for change in changes[: 5 * MOST_CHANGES]),
        key=lambda change: (-abs(change.score_change), change.score_change, change.likeness),
    )[:MOST_CHANGES]


def change_of(model: str, question: str, here: Side, there: Side) -> Change | None:
    """One answer's change; None where it stayed word for word, or is missing in one run."""
    texts = [side.answers[model].get(question) for side in (here, there)]
    if None in texts or texts[0] == texts[1]:
        return None
    now, before = (
        {name: scores[question] for name, scores in side.scores[model].items() if question in scores}
        for side in (here, there)
    )
    both = now.keys() & before.keys()
    mean = sum(now[name] - before[name] for name in sorted(both)) / len(both) if both else 0.0
    return Change(model, here.questions[question], before, now, mean, likeness=1.0)


def with_likeness(change: Change, here: Side, there: Side) -> Change:
    """Adds how alike the two texts are, by their words."""
    texts = [" ".join(side.answers[change.model][change.question.id]) for side in (there, here)]
    words = [text[:COMPARED_CHARACTERS].split() for text in texts]
    ratio = difflib.SequenceMatcher(None, words[0], words[1], autojunk=False).ratio()
    return Change(change.model, change.question, change.before, change.now, change.score_change, ratio)
