"""The embedded judge: a small evaluator that scores an answer without a key, a network or a numerical package.

It is demonstration material and no stand-in for a real judge: `data/embedded/README.md` says what it was trained on,
how well it agrees with the people who graded, and what it cannot see.
"""

import gzip
import hashlib
import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.scoring.embedded.features import Corpus, reference_features, text_features, unit_vector
from tuneproof.scoring.embedded.words import terms

FORMAT = 1
MAX_CHARACTERS = 4000  # a text is judged by its beginning: more would only cost time
MAX_DEVIATIONS = 4.0  # a feature far outside the training texts counts no more than this
DECIMALS = 4  # the same score on every machine, whose mathematics may differ in the last bits
REMEDY = "restore it from Git, or make it with PYTHONPATH=scripts python data/embedded/training/judge.py"


@dataclass(frozen=True)
class Scored:
    """One criterion's score of an answer: the expected step of its scale, and each step's probability."""

    score: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Rater:
    """One criterion's cumulative logits: for every step but the lowest, the log-odds of reaching it.

    Features are {name: [mean, deviation, a weight per step]}, terms {term: [inverse frequency, a weight per step]}.
    """

    steps: tuple[str, ...]  # the scale, ascending
    intercepts: tuple[float, ...]
    features: dict[str, list[float]]
    terms: dict[str, list[float]]

    def rate(self, features: dict[str, float], answer: str) -> Scored:
        """Scores an answer by its features; one that is missing (no reference) counts as an average one."""
        columns = [*self._weighted_features(features), *self._weighted_terms(answer)]
        logits = [
            math.fsum((intercept, *(weights[step] * value for value, weights in columns)))
            for step, intercept in enumerate(self.intercepts)
        ]
        return self._scored(logits)

    def _weighted_features(self, features: dict[str, float]) -> list[tuple[float, list[float]]]:
        return [
            (max(-MAX_DEVIATIONS, min(MAX_DEVIATIONS, (features[name] - mean) / deviation)), weights)
            for name, (mean, deviation, *weights) in self.features.items()
            if name in features
        ]

    def _weighted_terms(self, answer: str) -> list[tuple[float, list[float]]]:
        counts = {term: count for term, count in terms(answer).items() if term in self.terms}
        vector = unit_vector({term: (1 + math.log(count)) * self.terms[term][0] for term, count in counts.items()})
        return [(value, self.terms[term][1:]) for term, value in vector.items()]

    def _scored(self, logits: list[float]) -> Scored:
        reached = [1.0]
        for logit in logits:  # a higher step is never likelier to be reached than a lower one
            reached.append(min(reached[-1], 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))))
        shares = [here - there for here, there in zip(reached, [*reached[1:], 0.0], strict=True)]
        probabilities = {step: round(share, DECIMALS) for step, share in zip(self.steps, shares, strict=True)}
        score = math.fsum(float(step) * share for step, share in zip(self.steps, shares, strict=True))
        return Scored(round(score, DECIMALS), probabilities)


@dataclass(frozen=True)
class EmbeddedJudge:
    """The judge as read from its file. `content` is the SHA-256 of that file, for the keys of what it judged."""

    content: str
    corpus: Corpus
    raters: dict[str, Rater]
    preference_slope: float  # log-odds of the better answer per point of summed score difference

    @property
    def criteria(self) -> tuple[str, ...]:
        """The names of the criteria that it scores."""
        return tuple(self.raters)

    def score(self, instruction: str, reference: str | None, answer: str) -> dict[str, Scored]:
        """Scores one answer on every criterion; without a reference, much less surely."""
        answer = answer[:MAX_CHARACTERS]
        features = text_features(self.corpus, answer)
        if reference is not None:
            known = (instruction[:MAX_CHARACTERS], reference[:MAX_CHARACTERS])
            features |= reference_features(self.corpus, *known, answer)
        return {criterion: rater.rate(features, answer) for criterion, rater in self.raters.items()}

    def preference(self, instruction: str, reference: str | None, first: str, second: str) -> float:
        """How surely the first answer is the better one, 0 to 1, from both answers' scores; 0.5 when they are equal.

        Exchanging the answers gives exactly 1 minus the preference: this judge knows no order.
        """
        totals = [
            math.fsum(scored.score for scored in self.score(instruction, reference, answer).values())
            for answer in (first, second)
        ]
        difference = round(totals[0] - totals[1], DECIMALS)
        higher = round(1 / (1 + math.exp(-self.preference_slope * abs(difference))), DECIMALS)
        return higher if difference >= 0 else 1 - higher


def load_judge(path: Path) -> EmbeddedJudge:
    """Reads a judge from its JSON file, gzipped or not. Raises a UserError when it is missing or not a judge."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(str(path), f"the embedded judge cannot be read ({error.strerror})", REMEDY) from error
    try:
        record = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
        return _judge(record, hashlib.sha256(content).hexdigest())
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, zlib.error) as error:
        raise UserError(str(path), "the file is not an embedded judge", REMEDY) from error


def _judge(record: dict[str, Any], content: str) -> EmbeddedJudge:
    if record["format"] != FORMAT:
        raise ValueError("another format")
    raters = {name: _rater(rater) for name, rater in record["criteria"].items()}
    corpus = record["corpus"] | {"known_words": frozenset(record["corpus"]["known_words"])}
    return EmbeddedJudge(content, Corpus(**corpus), raters, float(record["preference_slope"]))


def _rater(record: dict[str, Any]) -> Rater:
    rater = Rater(tuple(record["steps"]), tuple(record["intercepts"]), record["features"], record["terms"])
    above_lowest = len(rater.steps) - 1
    complete = (
        len(rater.intercepts) == above_lowest > 0
        and all(len(values) == 2 + above_lowest for values in rater.features.values())
        and all(len(values) == 1 + above_lowest for values in rater.terms.values())
    )
    if not complete:
        raise ValueError("weights that do not fit the scale")
    return rater
