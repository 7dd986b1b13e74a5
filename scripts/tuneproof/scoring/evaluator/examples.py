"""What an evaluator learns from: texts, the class that somebody gave them, and the question that they answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tuneproof.records.keys import content_key
from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.statistics.distributions import Array

Source = Literal["judge", "data", "people", "made"]


@dataclass(frozen=True)
class Classes:
    """The classes by name; on a scale the lowest first, with their numbers."""

    names: tuple[str, ...]
    steps: tuple[float, ...] | None

    def targets(self, labels: Sequence[str]) -> Array:
        """What each logit should be for these labels, rows x logits: 1 for high, 0 for low."""
        numbers = self.numbers(labels)[:, None]
        if self.steps is None:
            return np.asarray(numbers == np.arange(len(self.names)), dtype=float)
        return np.asarray(numbers > np.arange(len(self.names) - 1), dtype=float)

    def numbers(self, labels: Sequence[str]) -> Array:
        """The classes' numbers, from 0."""
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([place[label] for label in labels], dtype=float)


@dataclass(frozen=True)
class Example:
    """A labelled answer. `group` is its question: all its examples are learned from, or none.

    `ratings` are what each person gave where people did; `source` says whose label it is, `made` a made-up answer's.
    """

    texts: Texts
    group: str
    label: str
    weight: float = 1.0
    source: Source = "judge"
    ratings: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What identifies it, its label and its weight included."""
        texts = (self.texts.input, self.texts.output, self.texts.ground_truth)
        return content_key([*texts, self.group, self.label, self.weight, self.source])
