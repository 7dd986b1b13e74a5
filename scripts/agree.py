"""Says how far people agree with each other, and the judge with people, and with itself over both orders of a pair.

Reads   params.yaml, data/labels/*.jsonl, data/questions.jsonl, data/resolved/judge.json, data/answers/*.jsonl,
        data/judgements/*.jsonl, data/comparisons/*.jsonl; in the embedded world without labels data/embedded/
Writes  data/agreement.json, and data/labelled/answers.jsonl with what people say of this run's answers
Run     python scripts/agree.py
"""

import argparse
import math

from tuneproof.common.errors import run, say
from tuneproof.common.files import write_text
from tuneproof.records.documents.agreement import Agreement
from tuneproof.records.files import iterate_rows, record_text
from tuneproof.records.handovers import AGREEMENT, JUDGE, LABELLED, QUESTIONS, read_labels
from tuneproof.records.rows import Question
from tuneproof.scoring.embedded.judge import load_judge
from tuneproof.scoring.people.agreeing import Rated
from tuneproof.scoring.people.assembling import agreement
from tuneproof.scoring.people.gathering import gather
from tuneproof.scoring.people.graded import graded_twice
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params
from tuneproof.settings.worlds import (
    EMBEDDED_DIRECTORY,
    EMBEDDED_JUDGE_DIRECTORY,
    EMBEDDED_QUESTIONS_FILE,
    world_params,
)

GRADED_FILE = EMBEDDED_DIRECTORY / "graded.jsonl"


def main() -> None:
    """Gathers what people said, puts the judge beside it, and writes both."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    judge = JUDGE.read()
    params = world_params(load_params(), judge.run)
    labels = [label for label in read_labels(params.instructions) if label.drawn == "random"]
    people = len({label.rater for label in labels})
    say(f"agree: {len(labels)} random labels of {people} people" if labels else "agree: no random labels of this run")
    questions = {question.id: question for question in QUESTIONS.read()} if labels else {}
    gathered = gather(labels, questions, params)
    graded = graded_answers(params) if judge.run == "embedded" and not gathered.criteria else {}
    found = agreement(judge.run, params, labels, gathered, graded)
    write_text(AGREEMENT.path, record_text(found))
    LABELLED.write(gathered.rows)
    say(f"agree: wrote {AGREEMENT.path} and {LABELLED.path}; {missing(found)}")


def graded_answers(params: Params) -> dict[str, list[Rated]]:
    """The embedded world's twice graded answers, which its judge never saw, each with the judge's score."""
    judge = load_judge(EMBEDDED_JUDGE_DIRECTORY)
    questions = {row.id: row for row in iterate_rows(EMBEDDED_QUESTIONS_FILE, Question, made_by="validate.py")}
    rated: dict[str, list[Rated]] = {name: [] for name in params.judge.criteria}
    for row in graded_twice(GRADED_FILE):
        question = questions[row.id]
        scored = judge.score(question.instruction, question.reference, row.answer)
        for name, answers in rated.items():
            score = scored[name].score
            ratings, length = row.ratings(name), float(len(row.answer))
            answers.append(Rated(row.id, ratings, math.nan if score is None else score, length))
    return rated


def missing(found: Agreement) -> str:
    """How many labels are missing until they correct scores, for a person."""
    short = {model: count for model, count in found.labels.missing.items() if count}
    if not short:
        return "there are labels enough to correct every model's scores"
    named = ", ".join(f"{count} questions of {model}" for model, count in short.items())
    return f"random labels are missing on {named} before people's labels correct scores"


if __name__ == "__main__":
    run(main)
