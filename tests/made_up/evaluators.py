"""Labelled answers that something can be learned from, and an evaluator that was trained on them."""

import random
from pathlib import Path

from tuneproof.scoring.evaluator.contract import Manifest, Texts
from tuneproof.scoring.evaluator.learning.examples import Classes, Example
from tuneproof.scoring.evaluator.learning.training import Task, train_words, write_evaluator

SUBJECTS = ("gradient", "tokenizer", "cache", "batch", "reward", "prompt", "adapter", "sampler", "kernel", "shard")
FACTS = ("doubles", "halves", "keeps", "drops", "copies", "sorts", "merges", "splits")
FILLERS = ("In short.", "As ever.", "Mind that.", "So it goes.", "Nothing more.")
SCALE = Classes(("1", "2", "3"), (1.0, 2.0, 3.0))
YES_NO = Classes(("no", "yes"), (0.0, 1.0))
TOPICS = Classes(("cooking", "other", "training"), None)


def labelled(questions: int, classes: Classes = SCALE, seed: int = 0) -> list[Example]:
    """Four answers to each question: right, half right, wrong, about something else; labels by rule, some by chance."""
    chance = random.Random(seed)
    rows = []
    for number in range(questions):
        subject, right, wrong = (*chance.sample(SUBJECTS, 1), *chance.sample(FACTS, 2))
        question = f"What does the {subject} do with block {number}?"
        reference = f"The {subject} {right} block {number} before the next step begins."
        answers = (
            (f"It {right} block {number}, and the {subject} does so before the next step.", 1.0),
            (f"The {subject} {right} it, as far as anybody knows.", 0.5),
            (f"It {wrong} something, never block {number}.", 0.0),
            (f"Dinner {wrong} in the kitchen, with salt.", 0.0),
        )
        for plain, share in answers:
            answer = " ".join([plain, *chance.choices(FILLERS, k=chance.randint(0, 8))])  # length says nothing
            place = round(share * (len(classes.names) - 1))
            label = classes.names[place] if chance.random() > 0.1 else chance.choice(classes.names)
            rows.append(Example(Texts(question, answer, reference), question, label))
    return rows


def trained(folder: Path, classes: Classes = SCALE, questions: int = 30, criterion: str = "accuracy") -> Manifest:
    """Trains a small evaluator on words and writes it into a folder."""
    task = Task(criterion, classes, ("input", "output", "ground_truth"), 0)
    outcome = train_words(task, labelled(questions, classes))
    return write_evaluator(folder, outcome.manifest, outcome.texts)
