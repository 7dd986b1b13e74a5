"""How each question went between any two models, as aggregate decided it: the page's counts are made of the same."""

from collections.abc import Sequence

from tuneproof.common.errors import UserError
from tuneproof.records.handovers import DETAILS_DIRECTORY
from tuneproof.results.details.changes import TURNED
from tuneproof.results.details.model import Details


def shown_criteria(details: Details) -> list[str]:
    """The criteria whose scores stand beside each answer: the judge's first, then those of checks."""
    return [*details.run.rubric, *checked_criteria(details)]


def checked_criteria(details: Details) -> list[str]:
    """The criteria that programs score."""
    return [name for name, criterion in details.run.criteria.items() if criterion.source == "check"]


def outcome_letters(models: Sequence[Details], questions: int) -> list[str]:
    """A text for each question, with a letter for every two models and every criterion.

    The pairs are the second model beside the first, the third beside the first and the second, and so on, in the order
    of `models`, and the script finds a pair by that.
    """
    names = shown_criteria(models[0])
    columns = [
        letters_of(later, earlier, name)
        for place, later in enumerate(models)
        for earlier in models[:place]
        for name in names
    ]
    return ["".join(row) for row in zip(*columns, strict=True)] if columns else [""] * questions


def letters_of(model: Details, other: Details, criterion: str) -> str:
    """How every question went for one model beside another on one criterion."""
    for details, beside, turned in ((model, other, False), (other, model, True)):
        letters = details.outcomes.get(beside.model, {}).get(criterion)
        if letters is not None:
            return letters.translate(TURNED) if turned else letters
    found = f"it does not say how the questions went beside {other.model}, for an earlier version wrote it"
    raise UserError(str(DETAILS_DIRECTORY / f"{model.model}.json"), found, "run `python scripts/aggregate.py` again")
