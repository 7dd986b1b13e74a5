"""A linear model of an answer's words: what is measured of it and its TF-IDF terms, weighted, for every logit.

It reads one JSON file with the standard library alone, and gives the same logits on every machine.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.scoring.evaluator.words.corpus import Corpus, unit_vector
from tuneproof.scoring.evaluator.words.features import question_features, reference_features, text_features
from tuneproof.scoring.evaluator.words.lexicon import terms

FILE = "words.json"
MAX_CHARACTERS = 4000  # a text is judged by its beginning: more would only cost time
Contribution = tuple[str, float, list[float]]  # a feature or term, its value, and its weight in each logit
MAX_DEVIATIONS = 4.0  # a feature far outside the training texts counts no more than this


@dataclass(frozen=True)
class WordModel:
    """Features are {name: [mean, deviation, weight per logit]}, terms {term: [inverse frequency, weight per logit]}."""

    corpus: Corpus
    columns: tuple[str, ...]
    intercepts: tuple[float, ...]
    features: dict[str, list[float]]
    terms: dict[str, list[float]]

    def logits(self, rows: Sequence[Texts]) -> list[list[float]]:
        """The logits of each row; a feature that is missing (no reference) counts as an average one."""
        return [self.logits_of(measured(self.corpus, self.columns, row), row.output) for row in rows]

    def logits_of(self, features: dict[str, float], output: str) -> list[float]:
        """The logits of an answer whose features are measured already."""
        columns = list(self.contributions(features, output))
        return [
            math.fsum((intercept, *(weights[place] * value for _, value, weights in columns)))
            for place, intercept in enumerate(self.intercepts)
        ]

    def contributions(self, features: dict[str, float], output: str) -> Iterator[Contribution]:
        """What the logits are made of, besides the intercepts: the features, then the terms."""
        yield from self._weighted_features(features)
        yield from self._weighted_terms(output[:MAX_CHARACTERS])

    def _weighted_features(self, features: dict[str, float]) -> list[Contribution]:
        return [
            (name, max(-MAX_DEVIATIONS, min(MAX_DEVIATIONS, (features[name] - mean) / deviation)), weights)
            for name, (mean, deviation, *weights) in self.features.items()
            if name in features
        ]

    def _weighted_terms(self, output: str) -> list[Contribution]:
        counts = {term: count for term, count in terms(output).items() if term in self.terms}
        vector = unit_vector({term: (1 + math.log(count)) * self.terms[term][0] for term, count in counts.items()})
        return [(f"term {term}", value, self.terms[term][1:]) for term, value in vector.items()]


def measured(corpus: Corpus, columns: Sequence[str], row: Texts) -> dict[str, float]:
    """Everything that is measured of an answer, from the columns that the evaluator sees."""
    output = row.output[:MAX_CHARACTERS]
    asked = (row.input or "")[:MAX_CHARACTERS] if "input" in columns else ""
    features = text_features(corpus, output)
    if "ground_truth" in columns:
        if row.ground_truth is not None:
            features |= reference_features(corpus, asked, row.ground_truth[:MAX_CHARACTERS], output)
    elif "input" in columns and row.input is not None:
        features |= question_features(corpus, asked, output)
    return features


def model_text(model: WordModel) -> str:
    """The model as JSON."""
    corpus = asdict(model.corpus) | {"known_words": sorted(model.corpus.known_words)}
    record = {"corpus": corpus, "intercepts": model.intercepts, "features": model.features, "terms": model.terms}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n"


def read_model(path: Path, columns: Sequence[str], logits: int) -> WordModel:
    """Reads a model with so many logits. Raises a ValueError, KeyError, TypeError, AttributeError or OSError."""
    record: dict[str, Any] = json.loads(path.read_bytes())
    corpus = Corpus(**(record["corpus"] | {"known_words": frozenset(record["corpus"]["known_words"])}))
    model = WordModel(corpus, tuple(columns), tuple(record["intercepts"]), record["features"], record["terms"])
    complete = (
        len(model.intercepts) == logits
        and all(len(values) == 2 + logits for values in model.features.values())
        and all(len(values) == 1 + logits for values in model.terms.values())
    )
    if not complete:
        raise ValueError("weights that do not fit the classes")
    return model
