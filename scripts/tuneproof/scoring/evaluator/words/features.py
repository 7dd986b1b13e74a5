"""What is measured of an answer: numbers from its text, its question and the reference answer.

Standard library only, so that the demo needs no numerical package to judge.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from tuneproof.scoring.evaluator.words import lexicon
from tuneproof.scoring.evaluator.words.corpus import Corpus, cosine
from tuneproof.scoring.evaluator.words.lexicon import content_stems, sentences, stem, words

UNSEEN_TRANSITION = -6.0  # log-probability of a word class that the training texts do not have
ODD_TRANSITION = -3.2
SHORT = 5  # real words with fewer letters are mostly known from the training texts, broken ones are not
SAME_REFERENCE = 0.9  # a training reference this close to the question's own is the question's own

_PASSIVE = re.compile(r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?\w+(?:ed|en|wn|ught)\b")
_CONTRACTION = re.compile(r"\w'(?:s|t|re|ve|ll|d|m)\b")
_NOMINAL = re.compile(r"\w{4,}(?:tion|sion|ment|ance|ence|ity|ness|ism)s?$")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_INNER_CAPITAL = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+\b")
FINISHED = (".", "!", '"', "'", ")")


def text_features(corpus: Corpus, answer: str) -> dict[str, float]:
    """Features of the answer alone: length, tone, repetition, and whether it reads like language."""
    found, parts = words(answer), sentences(answer)
    return {
        **_shape(answer, found, parts),
        **_tone(answer, found),
        **_repetition(found, [stem(word) for word in found if word not in lexicon.FUNCTION_WORDS]),
        **_fluency(corpus, answer, found, parts),
    }


def _shape(answer: str, found: Sequence[str], parts: Sequence[str]) -> dict[str, float]:
    lengths = [len(words(part)) for part in parts] or [0]
    alphabetic = [word for word in found if word[0].isalpha()] or [""]
    count = max(len(found), 1)
    return {
        "log_words": math.log1p(len(found)),
        "few_words": max(0.0, 1 - len(found) / 12),
        "sentences": math.log1p(len(parts)),
        "sentence_length": sum(lengths) / len(lengths) / 10,
        "longest_sentence": max(lengths) / 10,
        "shortest_sentence": min(lengths) / 10,
        "word_length": sum(map(len, alphabetic)) / len(alphabetic),
        "long_words": sum(len(word) >= 9 for word in found) / count,
        "very_long_words": sum(len(word) >= 12 for word in found) / count,
        "short_words": sum(len(word) <= 4 for word in found) / count,
        "commas": answer.count(",") / max(len(parts), 1),
        "dashes": math.log1p(answer.count(" - ") + answer.count(": ")),
        "semicolons": math.log1p(answer.count(";")),
        "unfinished": float(not answer.rstrip().endswith(FINISHED)),
        "question": float(answer.rstrip().endswith("?")),
    }


def _tone(answer: str, found: Sequence[str]) -> dict[str, float]:
    count, lower = max(len(found), 1), answer.lower()
    first = found[0] if found else ""

    def share(listed: frozenset[str]) -> float:
        return math.sqrt(sum(word in listed for word in found) / count)

    return {
        "nominalisations": sum(bool(_NOMINAL.match(word)) for word in found) / count,
        "passives": math.log1p(len(_PASSIVE.findall(lower))),
        "contractions": math.log1p(len(_CONTRACTION.findall(lower))),
        "any_contraction": float(bool(_CONTRACTION.search(lower))),
        "second_person": share(lexicon.SECOND_PERSON),
        "formal": share(lexicon.FORMAL),
        "hype": share(lexicon.HYPE),
        "absolutes": share(lexicon.ABSOLUTES),
        "hedges": share(lexicon.HEDGES),
        "negations": share(lexicon.NEGATIONS),
        "function_words": sum(word in lexicon.FUNCTION_WORDS for word in found) / count,
        "plain_opening": float(first in lexicon.PLAIN_OPENINGS),
        "flat_opening": float(first in lexicon.FLAT_OPENINGS),
    }


def _repetition(found: Sequence[str], stems: Sequence[str]) -> dict[str, float]:
    pairs = list(pairwise(found))
    counts = Counter(stems)
    return {
        "repeated_words": 1 - len(set(found)) / max(len(found), 1),
        "repeated_stems": 1 - len(counts) / max(len(stems), 1),
        "repeated_pairs": math.sqrt(1 - len(set(pairs)) / max(len(pairs), 1)),
        "top_stem": max(counts.values(), default=0) / max(len(stems), 1),
        "stutter": math.sqrt(sum(first == second for first, second in pairs) / max(len(pairs), 1)),
    }


def _fluency(corpus: Corpus, answer: str, found: Sequence[str], parts: Sequence[str]) -> dict[str, float]:
    classes, usual = lexicon.word_classes(answer), corpus.transitions
    steps = transitions_of(corpus, answer)
    leaps = [usual.get(f"{a} ? {b}", UNSEEN_TRANSITION) for a, b in zip(classes, classes[2:], strict=False)]
    plain = [word for word in found if word.isalpha() and word not in lexicon.FUNCTION_WORDS]
    unknown = unknown_words(corpus, found)
    ngrams = lexicon.character_ngrams(" ".join(unknown))
    count = max(len(parts), 1)
    return {
        "transitions": math.fsum(steps) / max(len(steps), 1),
        "leaps": math.fsum(leaps) / max(len(leaps), 1),
        "odd_transitions": sum(step < ODD_TRANSITION for step in steps) / max(len(steps), 1),
        "unknown_words": len(unknown) / max(len(plain), 1),
        "unknown_stems": sum(stem(word) not in corpus.stem_weights for word in unknown) / max(len(plain), 1),
        "unknown_short_words": math.sqrt(sum(len(word) < SHORT for word in unknown) / max(len(found), 1)),
        "unknown_ngrams": sum(n for key, n in ngrams.items() if key not in corpus.ngram_weights) / max(len(answer), 1),
        "dangling": sum(words(part)[-1] in lexicon.DANGLING for part in parts) / count,
        "lower_starts": sum(part.lstrip()[0].islower() for part in parts) / count,
        "inner_capitals": math.sqrt(len(_INNER_CAPITAL.findall(answer)) / max(len(found), 1)),
    }


def transitions_of(corpus: Corpus, answer: str) -> list[float]:
    """The log-probability of each step from word class to word class in an answer."""
    classes = lexicon.word_classes(answer)
    return [corpus.transitions.get(f"{a} {b}", UNSEEN_TRANSITION) for a, b in pairwise(classes)]


def unknown_words(corpus: Corpus, found: Sequence[str]) -> list[str]:
    """The content words of an answer that the training texts do not have."""
    plain = (word for word in found if word.isalpha() and word not in lexicon.FUNCTION_WORDS)
    return [word for word in plain if word not in corpus.known_words]


def reference_features(corpus: Corpus, instruction: str, reference: str, answer: str) -> dict[str, float]:
    """Features of the answer against the reference and the question: coverage, drift, contradiction."""
    asked, wanted, given = set(content_stems(instruction)), content_stems(reference), content_stems(answer)
    return {
        **_coverage(corpus, asked, set(wanted), set(given)),
        **_similarity(corpus, wanted, given, sentences(answer)),
        **_contradiction(reference, answer),
        "ngram_similarity": cosine(corpus.ngram_vector(reference), corpus.ngram_vector(answer)),
    }


def question_features(corpus: Corpus, instruction: str, answer: str) -> dict[str, float]:
    """Features of the answer against the question alone, where there is no reference."""
    asked, given = set(content_stems(instruction)), set(content_stems(answer))
    coverage = _coverage(corpus, asked, set(), given)
    return {
        "asked_recall": coverage["asked_recall"],
        "asked_precision": coverage["asked_precision"],
        "asked_similarity": cosine(corpus.ngram_vector(instruction), corpus.ngram_vector(answer)),
    }


def _coverage(corpus: Corpus, asked: set[str], wanted: set[str], given: set[str]) -> dict[str, float]:
    new = wanted - asked  # what the answer cannot have copied from the question

    def share(part: set[str], whole: set[str]) -> float:
        total = math.fsum(map(corpus.weight, whole))
        return math.fsum(map(corpus.weight, part & whole)) / total if total else 0.0

    return {
        "recall": share(given, wanted),
        "new_recall": share(given, new),
        "new_found": math.log1p(len(new & given)),
        "precision": share(wanted, given),
        "new_precision": share(new, given),
        "drift": math.log1p(len(given - wanted - asked)),
        "asked_recall": share(given, asked),
        "asked_precision": share(asked, given),
        "length_ratio": math.log1p(len(given)) - math.log1p(len(wanted)),
    }


def _similarity(corpus: Corpus, wanted: list[str], given: list[str], parts: Sequence[str]) -> dict[str, float]:
    target, vector = corpus.stem_vector(wanted), corpus.stem_vector(given)
    similarity = cosine(target, vector)
    by_sentence = [cosine(target, corpus.stem_vector(content_stems(part))) for part in parts] or [0.0]
    others = [other for other in corpus.references if cosine(other, target) < SAME_REFERENCE]
    elsewhere = sorted((cosine(other, vector) for other in others), reverse=True)[:3] or [0.0]
    shared = set(pairwise(wanted)) & set(pairwise(given))
    return {
        "similarity": similarity,
        "root_similarity": math.sqrt(similarity),
        "best_sentence": max(by_sentence),
        "worst_sentence": min(by_sentence),
        "last_sentence": by_sentence[-1],
        "shared_pairs": math.log1p(len(shared)),
        "margin": similarity - elsewhere[0],
        "elsewhere": math.fsum(elsewhere) / len(elsewhere),
    }


def _contradiction(reference: str, answer: str) -> dict[str, float]:
    wanted, given = set(words(reference)), set(words(answer))
    numbers, said = set(_NUMBER.findall(reference)), set(_NUMBER.findall(answer))
    swapped = agreed = 0
    for pair in lexicon.OPPOSITES:
        for here, there in (pair, pair[::-1]):
            if here in wanted and there not in wanted:
                swapped += there in given and here not in given
                agreed += here in given and there not in given
    return {
        "swapped": float(swapped),
        "agreed": math.log1p(agreed),
        "more_negation": math.log1p(len(given & lexicon.NEGATIONS)) - math.log1p(len(wanted & lexicon.NEGATIONS)),
        "numbers_shared": math.log1p(len(numbers & said)),
        "numbers_unknown": math.log1p(len(said - numbers)),
        "numbers_missing": math.log1p(len(numbers - said)),
    }
