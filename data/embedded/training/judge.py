"""Trains the embedded judge on the training part and measures it on the test part, which it never saw.

Each criterion is learned as the stage `train` learns one from a team's own answers, from what people gave and from
made-up bad answers.

Reads: data/embedded/questions.jsonl, data/embedded/graded.jsonl
Writes: data/embedded/judge/, the figures in data/embedded/README.md
Run: PYTHONPATH=scripts python data/embedded/training/judge.py  (half a minute)
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from agreement import update_card
from distractors import Graded, babble, distractors

from tuneproof.common.errors import run, say
from tuneproof.common.files import write_json
from tuneproof.scoring.embedded.judge import PREFERENCE_FILE, load_judge
from tuneproof.scoring.evaluator.contract import Column, Texts
from tuneproof.scoring.evaluator.decisions import decide
from tuneproof.scoring.evaluator.learning.examples import Classes, Example
from tuneproof.scoring.evaluator.learning.training import Outcome, Task, train_words, write_evaluator

EMBEDDED_DIRECTORY = Path("data/embedded")
JUDGE_DIRECTORY = EMBEDDED_DIRECTORY / "judge"
CARD_FILE = EMBEDDED_DIRECTORY / "README.md"

SEED = 8
CLASSES = Classes(("1", "2", "3"), (1.0, 2.0, 3.0))
# Accuracy may see everything; style is a matter of the answer's text alone.
COLUMNS: dict[str, tuple[Column, ...]] = {"accuracy": ("input", "output", "ground_truth"), "style": ("output",)}
MADE_WEIGHT = 0.25  # of a made-up answer beside a graded one
SLOPES = tuple(step / 10 for step in range(2, 41))


def main() -> None:
    """Trains an evaluator for each criterion, writes the judge, then measures it once."""
    questions = {row["id"]: row for row in read_rows(EMBEDDED_DIRECTORY / "questions.jsonl")}
    graded = read_rows(EMBEDDED_DIRECTORY / "graded.jsonl")
    training = [as_graded(row, questions) for row in graded if questions[row["id"]]["part"] == "train"]
    say(f"training the embedded judge on {len(training)} graded answers, cross-validated by question")
    outcomes = {criterion: train(criterion, training) for criterion in COLUMNS}
    for criterion, outcome in outcomes.items():
        write_evaluator(JUDGE_DIRECTORY / criterion, outcome.manifest, outcome.texts)
    write_json(JUDGE_DIRECTORY / PREFERENCE_FILE, {"slope": choose_slope(training, list(outcomes.values()))})
    judge = load_judge(JUDGE_DIRECTORY)
    test = [asked(row, questions) for row in graded if questions[row["id"]]["part"] == "test"]
    update_card(CARD_FILE, judge, [asdict(row) for row in training], test)
    say(f"wrote {JUDGE_DIRECTORY} and the figures in {CARD_FILE}")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def as_graded(row: dict[str, Any], questions: dict[str, dict[str, Any]]) -> Graded:
    """A row of graded.jsonl with its question."""
    question = questions[row["id"]]
    known = (question["instruction"], question["reference"])
    return Graded(row["id"], *known, row["answer"], row["accuracy"], row["style"])


def asked(row: dict[str, Any], questions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A row of graded.jsonl with what was asked in its turn; `turn` is 0 where there is only one."""
    question, turn = questions[row["id"]], row.get("turn", 0)
    known = {"instruction": question["instruction"], "reference": question["reference"]}
    if turn:
        known = {"instruction": question["turns"][turn], "reference": question["references"][turn]}
    return {"turn": 0, **known, **row}


def train(criterion: str, training: Sequence[Graded]) -> Outcome:
    """The evaluator of one criterion, from graded and made-up answers."""
    rows = [*training, *distractors(training, SEED)]
    if "ground_truth" not in COLUMNS[criterion]:  # beside a reference babble is found out: it has none of its words
        rows += babble(training, SEED)
    outcome = train_words(Task(criterion, CLASSES, COLUMNS[criterion], SEED), [example(r, criterion) for r in rows])
    losses = ", ".join(f"{strength:g}: {loss:.3f}" for strength, loss in outcome.losses.items())
    say(f"{criterion}: log loss on held-out questions by strength: {losses}")
    return outcome


def example(row: Graded, criterion: str) -> Example:
    """A graded or made-up answer as the evaluator learns from it."""
    texts, grade = Texts(row.instruction, row.answer, row.reference), str(getattr(row, criterion))
    if row.made:
        return Example(texts, row.id, grade, MADE_WEIGHT, "made")
    return Example(texts, row.id, grade, 1.0, "people")


def choose_slope(training: Sequence[Graded], outcomes: Sequence[Outcome]) -> float:
    """How many log-odds of preference a point of score difference is worth, on pairs of answers scored unseen."""
    totals: dict[str, list[tuple[int, float]]] = {}
    for place, row in enumerate(training):
        scores = [decide(each.manifest, list(each.held_out.logits[place])).score for each in outcomes]
        given = math.fsum(score for score in scores if score is not None)
        totals.setdefault(row.id, []).append((row.accuracy + row.style, given))
    pairs = [
        (float(np.sign(first[0] - second[0])) / 2 + 0.5, first[1] - second[1])
        for answers in totals.values()
        for first, second in combinations(answers, 2)
    ]

    def loss(slope: float) -> float:
        return sum(
            math.log1p(math.exp(-slope * gap)) * won + math.log1p(math.exp(slope * gap)) * (1 - won)
            for won, gap in pairs
        )

    return min(SLOPES, key=loss)


if __name__ == "__main__":
    run(main)
