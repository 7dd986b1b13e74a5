"""Trains the embedded judge on the training part and measures it on the test part, which it never saw.

Reads: data/embedded/questions.jsonl, data/embedded/graded.jsonl
Writes: data/embedded/judge.json, the figures in data/embedded/README.md
Run: PYTHONPATH=scripts python data/embedded/training/judge.py  (needs scikit-learn; about a minute)
"""

import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from agreement import CRITERIA, logloss, update_card
from distractors import Graded, distractors
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from tuneproof.common.errors import run, say
from tuneproof.scoring.embedded import words as lexicon
from tuneproof.scoring.embedded.features import Corpus, reference_features, text_features
from tuneproof.scoring.embedded.judge import FORMAT, MAX_DEVIATIONS, Rater, Scored, load_judge

EMBEDDED_DIRECTORY = Path("data/embedded")
JUDGE_FILE = EMBEDDED_DIRECTORY / "judge.json"
CARD_FILE = EMBEDDED_DIRECTORY / "README.md"

SEED = 8
FOLDS = 6
STEPS = (1, 2, 3)
MADE_WEIGHT = 0.25  # of a made-up answer beside a graded one
TERM_SCALE = 4.0  # brings unit TF-IDF vectors near the spread of the standardised features
MIN_TERM_ANSWERS = 3
MIN_NGRAM_TEXTS = 3
TRANSITION_PRIOR = 0.3
STRENGTHS = (0.03, 0.1, 0.3, 1.0)  # scikit-learn's C: larger is less regularised
SLOPES = tuple(step / 10 for step in range(2, 41))

Features = list[dict[str, float]]


def main() -> None:
    """Chooses by cross-validation, trains, writes the judge, then measures it once."""
    questions = {row["id"]: row for row in read_rows(EMBEDDED_DIRECTORY / "questions.jsonl")}
    graded = read_rows(EMBEDDED_DIRECTORY / "graded.jsonl")
    threadpool_limits(1)  # the same sums in the same order on every machine, and no fight over its cores
    training = [as_graded(row, questions) for row in graded if questions[row["id"]]["part"] == "train"]
    say(f"training the embedded judge on {len(training)} graded answers, cross-validated by question")
    folds = prepare_folds(training)
    strengths = {criterion: choose_strength(folds, criterion) for criterion in CRITERIA}
    slope = choose_slope(folds, strengths)
    write_judge(training, strengths, slope)
    judge = load_judge(JUDGE_FILE)
    test = [{**questions[row["id"]], **row} for row in graded if questions[row["id"]]["part"] == "test"]
    update_card(CARD_FILE, judge, [asdict(row) for row in training], test)
    say(f"wrote {JUDGE_FILE} ({JUDGE_FILE.stat().st_size / 1000:.0f} kB) and the figures in {CARD_FILE}")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def as_graded(row: dict[str, Any], questions: dict[str, dict[str, Any]]) -> Graded:
    """A row of graded.jsonl with its question."""
    question = questions[row["id"]]
    known = (question["instruction"], question["reference"])
    return Graded(row["id"], *known, row["answer"], row["accuracy"], row["style"])


# --- statistics and features


def fit_corpus(rows: Sequence[Graded]) -> Corpus:
    """The statistics of the rows' questions, references and answers."""
    questions = {row.id: row for row in rows}
    references = [row.reference for row in questions.values()]
    texts = [row.instruction for row in questions.values()] + references + [row.answer for row in rows]
    stems = inverse_frequencies(map(lexicon.content_stems, texts), 1)
    ngrams = inverse_frequencies(map(lexicon.character_ngrams, texts), MIN_NGRAM_TEXTS)
    known = frozenset(word for text in texts for word in lexicon.words(text))
    bare = Corpus(stems, ngrams, known, rounded(math.log(1 + len(texts)) + 1), transition_logarithms(texts), [])
    vectors = [bare.stem_vector(lexicon.content_stems(reference)) for reference in references]
    bare.references.extend({stem: rounded(value) for stem, value in vector.items()} for vector in vectors)
    return bare


def inverse_frequencies(parts: Iterable[Iterable[str]], least: int) -> dict[str, float]:
    """Smoothed inverse document frequency of everything that occurs in at least so many texts."""
    counts: Counter[str] = Counter()
    texts = 0
    for part in parts:
        counts.update(set(part))
        texts += 1
    kept = sorted(key for key, count in counts.items() if count >= least)
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


def own_features(corpus: Corpus, row: Graded) -> dict[str, float]:
    """All features of one answer."""
    return text_features(corpus, row.answer) | reference_features(corpus, row.instruction, row.reference, row.answer)


def training_features(rows: Sequence[Graded], made: Sequence[Graded]) -> Features:
    """Features of training answers, each from the statistics of the other questions, as it will be for new ones."""
    corpora = {left_out: fit_corpus([row for row in rows if row.id != left_out]) for left_out in {r.id for r in rows}}
    return [own_features(corpora[row.id], row) for row in [*rows, *made]]


# --- the cumulative logits


def fit_rater(rows: Sequence[Graded], features: Features, criterion: str, strength: float) -> Rater:
    """One criterion's logits, P(score reaches 2) and P(score reaches 3), on features and TF-IDF terms."""
    names = rated_features(features, criterion)
    weights = np.array([MADE_WEIGHT if row.made else 1.0 for row in rows])
    matrix = np.array([[row[name] for name in names] for row in features])
    means = np.average(matrix, axis=0, weights=weights)
    deviations = np.sqrt(np.average((matrix - means) ** 2, axis=0, weights=weights)) + 1e-6
    matrix = np.clip((matrix - means) / deviations, -MAX_DEVIATIONS, MAX_DEVIATIONS)
    answers = [lexicon.terms(row.answer) for row in rows if not row.made]
    vocabulary = inverse_frequencies(answers, MIN_TERM_ANSWERS)
    matrix = np.hstack([matrix, TERM_SCALE * term_matrix([row.answer for row in rows], vocabulary)])
    scores = np.array([getattr(row, criterion) for row in rows])
    logits = [
        LogisticRegression(C=strength, max_iter=5000, tol=1e-8).fit(matrix, scores >= step, sample_weight=weights)
        for step in STEPS[1:]
    ]
    columns = [[rounded(fit.coef_[0][column]) for fit in logits] for column in range(matrix.shape[1])]
    scaled = [
        [rounded(TERM_SCALE * fit.coef_[0][len(names) + row]) for fit in logits] for row in range(len(vocabulary))
    ]
    return Rater(
        steps=tuple(map(str, STEPS)),
        intercepts=tuple(rounded(fit.intercept_[0]) for fit in logits),
        features={
            name: [rounded(mean, 6), rounded(deviation, 6), *column]
            for name, mean, deviation, column in zip(names, means, deviations, columns, strict=False)
        },
        terms={term: [idf, *column] for (term, idf), column in zip(vocabulary.items(), scaled, strict=True)},
    )


def rated_features(features: Features, criterion: str) -> list[str]:
    """Accuracy may see everything; style is a matter of the answer's text alone."""
    return list(features[0]) if criterion == "accuracy" else list(text_features(fit_corpus([]), ""))


def term_matrix(answers: Sequence[str], vocabulary: dict[str, float]) -> Any:
    """Unit TF-IDF vectors of the answers over the vocabulary."""
    columns = {term: column for column, term in enumerate(vocabulary)}
    matrix = np.zeros((len(answers), len(columns)))
    for row, answer in enumerate(answers):
        for term, count in lexicon.terms(answer).items():
            if term in columns:
                matrix[row, columns[term]] = (1 + math.log(count)) * vocabulary[term]
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


# --- choices by cross-validation, whole questions left out


@dataclass(frozen=True)
class Fold:
    """Answers to fit on and answers held out, with their features."""

    rows: Sequence[Graded]
    features: Features
    held: Sequence[Graded]
    held_features: Features


def prepare_folds(rows: Sequence[Graded]) -> list[Fold]:
    """Folds of whole questions, each question held out once."""
    order = sorted({row.id for row in rows})
    random.Random(SEED).shuffle(order)  # noqa: S311 - a split, nothing secret
    folds = []
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS])
        kept, left = [row for row in rows if row.id not in held], [row for row in rows if row.id in held]
        made, corpus = distractors(kept, SEED), fit_corpus(kept)
        held_rows = [*left, *distractors(left, SEED)]
        held_features = [own_features(corpus, row) for row in held_rows]
        folds.append(Fold([*kept, *made], training_features(kept, made), held_rows, held_features))
    return folds


def held_out_scores(folds: Sequence[Fold], criterion: str, strength: float) -> list[tuple[Graded, Scored]]:
    """Every held-out answer with the score given by the judge that did not see its question."""
    scored = []
    for fold in folds:
        rater = fit_rater(fold.rows, fold.features, criterion, strength)
        scored += [
            (row, rater.rate(features, row.answer)) for row, features in zip(fold.held, fold.held_features, strict=True)
        ]
    return scored


def choose_strength(folds: Sequence[Fold], criterion: str) -> float:
    """The regularisation with the smallest held-out log loss on graded answers."""
    losses = {}
    for strength in STRENGTHS:
        scored = held_out_scores(folds, criterion, strength)
        graded = [(getattr(row, criterion), given) for row, given in scored if not row.made]
        losses[strength] = logloss(graded)
        kinds = sorted({row.made for row, _ in scored if row.made})
        made = {kind: np.mean([given.score for row, given in scored if row.made == kind]) for kind in kinds}
        shown = ", ".join(f"{kind} {mean:.2f}" for kind, mean in made.items())
        say(f"{criterion}: C {strength}: log loss {losses[strength]:.3f}; mean score of made-up answers: {shown}")
    return min(losses, key=lambda strength: losses[strength])


def choose_slope(folds: Sequence[Fold], strengths: dict[str, float]) -> float:
    """How many log-odds of preference a point of score difference is worth, on pairs of held-out graded answers."""
    totals: dict[str, list[tuple[int, float]]] = {}
    columns = [held_out_scores(folds, criterion, strengths[criterion]) for criterion in CRITERIA]
    for scores in zip(*columns, strict=True):
        row = scores[0][0]
        if not row.made:
            totals.setdefault(row.id, []).append((row.accuracy + row.style, sum(given.score for _, given in scores)))
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


# --- the file


def write_judge(rows: Sequence[Graded], strengths: dict[str, float], slope: float) -> None:
    """Fits on all training answers and writes the judge, as plain numbers."""
    made = distractors(rows, SEED)
    features = training_features(rows, made)
    raters = {c: asdict(fit_rater([*rows, *made], features, c, strengths[c])) for c in CRITERIA}
    corpus = asdict(fit_corpus(rows))
    corpus["known_words"] = sorted(corpus["known_words"])
    record = {"format": FORMAT, "preference_slope": slope, "corpus": corpus, "criteria": raters}
    JUDGE_FILE.write_text(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")


def rounded(value: float, decimals: int = 4) -> float:
    """A plain float, short enough for a file in Git and the same on every machine."""
    return round(float(value), decimals)


if __name__ == "__main__":
    run(main)
