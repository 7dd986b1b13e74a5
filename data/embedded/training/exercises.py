"""The texts that the small models learn from: each question with its good answer and its bad ones."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError

SEED = 20
PASSAGE_TEXTS = 3


@dataclass(frozen=True)
class Exercise:
    """A question, its one good answer, and its others, each of which lacks in accuracy or style.

    `rejected` is the one of the bad answers that sft is taught beside the good one, and dpo is taught to avoid.
    """

    instruction: str
    reference: str
    test: bool
    good: str
    bad: tuple[str, ...]
    rejected: str


def read_exercises(folder: Path) -> list[Exercise]:
    """Joins questions with their graded answers. Raises a UserError unless each has one answer graded (3, 3)."""
    questions, graded = (read_rows(folder / name) for name in ("questions.jsonl", "graded.jsonl"))
    choice = random.Random(SEED)  # noqa: S311 (reproducible, not secret)
    exercises = []
    for question in questions:
        answers = [row for row in graded if row["id"] == question["id"]]
        good = [row["answer"] for row in answers if (row["accuracy"], row["style"]) == (3, 3)]
        if len(good) != 1 or len(answers) < 2:
            found = f"question {question['id']} has {len(answers)} answers, {len(good)} of them graded 3 and 3"
            raise UserError(str(folder / "graded.jsonl"), found, "give it one such answer and at least one worse")
        bad = tuple(row["answer"] for row in answers if row["answer"] != good[0])
        test = question["part"] == "test"
        texts = question["instruction"], question["reference"]
        exercises.append(Exercise(*texts, test, good[0], bad, rejected=choice.choice(bad)))
    return exercises


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def plain_texts(exercises: Sequence[Exercise]) -> list[str]:
    """Every sentence of the data by itself: no question stands before its answer."""
    return [
        text
        for exercise in exercises
        for text in (exercise.instruction, exercise.reference, exercise.good, *exercise.bad)
    ]


def passages(exercises: Sequence[Exercise], rounds: int) -> list[str]:
    """The plain texts in passages of a few, a line each, shuffled anew in each round."""
    texts = plain_texts(exercises)
    order = random.Random(SEED)  # noqa: S311 (reproducible, not secret)
    shuffled = [order.sample(texts, len(texts)) for _ in range(rounds)]
    return [
        "\n".join(texts[start : start + PASSAGE_TEXTS])
        for texts in shuffled
        for start in range(0, len(texts), PASSAGE_TEXTS)
    ]
