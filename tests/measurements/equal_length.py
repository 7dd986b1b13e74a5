"""Simulates judges to whom length matters, and reports how well gains at equal length are found.

Run     PYTHONPATH=scripts:. python tests/measurements/equal_length.py [--worlds 10000]
Prints one Markdown table row per kind of world; docs/statistics.md holds the measured figures, of 10,000 worlds.
"""

import argparse
import sys
from collections.abc import Callable
from itertools import product

import numpy as np

from tests.measurements.decisions import ALPHA, SCALE, SCORES, SEED, SIZES, scored
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.equal_length import gain_at_equal_length, ratios

WORLDS = 200
TRUTH_QUESTIONS = 400_000
TYPICAL, SPREAD = (
    600.0,
    0.6,
)  # characters; standard deviation of their logarithm, half of whose variance is the question's
EFFECT = 0.5  # latent deviations of quality for a typical spread of length
# What length does to the quality behind a score, by characters.
JUDGES: dict[str, Callable[[Array], Array]] = {
    "no matter": np.zeros_like,
    "by its logarithm": lambda characters: EFFECT * np.log(characters / TYPICAL) / SPREAD,
    "by each character": lambda characters: EFFECT * (characters - TYPICAL) / 400,
    "up to a length": lambda characters: EFFECT * np.minimum(characters, 700) / 250,
}


def lengths(generator: np.random.Generator, questions: int, shift: float) -> tuple[Array, Array]:
    """Characters of the baseline's and the model's answers; the model's are longer by `shift` spreads."""
    common = np.sqrt(0.5) * generator.standard_normal(questions)
    own = np.sqrt(0.5) * generator.standard_normal((2, questions))
    first, second = (TYPICAL * np.exp(SPREAD * (common + one + by)) for one, by in zip(own, (0.0, shift), strict=True))
    return first, second


def scores(generator: np.random.Generator, question: Array, liking: Array, gain: float) -> Array:
    """Scores 1, 2, 3 of answers that are better by `gain` and by what their length does."""
    latent = np.sqrt(0.5) * (question + generator.standard_normal(len(question))) + gain + liking
    return scored(latent[:, None], SCORES["middle"])


def true_gain(judge: Callable[[Array], Array], shift: float, gain: float) -> float:
    """The gain with both answers of one length: the mean over the baseline's lengths and the model's."""
    generator = np.random.default_rng(SEED)
    question = generator.standard_normal(TRUTH_QUESTIONS)
    found = []
    for characters in lengths(generator, TRUTH_QUESTIONS, shift):
        liking = judge(characters)
        better, plain = (scores(generator, question, liking, one) for one in (gain, 0.0))
        found.append(float(np.mean(better - plain)))
    return float(np.mean(found))


def row(judge: Callable[[Array], Array], questions: int, shift: float, gain: float, worlds: int) -> list[float]:
    """The true gain at equal length, the plain one and the one found, how often it is covered, how often doubted."""
    generator, truth = np.random.default_rng(SEED), true_gain(judge, shift, gain)
    rows = []
    for _ in range(worlds):
        first, second = lengths(generator, questions, shift)
        question = generator.standard_normal(questions)
        differences = scores(generator, question, judge(second), gain) - scores(generator, question, judge(first), 0.0)
        found = gain_at_equal_length(differences, ratios(second, first), ALPHA, SCALE)
        if found is not None:
            covered = found.low <= truth <= found.high
            rows.append([float(differences.mean()), found.gain, float(covered), float(found.outside)])
    plain, controlled, covered, outside = np.mean(rows, axis=0)
    return [truth, float(plain), float(controlled), 100 * float(covered), 100 * float(outside)]


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=WORLDS, help=f"simulated evaluations per row (default {WORLDS})")
    worlds = parser.parse_args().worlds
    print(f"{worlds} worlds per row, seed {SEED}", file=sys.stderr)
    print("| length matters | longer by | n | true gain | plain | at equal length | coverage | at the edge |")
    for (name, judge), shift, questions in product(JUDGES.items(), (0.0, 0.5, 1.0, 2.0), SIZES):
        truth, plain, controlled, covered, outside = row(judge, questions, shift, 0.6, worlds)
        shown = f"{truth:.2f} | {plain:.2f} | {controlled:.2f} | {covered:.1f} | {outside:.0f} %"
        print(f"| {name} | {shift:g} | {questions} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
