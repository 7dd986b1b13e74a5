"""Fits a model of words: its corpus, features and terms, and the logits' weights, cross-validated by question."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.scoring.evaluator.learning.splitting import folds_of
from tuneproof.scoring.evaluator.words.corpus import Corpus, fit_corpus, inverse_frequencies, rounded
from tuneproof.scoring.evaluator.words.lexicon import terms
from tuneproof.scoring.evaluator.words.model import MAX_CHARACTERS, MAX_DEVIATIONS, WordModel, measured
from tuneproof.statistics.distributions import Array

Mask = NDArray[np.bool_]

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FOLDS = 6
BLOCKS = 60  # at most so many corpora, each without the questions whose answers it measures
BLOCKS_OF_MANY = 12
MANY_ROWS = 1000
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)  # how much the examples count against the pull of the weights towards 0
TERM_SCALE = 4.0  # brings unit TF-IDF vectors near the spread of the standardised features
MIN_TERM_ANSWERS = 3
MAX_TERMS = 20_000


@dataclass(frozen=True)
class Lessons:
    """What a model of words learns from: texts with the question of each, targets and weights.

    `targets` (rows x logits) are 1 where the logit should be high and 0 where low. Rows that are `made` up teach the
    weights; corpus and vocabulary are taken from the others.
    """

    rows: Sequence[Texts]
    groups: Sequence[str]
    targets: Array
    weights: Array
    made: Sequence[bool]
    columns: tuple[str, ...]
    seed: int

    @cached_property
    def features(self) -> list[dict[str, float]]:
        """Features of every row, each from the statistics of other questions, as it will be for new ones."""
        blocks = min(len(set(self.groups)), BLOCKS if len(self.rows) <= MANY_ROWS else BLOCKS_OF_MANY)
        block_of = folds_of(self.groups, blocks, self.seed)
        real = [(row, at) for row, made, at in zip(self.rows, self.made, block_of, strict=True) if not made]
        corpora = [corpus_of([row for row, at in real if at != block], self.columns) for block in range(blocks)]
        return [measured(corpora[at], self.columns, row) for row, at in zip(self.rows, block_of, strict=True)]


def corpus_of(rows: Sequence[Texts], columns: Sequence[str]) -> Corpus:
    """The statistics of the rows' questions, references and answers, each question and reference once."""
    questions = list(dict.fromkeys((row.input, row.ground_truth) for row in rows))
    asked = [text for text, _ in questions if text is not None]
    references = [text for _, text in questions if text is not None]
    compared = references if "ground_truth" in columns else []
    return fit_corpus([*asked, *references, *(row.output for row in rows)], compared)


def held_out_logits(lessons: Lessons, progress: Callable[[], None]) -> dict[float, Array]:
    """By strength, logits (rows x logits) of every row from a fit that did not see its question."""
    fold_of = np.array(folds_of(lessons.groups, min(FOLDS, len(set(lessons.groups))), lessons.seed))
    logits = {strength: np.zeros(lessons.targets.shape) for strength in STRENGTHS}
    for fold in range(fold_of.max() + 1):
        seen = fold_of != fold
        form = Form.of(lessons, seen)
        matrix = form.matrix(lessons.rows, lessons.features)
        for strength, found in logits.items():
            weights, intercepts = fit(matrix[seen], lessons.targets[seen], lessons.weights[seen], strength)
            found[~seen] = matrix[~seen] @ weights + intercepts
        progress()
    return logits


def held_out_losses(lessons: Lessons, logits: Mapping[float, Array]) -> dict[float, float]:
    """By strength, the mean log loss of held-out logits over the rows that are not made up."""
    real = ~np.array(lessons.made)
    targets, weights = lessons.targets[real], lessons.weights[real]
    return {
        strength: float(np.average(log_loss(found[real], targets).sum(axis=1), weights=weights))
        for strength, found in logits.items()
    }


def logits_after(
    lessons: Lessons, seen: Mask, strength: float, rows: Sequence[Texts], features: Sequence[Mapping[str, float]]
) -> Array:
    """The logits of other rows after learning from the lessons that are `seen` (a mask) alone."""
    form = Form.of(lessons, seen)
    matrix = form.matrix(lessons.rows, lessons.features)[seen]
    weights, intercepts = fit(matrix, lessons.targets[seen], lessons.weights[seen], strength)
    return np.asarray(form.matrix(rows, features) @ weights + intercepts)


def fit_model(lessons: Lessons, strength: float) -> WordModel:
    """The model of all rows."""
    form = Form.of(lessons, np.ones(len(lessons.rows), dtype=bool))
    weights, intercepts = fit(form.matrix(lessons.rows, lessons.features), lessons.targets, lessons.weights, strength)
    features, scaled = weights[: len(form.names)], TERM_SCALE * weights[len(form.names) :]
    real = [row for row, made in zip(lessons.rows, lessons.made, strict=True) if not made]
    return WordModel(
        corpus=corpus_of(real, lessons.columns),
        columns=lessons.columns,
        intercepts=tuple(map(rounded, intercepts)),
        features={
            name: [rounded(mean, 6), rounded(deviation, 6), *map(rounded, row)]
            for name, mean, deviation, row in zip(form.names, form.means, form.deviations, features, strict=True)
        },
        terms={
            term: [idf, *map(rounded, row)] for (term, idf), row in zip(form.vocabulary.items(), scaled, strict=True)
        },
    )


@dataclass(frozen=True)
class Form:
    """How features and terms become columns: standardised as some rows have them, over the terms of these rows."""

    names: list[str]
    means: Array
    deviations: Array
    vocabulary: dict[str, float]

    @classmethod
    def of(cls, lessons: Lessons, seen: Mask) -> "Form":
        """The form that the rows which are `seen` (a mask) have."""
        rows = [row for row, is_seen in zip(lessons.features, seen, strict=True) if is_seen]
        names = list(dict.fromkeys(name for row in rows for name in row))
        matrix = feature_matrix(rows, names)
        shares = lessons.weights[seen][:, None] * ~np.isnan(matrix)
        total = shares.sum(axis=0)
        means = np.nansum(shares * np.nan_to_num(matrix), axis=0) / total
        deviations = np.sqrt((shares * np.nan_to_num(matrix - means) ** 2).sum(axis=0) / total) + 1e-6
        answers = [
            terms(row.output[:MAX_CHARACTERS])
            for row, is_made, is_seen in zip(lessons.rows, lessons.made, seen, strict=True)
            if is_seen and not is_made
        ]
        return cls(names, means, deviations, inverse_frequencies(answers, MIN_TERM_ANSWERS, MAX_TERMS))

    def matrix(self, rows: Sequence[Texts], features: Sequence[Mapping[str, float]]) -> "csr_array":
        """Rows in this form; a feature that one lacks is an average one."""
        from scipy.sparse import csr_array, hstack

        values = (feature_matrix(features, self.names) - self.means) / self.deviations
        values = np.nan_to_num(np.clip(values, -MAX_DEVIATIONS, MAX_DEVIATIONS))
        return csr_array(hstack([csr_array(values), TERM_SCALE * term_matrix(rows, self.vocabulary)]))


def feature_matrix(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Array:
    """Features as rows x names, NaN where a row lacks one."""
    return np.array([[row.get(name, math.nan) for name in names] for row in rows])


def term_matrix(rows: Sequence[Texts], vocabulary: Mapping[str, float]) -> "csr_array":
    """Unit TF-IDF vectors of the rows' outputs over the vocabulary."""
    from scipy.sparse import csr_array

    columns = {term: column for column, term in enumerate(vocabulary)}
    places: list[tuple[int, int]] = []
    values: list[float] = []
    for place, row in enumerate(rows):
        found = {t: n for t, n in terms(row.output[:MAX_CHARACTERS]).items() if t in columns}
        weights = [(1 + math.log(count)) * vocabulary[term] for term, count in found.items()]
        length = math.sqrt(math.fsum(weight * weight for weight in weights)) or 1.0
        places += [(place, columns[term]) for term in found]
        values += [weight / length for weight in weights]
    indices = np.array(places, dtype=int).reshape(-1, 2).T
    return csr_array((np.array(values), (indices[0], indices[1])), shape=(len(rows), len(columns)))


def fit(matrix: Any, targets: Array, weights: Array, strength: float) -> tuple[Array, Array]:
    """Logistic regressions, one for each target: weights (columns x targets) and intercepts.

    Each minimises half the squared weights plus `strength` times the weighted log loss; intercepts are not pulled.
    """
    fits = [fit_one(matrix, targets[:, column], weights, strength) for column in range(targets.shape[1])]
    return np.stack([one[:-1] for one in fits], axis=1), np.array([one[-1] for one in fits])


def fit_one(matrix: Any, target: Array, weights: Array, strength: float) -> Array:
    """One logistic regression: the weights, then the intercept."""
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(parameters: Array) -> tuple[float, Array]:
        logits = matrix @ parameters[:-1] + parameters[-1]
        errors = strength * weights * (expit(logits) - target)
        total = strength * (weights * log_loss(logits, target)).sum() + 0.5 * parameters[:-1] @ parameters[:-1]
        return total, np.append(matrix.T @ errors + parameters[:-1], errors.sum())

    options = {"maxiter": 5000, "ftol": 1e-13, "gtol": 1e-7}
    found = minimize(loss, np.zeros(matrix.shape[1] + 1), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x)


def log_loss(logits: Array, targets: Array) -> Array:
    """The negative log-probability of each target (0 to 1) under its log-odds."""
    return np.logaddexp(0, logits) - targets * logits
