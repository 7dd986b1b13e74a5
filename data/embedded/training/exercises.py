"""The texts that the small models learn from: what is asked in each turn, with its good answer and its bad ones."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.generation.conversations.prompts import alpaca_prompt

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
SEED = 20
PASSAGE_TEXTS = 3


@dataclass(frozen=True)
class Exercise:
    """A turn of a question, its one good answer, and its others, each of which lacks in accuracy or style.

    `rejected` is the one of the bad answers that sft is taught beside the good one, and dpo is taught to avoid. A
    second turn has the first one as `before`.
    """

    instruction: str
    reference: str
    test: bool
    good: str
    bad: tuple[str, ...]
    rejected: str
    before: "Exercise | None" = None

    @property
    def turn(self) -> int:
        """Which turn it is, from 0."""
        return 0 if self.before is None else 1

    @property
    def prompts(self) -> list[str]:
        """What the turn is asked with: a second one once behind each answer that the first one is taught."""
        if self.before is None:
            return [alpaca_prompt(self.instruction)]
        return [self.prompt_behind(answer) for answer in (self.before.good, self.before.rejected)]

    def prompt_behind(self, answer: str) -> str:
        """What a second turn is asked with behind an answer to the first one."""
        first = alpaca_prompt(self.before.instruction) + answer + EOS if self.before else ""
        return first + alpaca_prompt(self.instruction)


def read_exercises(folder: Path) -> list[Exercise]:
    """Joins questions with their graded answers, the second turns behind all first ones.

    Raises a UserError unless each turn has one answer graded (3, 3).
    """
    questions, graded = (read_rows(folder / name) for name in ("questions.jsonl", "graded.jsonl"))
    choice = random.Random(SEED)  # noqa: S311 (reproducible, not secret)
    first = {question["id"]: read_exercise(folder, question, 0, graded, choice) for question in questions}
    second = [
        replace(read_exercise(folder, question, 1, graded, choice), before=first[question["id"]])
        for question in questions
        if "turns" in question
    ]
    return [*first.values(), *second]


def read_exercise(
    folder: Path, question: dict[str, Any], turn: int, graded: Sequence[dict[str, Any]], choice: random.Random
) -> Exercise:
    """One turn of a question with its graded answers."""
    answers = [row for row in graded if (row["id"], row.get("turn", 0)) == (question["id"], turn)]
    good = [row["answer"] for row in answers if (row["accuracy"], row["style"]) == (3, 3)]
    if len(good) != 1 or len(answers) < 2:
        found = f"question {question['id']} has {len(answers)} answers, {len(good)} of them graded 3 and 3"
        raise UserError(str(folder / "graded.jsonl"), found, "give it one such answer and at least one worse")
    bad = tuple(row["answer"] for row in answers if row["answer"] != good[0])
    asked = question["turns"][turn] if turn else question["instruction"]
    reference = question["references"][turn] if turn else question["reference"]
    return Exercise(asked, reference, question["part"] == "test", good[0], bad, rejected=choice.choice(bad))


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
