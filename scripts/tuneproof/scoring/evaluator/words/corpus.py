"""Statistics of the training texts: what is rare in them, what is usual, what is said of other questions."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuneproof.scoring.evaluator.words import lexicon

MIN_NGRAM_TEXTS = 3
TRANSITION_PRIOR = 0.3
MAX_REFERENCES = 500  # of other questions, against which an answer is held; more would only cost time
DECIMALS = 4  # short enough for a file in Git and the same on every machine


@dataclass(frozen=True)
class Corpus:
    """Statistics of the training texts that features need: what is rare, what is usual, what is said elsewhere."""

    stem_weights: dict[str, float]  # inverse document frequency
    ngram_weights: dict[str, float]
    known_words: frozenset[str]
    rare_weight: float  # for what the training texts do not have
    # log-probability of a word class after the one before ("a b") or two before ("a ? b")
    transitions: dict[str, float]
    references: list[dict[str, float]]  # unit vectors of the training questions' reference answers

    def weight(self, found: str) -> float:
        """How much a stem tells, more for rarer ones."""
        return self.stem_weights.get(found, self.rare_weight)

    def stem_vector(self, stems: Iterable[str]) -> dict[str, float]:
        """The unit TF-IDF vector of some stems; empty for none."""
        return unit_vector({key: (1 + math.log(n)) * self.weight(key) for key, n in Counter(stems).items()})

    def ngram_vector(self, text: str) -> dict[str, float]:
        """The unit TF-IDF vector of a text's character n-grams."""
        weights, rare, counts = self.ngram_weights, self.rare_weight, lexicon.character_ngrams(text)
        return unit_vector({key: (1 + math.log(n)) * weights.get(key, rare) for key, n in counts.items()})


def unit_vector(vector: dict[str, float]) -> dict[str, float]:
    """The vector with length 1; sums are exact, so that the last bit does not depend on the order of words."""
    length = math.sqrt(math.fsum(value * value for value in vector.values())) or 1.0
    return {key: value / length for key, value in vector.items()}


def cosine(first: dict[str, float], second: dict[str, float]) -> float:
    """The cosine of two unit vectors, 0 when either is empty."""
    small, large = sorted((first, second), key=len)
    return math.fsum(value * large[key] for key, value in small.items() if key in large)


def fit_corpus(texts: Sequence[str], references: Sequence[str]) -> Corpus:
    """The statistics of some texts; `references` are those among them that answer a question as it should be."""
    stems = inverse_frequencies(map(lexicon.content_stems, texts), 1)
    ngrams = inverse_frequencies(map(lexicon.character_ngrams, texts), MIN_NGRAM_TEXTS)
    known = frozenset(word for text in texts for word in lexicon.words(text))
    bare = Corpus(stems, ngrams, known, rounded(math.log(1 + len(texts)) + 1), transition_logarithms(texts), [])
    vectors = [bare.stem_vector(lexicon.content_stems(reference)) for reference in references[:MAX_REFERENCES]]
    bare.references.extend({stem: rounded(value) for stem, value in vector.items()} for vector in vectors)
    return bare


def inverse_frequencies(parts: Iterable[Iterable[str]], least: int, most: int | None = None) -> dict[str, float]:
    """Smoothed inverse document frequency of what occurs in at least `least` texts; of these the `most` frequent."""
    counts: Counter[str] = Counter()
    texts = 0
    for part in parts:
        counts.update(set(part))
        texts += 1
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    kept = sorted(key for key, count in frequent if count >= least)
    return {key: rounded(math.log((1 + texts) / (1 + counts[key])) + 1) for key in kept}


def transition_logarithms(texts: Sequence[str]) -> dict[str, float]:
    """Log-probability of each word class after the one before it, and after the one two before it."""
    logarithms = {}
    sequences = [lexicon.word_classes(text) for text in texts]
    classes = sorted({name for sequence in sequences for name in sequence})
    for distance, link in ((1, ""), (2, "? ")):
        counts = Counter(pair for found in sequences for pair in zip(found, found[distance:], strict=False))
        for first in classes:
            total = sum(counts[first, second] + TRANSITION_PRIOR for second in classes)
            for second in classes:
                chance = (counts[first, second] + TRANSITION_PRIOR) / total
                logarithms[f"{first} {link}{second}"] = rounded(math.log(chance))
    return logarithms


def rounded(value: float, decimals: int = DECIMALS) -> float:
    """A plain float, short enough for a file in Git and the same on every machine."""
    return round(float(value), decimals)
