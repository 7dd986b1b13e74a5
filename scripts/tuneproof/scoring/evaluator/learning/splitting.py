"""Which examples are learned from and which are held out: whole questions, never single rows.

Answers to one question resemble each other. Split by row, an evaluator has seen the question that it is measured on,
and its figures flatter it (by .06 of AUC, measured on answers to 80 questions).
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from tuneproof.records.keys import sha256_hex

Part = Literal["train", "validation", "test"]


def shuffled(groups: Iterable[str], seed: int) -> list[str]:
    """The groups, each once, in an order that depends on nothing but their names and the seed."""
    return sorted(set(groups), key=lambda group: sha256_hex(f"{seed}:{group}"))


def parts_by_group(groups: Sequence[str], shares: tuple[float, float], seed: int) -> dict[str, Part]:
    """The part of every group; `shares` are those of validation and test, each of which gets a group at least."""
    order = shuffled(groups, seed)
    test = max(1, round(len(order) * shares[1]))
    validation = max(1, round(len(order) * shares[0]))
    return {
        group: "test" if place < test else "validation" if place < test + validation else "train"
        for place, group in enumerate(order)
    }


def folds_of(groups: Sequence[str], count: int, seed: int) -> list[int]:
    """Which of `count` folds each row is in, all rows of a group in the same one."""
    place = {group: index % count for index, group in enumerate(shuffled(groups, seed))}
    return [place[group] for group in groups]
