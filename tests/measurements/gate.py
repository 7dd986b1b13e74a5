"""Simulates how often the gate catches a real drop, and how often it calls noise a regression.

Run     PYTHONPATH=scripts:. python tests/measurements/gate.py [--repeats 1000] [--questions 200]
Prints one Markdown table row per world; docs/measured.md holds the measured figures.
"""

import argparse
from collections import Counter
from statistics import NormalDist

import numpy as np

from tuneproof.results.gate.decision import ALPHA_SHARE, Outcome, combined, decide
from tuneproof.statistics.differences import simultaneous_differences
from tuneproof.statistics.distributions import Array

SEED = 11
SCALE = (1.0, 3.0)
MAX_DROP, ALPHA, MIN_QUESTIONS = 0.1, 0.05, 30
DROPS = (0.0, 0.05, 0.1, 0.2, 0.3)
FAMILIES = {"one model, one criterion": 1, "two models, two criteria": 4}
# Chances of the scores 1, 2, 3. Half of the variance behind a score is the question's, which both runs share.
SCORES = {"middle": (0.30, 0.40, 0.30), "skewed": (0.10, 0.20, 0.70)}


def scores(latent: Array, shares: tuple[float, ...]) -> Array:
    """Cuts standard normal quality into the scores 1, 2, 3 with these chances."""
    cuts = [NormalDist().inv_cdf(share) for share in np.cumsum(shares)[:-1]]
    return np.asarray(1.0 + sum((latent > cut).astype(np.float64) for cut in cuts))


def lowered(values: Array, drop: float, generator: np.random.Generator) -> Array:
    """Lowers scores above the lowest by 1, so often that the mean falls by `drop`."""
    able = values > SCALE[0]
    return np.asarray(values - (able & (generator.random(values.shape) < drop / able.mean())))


def outcome(
    generator: np.random.Generator, questions: int, shares: tuple[float, ...], family: int, drop: float
) -> Outcome:
    """One repeat: the gate's outcome where the first comparison of the family dropped and the others did not."""
    difficulty = generator.standard_normal(questions)
    differences = {}
    for member in range(family):
        before, now = (
            scores(np.sqrt(0.5) * (difficulty + generator.standard_normal(questions)), shares) for _ in range(2)
        )
        differences[member] = lowered(now, drop if member == 0 else 0.0, generator) - before
    found = simultaneous_differences(differences, ALPHA * ALPHA_SHARE, dict.fromkeys(differences, SCALE))
    return combined(decide(difference, MIN_QUESTIONS, MAX_DROP) for difference in found.values())


def main() -> None:
    """Repeats every world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1_000)
    parser.add_argument("--questions", type=int, default=200)
    arguments = parser.parse_args()
    print("| scores | compared | true drop | regression | no regression | cannot tell |\n|---|---|---|---|---|---|")
    for scores_name, shares in SCORES.items():
        for family_name, family in FAMILIES.items():
            for drop in DROPS:
                generator = np.random.default_rng(SEED)
                counts = Counter(
                    outcome(generator, arguments.questions, shares, family, drop) for _ in range(arguments.repeats)
                )
                cells = (counts[name] / arguments.repeats for name in ("regression", "no regression", "cannot tell"))
                print(f"| {scores_name} | {family_name} | {drop:g} | {' | '.join(f'{cell:.1%}' for cell in cells)} |")


if __name__ == "__main__":
    main()
