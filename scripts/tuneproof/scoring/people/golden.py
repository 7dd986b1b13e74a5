"""People's labels of this run's answers as graded answers, by which a judge is admitted."""

from collections.abc import Sequence

from tuneproof.common.errors import UserError
from tuneproof.records.documents.admission import GoldenAnswer
from tuneproof.records.handovers import LABELS
from tuneproof.records.rows import Label
from tuneproof.scoring.people.matching import Questions, labelled_answers, ratable
from tuneproof.settings.params import Params


def golden_of_labels(labels: Sequence[Label], questions: Questions, params: Params) -> list[GoldenAnswer]:
    """This run's answers that people drew at random and scored: the grades of one of them, and of a second one.

    Raises a UserError where there is none.
    """
    by_key: dict[str, dict[str, Label]] = {}
    texts: dict[str, tuple[str, str]] = {}
    drawn = [label for label in labels if label.drawn == "random" and label.scores is not None]
    for model in params.models if drawn else ():
        answers = {(answer.id, answer.sample): answer.answer for answer, _ in ratable(model, questions)}
        for one in labelled_answers(model, drawn, questions, params):
            by_key.setdefault(one.label.key, {})[one.label.rater] = one.label
            texts[one.label.key] = one.id, answers[one.id, one.sample]
    if not by_key:
        remedy = "rate some with `python scripts/annotate.py`, or name a file of graded answers in admission.questions"
        raise UserError(str(LABELS.directory), "no random label is about an answer of this run", remedy)
    found = []
    for key, raters in by_key.items():
        graders = [raters[name].scores or {} for name in sorted(raters)]
        identity, answer = texts[key]
        question = questions[identity]
        second = graders[1] if len(graders) > 1 else {}
        found.append(
            GoldenAnswer(
                id=identity, instruction=question.asked, reference=question.reference, answer=answer,
                grades=graders[0], second={name: score for name, score in second.items() if name in graders[0]},
            )
        )  # fmt: skip
    return found
