"""How well the embedded judge agrees with the people who graded: the figures of its card, with intervals.

Questions are the sampling unit: the bootstrap draws whole questions, because the answers to one are not independent.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata

from tuneproof.common.errors import say
from tuneproof.scoring.embedded.judge import EmbeddedJudge
from tuneproof.scoring.evaluator.contract import Scored
from tuneproof.scoring.evaluator.learning.calibrating import question_draws
from tuneproof.scoring.evaluator.words.fitting import fit
from tuneproof.scoring.evaluator.words.lexicon import words

CRITERIA = ("accuracy", "style")
STEPS = (1, 2, 3)
DRAWS = 2000
SEED = 8
START, END = "<!-- figures: written by training/judge.py -->", "<!-- end of figures -->"

Array = Any


@dataclass(frozen=True)
class Rated:
    """What a rater gives each answer: a score, and the step of the scale that it comes down to."""

    scores: Array
    steps: Array

    @classmethod
    def rounded(cls, scores: Array) -> "Rated":
        """Scores whose steps are the nearest ones, halves upwards."""
        return cls(scores, np.clip(np.floor(scores + 0.5), STEPS[0], STEPS[-1]))

    def drawn(self, rows: Array) -> "Rated":
        """The rows that a bootstrap draws."""
        return Rated(self.scores[rows], self.steps[rows])


Measure = Callable[[Array, Rated], float]


def quadratic_kappa(graded: Array, rated: Rated) -> float:
    """Cohen's kappa with quadratic weights between grades and steps; 0 for a constant rater."""
    observed = ((graded - rated.steps) ** 2).mean()
    expected = ((graded[:, None] - rated.steps[None, :]) ** 2).mean()
    return float(1 - observed / expected) if expected else math.nan


def exact_share(graded: Array, rated: Rated) -> float:
    """Share of answers on which the step is the grade."""
    return float((graded == rated.steps).mean())


def spearman(graded: Array, rated: Rated) -> float:
    """Rank correlation; nan when one side is constant."""
    first, second = (rankdata(each) - (len(graded) + 1) / 2 for each in (graded, rated.scores))
    scale = math.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale else math.nan


def area(step: int) -> Measure:
    """The area under the ROC curve for telling answers that reach a step from those that do not."""

    def measured(graded: Array, rated: Rated) -> float:
        reached = graded >= step
        above, below = int(reached.sum()), int((~reached).sum())
        if not above or not below:
            return math.nan
        return float((rankdata(rated.scores)[reached].sum() - above * (above + 1) / 2) / (above * below))

    return measured


MEASURES: dict[str, Measure] = {
    "QWK": quadratic_kappa,
    "AUC >= 2": area(2),
    "AUC >= 3": area(3),
    "Spearman": spearman,
    "exact": exact_share,
}


def logloss(rows: Sequence[tuple[int, Scored]]) -> float:
    """Mean negative log-probability of the grades."""
    return -sum(math.log(max(given.probabilities[str(grade)], 1e-4)) for grade, given in rows) / len(rows)


def shown(measure: Measure, graded: Array, rated: Rated, draws: Sequence[Array]) -> str:
    """A measure with its 95 % percentile interval, as text; a dash where it has no value."""
    value = measure(graded, rated)
    if math.isnan(value):
        return "-"
    low, high = np.nanquantile([measure(graded[draw], rated.drawn(draw)) for draw in draws], [0.025, 0.975])
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def length_only(training: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]], criterion: str) -> Array:
    """Scores of a cumulative logit that knows nothing but an answer's number of words."""
    fit_on, apply_to = (
        np.array([[math.log1p(len(words(row["answer"])))] for row in part]) for part in (training, test)
    )
    grades = np.array([row[criterion] for row in training])
    targets = np.stack([grades >= step for step in STEPS[1:]], axis=1).astype(float)
    weights, intercepts = fit(fit_on, targets, np.ones(len(grades)), strength=1e6)
    return 1 + expit(apply_to @ weights + intercepts).sum(axis=1)


def update_card(
    card: Path, judge: EmbeddedJudge, training: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]]
) -> None:
    """Measures the judge on the test rows, prints the figures and puts them between the card's two marks.

    The tables are of the answers to first turns, which were rated twice.
    """
    later = [row for row in test if row["turn"]]
    test = [row for row in test if not row["turn"]]
    scored = [judge.score(row["instruction"], row["reference"], row["answer"]) for row in test]
    draws = question_draws([row["id"] for row in test], DRAWS, SEED)
    parts = [criterion_figures(criterion, scored, training, test, draws) for criterion in CRITERIA]
    figures = "\n\n".join([*parts, preference_figures(judge, test), turn_figures(judge, later)])
    for line in figures.splitlines():
        say(line)
    before, found, rest = card.read_text(encoding="utf-8").partition(START)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"{card} has no place for the figures")
    card.write_text(f"{before}{START}\n{figures}\n{END}{after}", encoding="utf-8")


def criterion_figures(
    criterion: str,
    scored: Sequence[dict[str, Scored]],
    training: Sequence[dict[str, Any]],
    test: Sequence[dict[str, Any]],
    draws: Sequence[Array],
) -> str:
    """One criterion's table: the judge beside the second rater, length only and the majority."""
    graded = np.array([row[criterion] for row in test], dtype=float)
    majority = Counter(row[criterion] for row in training).most_common(1)[0][0]
    judged = rated_by_judge([scores[criterion] for scores in scored])
    length = Rated.rounded(length_only(training, test, criterion))
    grades = np.array([row[f"second_{criterion}"] for row in test], dtype=float)
    second = Rated(grades, grades)
    raters = {
        "embedded judge": judged,
        "second rating": second,
        "length only": length,
        f"always {majority} (majority)": Rated.rounded(np.full(len(test), float(majority))),
    }
    lines = [f"| {criterion} | {' | '.join(MEASURES)} |", "|---" * (len(MEASURES) + 1) + "|"]
    for name, rated in raters.items():
        cells = [shown(measure, graded, rated, draws) for measure in MEASURES.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    gains = [quadratic_kappa(graded[d], judged.drawn(d)) - quadratic_kappa(graded[d], length.drawn(d)) for d in draws]
    low, high = np.nanquantile(gains, [0.025, 0.975])
    gain = quadratic_kappa(graded, judged) - quadratic_kappa(graded, length)
    beside_second = shown(quadratic_kappa, grades, judged, draws)
    loss = logloss([(int(grade), scores[criterion]) for grade, scores in zip(graded, scored, strict=True)])
    lines += [
        "",
        f"The judge's QWK is {gain:.2f} [{low:.2f}, {high:.2f}] above length only; against the second rating it is "
        f"{beside_second}; its log loss is {loss:.2f}. The two ratings agree on {int((graded == grades).sum())} of "
        f"{len(test)} answers.",
    ]
    return "\n".join(lines)


def preference_figures(judge: EmbeddedJudge, test: Sequence[dict[str, Any]]) -> str:
    """How often the judge prefers the answer with the higher summed grades, over pairs that differ in them."""
    right = []
    for first, second in combinations(test, 2):
        gap = sum(first[criterion] - second[criterion] for criterion in CRITERIA)
        if first["id"] == second["id"] and gap:
            preference = judge.preference(first["instruction"], first["reference"], first["answer"], second["answer"])
            right.append((preference > 0.5) == (gap > 0))
    share = sum(right) / len(right)
    return f"Of {len(right)} pairs of answers with different summed grades, it prefers the better one in {share:.0%}."


def rated_by_judge(given: Sequence[Scored]) -> Rated:
    """What the judge gives answers on one criterion."""
    return Rated(np.array([one.score for one in given]), np.array([float(one.label) for one in given]))


def turn_figures(judge: EmbeddedJudge, later: Sequence[dict[str, Any]]) -> str:
    """The judge's agreement on answers to second turns, which it is shown as questions of their own."""
    scored = [judge.score(row["instruction"], row["reference"], row["answer"]) for row in later]
    draws = question_draws([row["id"] for row in later], DRAWS, SEED)
    figures = []
    for criterion in CRITERIA:
        graded = np.array([row[criterion] for row in later], dtype=float)
        judged = rated_by_judge([scores[criterion] for scores in scored])
        kappa, exact = (shown(measure, graded, judged, draws) for measure in (quadratic_kappa, exact_share))
        figures.append(f"{criterion} QWK {kappa}, exact {exact}")
    return f"On the {len(later)} answers to second turns: {'; '.join(figures)}."
