"""How far the limit of a gain on the side of losses lies, over as few questions as a kind of question may have.

Run     PYTHONPATH=scripts:. python tests/measurements/kinds.py    in a workspace with judgements, as after `make demo`
Reads   params.yaml, data/judgements
Draws questions with replacement from each model's own gains, and prints one Markdown table row per number of them: how
many times as far from the gain as Student's t alone would put it the lower limit lies (the median of 1,000 samples).
"""

import argparse
from collections import defaultdict

import numpy as np

from tuneproof.records.handovers import JUDGEMENTS
from tuneproof.settings.reading import load_params
from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.intervals import difference_interval

ALPHA, SEED, SAMPLES = 0.05, 7, 1_000
SIZES = (10, 15, 20, 25, 30, 40)
SCALE = (1.0, 3.0)


def means(model: str, criterion: str) -> dict[str, float]:
    """Every question's mean score."""
    found = defaultdict[str, list[float]](list)
    for row in JUDGEMENTS.iterate(model):
        if row.scores is not None:
            found[row.id].append(row.scores[criterion])
    return {question: float(np.mean(scores)) for question, scores in found.items()}


def distance(gains: Array, questions: int) -> float:
    """The lower limit's distance from the gain, in those of Student's t."""
    generator, found = np.random.default_rng(SEED), []
    for _ in range(SAMPLES):
        drawn = generator.choice(gains, questions)
        interval = difference_interval(drawn, ALPHA, SCALE)
        by_t = student_t_critical(ALPHA, questions - 1) * drawn.std(ddof=1) / np.sqrt(questions)
        if by_t > 0:
            found.append((interval.mean - interval.low) / by_t)
    return float(np.median(found))


def main() -> None:
    """Prints the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    params = load_params()
    gains = {}
    for criterion in params.judge.criteria:
        baseline = means(params.baseline, criterion)
        for model in params.models:
            here = means(model, criterion)
            if model != params.baseline:
                gains[model, criterion] = np.array([here[one] - baseline[one] for one in here if one in baseline])
    print("| questions | " + " | ".join(f"{model}, {criterion}" for model, criterion in gains) + " |")
    for questions in SIZES:
        print(f"| {questions} | " + " | ".join(f"{distance(one, questions):.1f}" for one in gains.values()) + " |")


if __name__ == "__main__":
    main()
