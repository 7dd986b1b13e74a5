"""What the page says of a model's answers as they lie there: how they were asked for, and in how many questions."""

from collections.abc import Sequence

from tuneproof.records.handovers import ANSWERS, JUDGEMENTS
from tuneproof.results.details.model import Details

LONGEST_PROMPT = 1_500  # characters; all of it stands in data/answers

Counts = dict[tuple[str, str, str], int]  # questions by model, "finish" or "status", and what it is


def questions_with(models: Sequence[Details]) -> Counts:
    """How many questions have an answer that ended so, or that was judged so; only of models with several answers each.

    With one answer to each question the answers' own counts say it.
    """
    found: dict[tuple[str, str, str], set[str]] = {}
    for details in models:
        if sum(details.finish_reasons.values()) == details.questions:
            continue
        for answer in ANSWERS.iterate(details.model):
            found.setdefault((details.model, "finish", answer.finish_reason), set()).add(answer.id)
        for row in JUDGEMENTS.iterate(details.model):
            found.setdefault((details.model, "status", row.status), set()).add(row.id)
    return {key: len(ids) for key, ids in found.items()}


def first_prompt(model: str) -> str:
    """The first question as this model was asked it, whole with all that its prompt format adds."""
    prompt = next((answer.prompt for answer in ANSWERS.iterate(model)), "")
    return prompt if len(prompt) <= LONGEST_PROMPT else f"{prompt[:LONGEST_PROMPT]}…"
