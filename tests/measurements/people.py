"""Simulates judges with a known bias beside people's labels, and reports how often corrected intervals are right.

Run     PYTHONPATH=scripts:. python tests/measurements/people.py [--worlds 10000] [--scores middle]
Prints one Markdown table row per judge and number of labels; docs/people.md holds the measured figures.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np

from tests.measurements.decisions import SCORES, scored
from tuneproof.statistics import differences
from tuneproof.statistics.corrected import Corrected, corrected, simultaneous_corrected
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import Interval, difference_interval, mean_interval
from tuneproof.statistics.shipping import Key

ALPHA = 0.05
SEED = 17
QUESTIONS = 400
NUMBERS = ("mean", "gain", "win rate")
SCALE, SHARE = (1.0, 3.0), (0.0, 1.0)
LEVEL_DRAWS = 20_000  # of the simultaneous level, for speed
NOISE = (
    0.55  # of the judge's own, beside a latent quality of variance 1: its scores correlate with people's at about .66
)
HALF_A_STEP = 0.5

Judge = Callable[[np.random.Generator, Array, Array], Array]


def unbiased(random: np.random.Generator, seen: Array, lengths: Array) -> Array:
    """Sees people's quality with noise."""
    return seen


def half_a_step(random: np.random.Generator, seen: Array, lengths: Array) -> Array:
    """Scores both models half a step above people, and not the baseline."""
    return seen + HALF_A_STEP * np.array([0, 1, 1])[:, None, None]


def by_length(random: np.random.Generator, seen: Array, lengths: Array) -> Array:
    """Adds up to half a step for a long answer, and takes as much from a short one."""
    return seen + HALF_A_STEP * np.tanh(lengths)[:, :, None]


def at_random(random: np.random.Generator, seen: Array, lengths: Array) -> Array:
    """Gives any step."""
    return random.integers(1, 4, seen.shape).astype(np.float64)


JUDGES: dict[str, Judge] = {
    "unbiased": unbiased, "half a step": half_a_step, "by length": by_length, "random": at_random,
}  # fmt: skip


@dataclass
class Counts:
    """What was seen over the worlds."""

    covered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    covered_by_judge: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    false: int = 0  # any verdict in the family of two models on two criteria, none of which differs
    false_alone: int = 0
    false_by_judge: int = 0
    weights: list[float] = field(default_factory=list)
    worth: list[int] = field(default_factory=list)


def world(random: np.random.Generator, shares: tuple[float, ...], judge: Judge) -> tuple[Array, Array, Array, Array]:
    """People's and the judge's scores (model, question, criterion) of a baseline and two models as good as it.

    And their preferences between the first model and the baseline (question). The models' answers are longer by a
    standard deviation. Half of the variance of quality is the question's.
    """
    quality = np.sqrt(0.5) * (random.standard_normal((1, QUESTIONS, 1)) + random.standard_normal((3, QUESTIONS, 2)))
    people = scored(quality[..., None], shares)
    noisy = np.sqrt(1 - NOISE) * quality + np.sqrt(NOISE) * random.standard_normal(quality.shape)
    lengths = random.standard_normal((3, QUESTIONS)) + np.array([0, 1, 1])[:, None]
    judged = judge(random, scored(noisy[..., None], shares), lengths)
    preferred = (np.sign((people[1] - people[0]).sum(axis=1)) + 1) / 2
    judged_preference = (np.sign((judged[1] - judged[0]).sum(axis=1)) + 1) / 2
    return people, judged, preferred, judged_preference


def count(counts: Counts, random: np.random.Generator, labels: int, shares: tuple[float, ...], judge: Judge) -> None:
    """One world."""
    people, judged, preferred, judged_preference = world(random, shares, judge)
    asked = np.zeros(QUESTIONS, dtype=bool)
    asked[random.choice(QUESTIONS, labels, replace=False)] = True
    known = np.where(asked[:, None], people, np.nan)
    truth = {"mean": float(np.arange(1, 4) @ shares), "gain": 0.0, "win rate": 0.5}
    gain = of((known[1] - known[0])[:, 0], (judged[1] - judged[0])[:, 0])
    estimates = {
        "mean": of(known[1, :, 0], judged[1, :, 0]).interval(ALPHA, SCALE),
        "gain": gain.interval(ALPHA, (-2.0, 2.0)),
        "win rate": of(np.where(asked, preferred, np.nan), judged_preference).interval(ALPHA, SHARE),
    }
    shown = np.clip(judged, 1, 3)
    alone = {
        "mean": mean_interval(shown[1, :, 0], ALPHA, SCALE),
        "gain": difference_interval((shown[1] - shown[0])[:, 0], ALPHA, SCALE),
        "win rate": mean_interval(judged_preference, ALPHA, SHARE),
    }
    for name in NUMBERS:
        counts.covered[name] += covers(estimates[name], truth[name])
        counts.covered_by_judge[name] += covers(alone[name], truth[name])
    family: dict[Key, Corrected | Array] = {
        (f"model {model}", f"criterion {place}"): of(
            (known[model] - known[0])[:, place], (judged[model] - judged[0])[:, place]
        )
        for model in (1, 2)
        for place in (0, 1)
    }
    verdicts = simultaneous_corrected(family, ALPHA, dict.fromkeys(family, SCALE))
    counts.false += any(one.verdict != "undecided" for one in verdicts.values())
    counts.false_alone += not covers(estimates["gain"], 0.0)
    counts.false_by_judge += not covers(alone["gain"], 0.0)
    counts.weights.append(gain.weight)
    counts.worth.append(gain.worth)


def of(people: Array, judge: Array) -> Corrected:
    """An estimate, which there is with so many labels."""
    found = corrected(people, judge)
    assert found is not None
    return found


def covers(interval: Interval, truth: float) -> bool:
    """Whether the interval holds the true value."""
    return interval.low <= truth <= interval.high


def row(judge: str, labels: int, counts: Counts, worlds: int) -> str:
    """The table's row: coverage by labels and judge / by the judge alone, false verdicts, lambda, worth."""

    def share(seen: int) -> str:
        return f"{100 * seen / worlds:.1f}"

    shares = [f"{share(counts.covered[name])} / {share(counts.covered_by_judge[name])}" for name in NUMBERS]
    false = f"{share(counts.false)}, {share(counts.false_alone)} / {share(counts.false_by_judge)}"
    cells = [judge, str(labels), *shares, false, f"{np.mean(counts.weights):.2f}", f"{np.mean(counts.worth):.0f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--scores", default="middle", choices=list(SCORES))
    parser.add_argument("--labels", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--judges", nargs="+", default=list(JUDGES), choices=list(JUDGES))
    arguments = parser.parse_args()
    with patch.object(differences, "_DRAWS", LEVEL_DRAWS):
        for name in arguments.judges:
            for labels in arguments.labels:
                random, counts = np.random.default_rng([SEED, labels]), Counts()
                for _ in range(arguments.worlds):
                    count(counts, random, labels, SCORES[arguments.scores], JUDGES[name])
                print(row(name, labels, counts, arguments.worlds), flush=True)


if __name__ == "__main__":
    main()
