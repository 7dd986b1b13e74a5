"""On which questions the models differ most."""

from collections.abc import Iterable, Sequence

from tuneproof.records.handovers import JUDGEMENTS
from tuneproof.results.details.model import Details

Scores = dict[str, int | float] | None  # of one answer


def most_disputed(models: Sequence[Details], count: int) -> list[str]:
    """The ids of the questions whose scores differ most between the models."""
    scores: dict[str, list[list[Scores]]] = {}
    for place, details in enumerate(models):
        for judgement in JUDGEMENTS.iterate(details.model):
            scores.setdefault(judgement.id, [[] for _ in models])[place].append(judgement.scores)
    disputes = {question: sum(spreads(models[0], by_model)) for question, by_model in scores.items()}
    return sorted(disputes, key=lambda question: -disputes[question])[:count]


def spreads(details: Details, scores: Sequence[Sequence[Scores]]) -> list[float]:
    """Per criterion how far apart the models' scores of one question are, as a share of the scale."""
    found = []
    for name, criterion in details.run.rubric.items():
        means = [mean for mean in (question_mean(of_model, name) for of_model in scores) if mean is not None]
        lowest, highest = criterion.ends
        found.append(round((max(means) - min(means)) / (highest - lowest), 4) if means else 0.0)
    return found


def question_mean(samples: Iterable[Scores], criterion: str) -> float | None:
    """The mean score of one question's samples."""
    scores = [scores[criterion] for scores in samples if scores is not None]
    return sum(scores) / len(scores) if scores else None
