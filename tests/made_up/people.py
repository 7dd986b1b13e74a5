"""People who rate a made-up run: their labels, as `scripts/annotate.py` would have written them."""

import random
from collections.abc import Callable
from pathlib import Path

from tests.made_up.labels import label
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import ANSWERS, JUDGEMENTS, LABELS, QUESTIONS
from tuneproof.records.keys import answer_label_key, pair_label_key
from tuneproof.records.rows import Label
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.params import Params

Opinion = Callable[[str, float, random.Random], float]  # of a model's answer that the judge gave this score


def as_the_judge(model: str, score: float, chance: random.Random) -> float:
    """Rates as the judge does, but for a slip now and then."""
    return min(max(score + chance.choice((0, 0, 0, 0, -1, 1)), 1), 3)


def write_labels(
    root: Path, params: Params, questions: int, raters: tuple[str, ...] = ("anna",), opinion: Opinion = as_the_judge
) -> None:
    """Labels on all models' answers to the first so many questions, and on the models' pairs with the baseline."""
    asked = QUESTIONS.read(root)[:questions]
    rubric, named = rubric_of(params.judge.criteria), {"instructions": params.instructions}
    answers = {model: {row.id: row.answer for row in ANSWERS.iterate(model, root)} for model in params.models}
    judged = {model: {row.id: row.scores for row in JUDGEMENTS.iterate(model, root)} for model in params.models}
    for seed, rater in enumerate(raters):
        chance, labels = random.Random(seed), list[Label]()
        for question in asked:
            texts, totals = (question.asked, question.reference), {}
            for model in params.models:
                given = judged[model][question.id]
                text = answers[model][question.id]
                if not text.strip() or given is None:
                    continue
                scores = {name: opinion(model, float(score), chance) for name, score in given.items()}
                totals[model] = sum(scores.values())
                key = answer_label_key(*texts, text, rubric)
                labels.append(label(key=key, id=question.id, scores=scores, rater=rater, **named))
            for model in params.models:
                if model == params.baseline or not {model, params.baseline} <= set(totals):
                    continue
                difference = totals[model] - totals[params.baseline]
                pair = (answers[model][question.id], answers[params.baseline][question.id])
                key = pair_label_key(*texts, *pair, params.compare.criteria)
                preference = 0.5 if difference == 0 else float(difference > 0)
                labels.append(
                    label(
                        key=key, id=question.id, kind="pair", scores=None, preference=preference, rater=rater, **named
                    )
                )
        write_rows(root / LABELS.path(rater), labels)
