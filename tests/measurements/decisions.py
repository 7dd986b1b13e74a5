"""Simulates worlds with a known truth and reports how often intervals cover it and verdicts are right.

Run     PYTHONPATH=scripts:. python tests/measurements/decisions.py [simulation] [--worlds 10000]
Prints one Markdown table row per kind of world; docs/statistics.md holds the measured figures, of 10,000 worlds.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import product
from unittest.mock import patch

import numpy as np
from scipy.special import ndtr, ndtri

from tests.measurements import interval_candidates
from tests.measurements.decision_worlds import BLOCK, collapse_world, lower_limits, ship_world, verdicts
from tuneproof.statistics import differences as statistics
from tuneproof.statistics.distributions import Array, student_t_critical
from tuneproof.statistics.intervals import UNSEEN_ALONE, difference_interval, mean_interval
from tuneproof.statistics.win_rates import length_controlled

ALPHA = 0.05
SEED = 7
WORLDS = 200
RESAMPLES = 1_000
SIZES = (30, 100, 400)
SCALE = (1.0, 3.0)
# Chances of the scores 1, 2, 3. A question's samples share half of the variance behind its scores.
SCORES = {
    "middle": (0.30, 0.40, 0.30),
    "polar": (0.45, 0.10, 0.45),
    "skewed": (0.10, 0.20, 0.70),
    "high": (0.02, 0.08, 0.90),
    "ceiling": (0.01, 0.03, 0.96),
    "extreme": (0.005, 0.015, 0.98),
}


def scored(latent: Array, shares: tuple[float, ...]) -> Array:
    """Cuts standard normal quality into scores 1, 2, ... with these chances; averages the last axis, the samples."""
    above = [latent > cut for cut in ndtri(np.cumsum(shares)[:-1])]
    return np.asarray(1 + np.sum(above, axis=0).mean(axis=-1))


def score_worlds(
    generator: np.random.Generator, worlds: int, questions: int, shares: tuple[float, ...], samples: int
) -> Iterator[Array]:
    """Yields per world one score per question."""
    for _ in range(worlds):
        question, sample = generator.standard_normal((questions, 1)), generator.standard_normal((questions, samples))
        yield scored(np.sqrt(0.5) * (question + sample), shares)


def paired_worlds(
    generator: np.random.Generator, worlds: int, questions: int, shares: tuple[float, ...], samples: int, shift: float
) -> Iterator[dict[tuple[str, str], Array]]:
    """Yields per world the differences of two models to a baseline on two criteria; `shift` in latent deviations.

    Half of the variance is the question's, a quarter the answer's on both criteria and a quarter its own on one: models
    share questions and criteria share answers, as with a real judge.
    """
    for _ in range(worlds):
        question = generator.standard_normal((questions, 1, 2, 1))
        answer = generator.standard_normal((questions, 3, 1, samples))
        own = generator.standard_normal((questions, 3, 2, samples))
        latent = np.sqrt(0.5) * question + 0.5 * answer + 0.5 * own
        latent[:, 1:] += shift
        scores = scored(latent, shares)
        yield {
            (model, criterion): scores[:, row, column] - scores[:, 0, column]
            for row, model in ((1, "first"), (2, "second"))
            for column, criterion in enumerate(("accuracy", "style"))
        }


def candidate_limits(values: Array, counts: Array, generator: np.random.Generator) -> dict[str, tuple[float, float]]:
    """The limits of every bootstrap tried, on the same resamples."""
    resamples = generator.multinomial(int(counts.sum()), counts / counts.sum(), size=RESAMPLES).astype(np.float64)
    return {
        "percentile": interval_candidates.percentile(values, resamples, ALPHA),
        "studentized": interval_candidates.studentized(values, counts, resamples, ALPHA),
        "BCa": interval_candidates.bca(values, counts, resamples, ALPHA),
    }


def coverage(worlds: int, names: list[str]) -> None:
    """Coverage of the mean: the chosen interval and t in all worlds, the bootstraps in the first fifth of them."""
    print("| scores | n | samples | chosen (width) | cautioned | t | percentile | studentized | BCa |")
    for name, samples, questions in product(names, (1, 3), SIZES):
        shares, generator = SCORES[name], np.random.default_rng(SEED)
        truth = float(np.dot(shares, (1, 2, 3)))
        hits: dict[str, list[bool]] = {}
        widths, cautions = [], []
        for number, scores in enumerate(score_worlds(generator, worlds, questions, shares, samples)):
            chosen = mean_interval(scores, ALPHA, SCALE)
            values, occurrences = np.unique(scores, return_counts=True)
            counts = occurrences.astype(np.float64)
            limits = {"chosen": (chosen.low, chosen.high)}
            limits["t"] = interval_candidates.student_t(values, counts, ALPHA)
            if number < worlds / 5:
                limits |= candidate_limits(values, counts, generator)
            for method, (low, high) in limits.items():
                hits.setdefault(method, []).append(low - 1e-9 <= truth <= high + 1e-9)
            widths.append(chosen.high - chosen.low)
            cautions.append(chosen.caution is not None)
        rates = {method: f"{100 * np.mean(found):.1f}" for method, found in hits.items()}
        tried = " | ".join(rates[method] for method in ("t", "percentile", "studentized", "BCa"))
        shown = f"{rates['chosen']} ({np.mean(widths):.2f}) | {100 * np.mean(cautions):.0f} %"
        print(f"| {name} | {questions} | {samples} | {shown} | {tried} |", flush=True)


def families(worlds: int, names: list[str]) -> None:
    """Two models by two criteria: false verdicts in the family, and power, against t tests; coverage of one gain."""
    print("| scores | n | samples | false | Bonferroni | uncorrected | power | Bonferroni | single | coverage |")
    for name, samples, questions in product(names, (1, 3), SIZES):
        shares, shift = SCORES[name], 3.2 / np.sqrt(questions)
        false_verdicts = family_rates(worlds, questions, shares, samples, 0.0)
        power = family_rates(worlds, questions, shares, samples, shift)
        figures = [*(false_verdicts[k][0] for k in METHODS), *(power[k][1] for k in METHODS)]
        shown = " | ".join(f"{100 * figure:.1f}" for figure in figures)
        covered = 100 * difference_coverage(worlds, questions, shares, samples)
        print(f"| {name} | {questions} | {samples} | {shown} | {covered:.1f} |", flush=True)


METHODS = ("simultaneous", "Bonferroni", "uncorrected")


def family_rates(
    worlds: int, questions: int, shares: tuple[float, ...], samples: int, shift: float
) -> dict[str, tuple[float, float]]:
    """Per method, the share of worlds with any verdict in the family, and with one on its first comparison."""
    rejected: dict[str, list[list[bool]]] = {method: [] for method in METHODS}
    single, corrected = (student_t_critical(ALPHA / divisor, questions - 1) for divisor in (1, 4))
    for family in paired_worlds(np.random.default_rng(SEED), worlds, questions, shares, samples, shift):
        found = statistics.simultaneous_differences(family, ALPHA, dict.fromkeys(family, SCALE))
        rejected["simultaneous"].append([difference.verdict != "undecided" for difference in found.values()])
        t = [abs(d.mean()) / (d.std(ddof=1) / np.sqrt(questions)) if np.ptp(d) else 0.0 for d in family.values()]
        rejected["Bonferroni"].append([value > corrected for value in t])
        rejected["uncorrected"].append([value > single for value in t])
    tables = {method: np.array(rows) for method, rows in rejected.items()}
    return {method: (float(rows.any(axis=1).mean()), float(rows[:, 0].mean())) for method, rows in tables.items()}


def difference_coverage(worlds: int, questions: int, shares: tuple[float, ...], samples: int) -> float:
    """The share of single intervals that hold a true difference of half a latent deviation."""
    cuts = ndtri(np.cumsum(shares)[:-1])
    truth = float(sum(normal_share(cut - 0.5) - normal_share(cut) for cut in cuts)) * -1
    covered = 0
    for family in paired_worlds(np.random.default_rng(SEED), worlds, questions, shares, samples, 0.5):
        interval = difference_interval(family["first", "accuracy"], ALPHA, SCALE)
        covered += interval.low <= truth <= interval.high
    return covered / worlds


def normal_share(x: float) -> float:
    """P(Z <= x)."""
    return float(ndtr(x))


def two_steps(worlds: int, _names: list[str]) -> None:
    """Yes/no criteria with one sample: the exact method against the paired t test, one comparison."""
    print("| chance of yes | n | false: exact | false: t | power: exact | power: t | coverage |")
    for share, questions in product((0.5, 0.9), SIZES):
        rates = [two_step_rates(worlds, questions, share, shift) for shift in (0.0, 3.2 / np.sqrt(questions))]
        shown = " | ".join(f"{100 * figure:.1f}" for exact, t, _ in rates for figure in (exact, t))
        print(f"| {share} | {questions} | {shown} | {100 * rates[1][2]:.1f} |", flush=True)


def two_step_rates(worlds: int, questions: int, share: float, shift: float) -> tuple[float, float, float]:
    """Verdicts of the exact method and of t, and the exact interval's coverage."""
    critical, cut = student_t_critical(ALPHA, questions - 1), float(ndtri(1 - share))
    truth = normal_share(cut) - normal_share(cut - shift)
    exact = by_t = covered = 0
    for family in paired_worlds(np.random.default_rng(SEED), worlds, questions, (1 - share, share), 1, shift):
        values = family["first", "accuracy"]
        interval = difference_interval(values, ALPHA, (1.0, 2.0))
        exact += statistics.verdict(interval.low, interval.high) != "undecided"
        covered += interval.low <= truth <= interval.high
        error = values.std(ddof=1) / np.sqrt(questions)
        by_t += bool(error > 0 and abs(values.mean()) > critical * error)
    return exact / worlds, by_t / worlds, covered / worlds


def win_rates(worlds: int, _names: list[str]) -> None:
    """The length-controlled win rate where longer answers win more often, and where only length decides."""
    print("| judge | n | model longer in | raw | controlled | truth | coverage |")
    for judge, questions, shift in product(("fair", "likes length", "only length"), (100, 400, 805), (0.5, 1.0)):
        generator, truth = np.random.default_rng(SEED), 0.5 if judge == "only length" else 0.6
        rows = []
        for _ in range(worlds):
            lengths = generator.normal(shift, 1.0, questions)
            effect = {"fair": 0.0, "likes length": 1.5, "only length": 1e3}[judge]
            logit = np.log(truth / (1 - truth)) + effect * np.tanh(lengths / lengths.std(ddof=1))
            wins = (generator.logistic(size=questions) < logit).astype(float)
            interval = length_controlled(wins, lengths, ALPHA).interval
            covered = interval.low <= truth <= interval.high
            rows.append([float(wins.mean()), interval.mean, float(covered), float(np.mean(lengths > 0))])
        raw, controlled, rate, longer = np.mean(rows, axis=0)
        shown = f"{100 * longer:.0f} % | {raw:.3f} | {controlled:.3f} | {truth} | {100 * rate:.1f}"
        print(f"| {judge} | {questions} | {shown} |", flush=True)


# Worlds built to be worst: scale, depth of a collapse, the usual gain (0: as small as makes up for the collapses).
COLLAPSES = ((2.0, 2.0, 1.0), (4.0, 4.0, 1.0), (4.0, 3.0, 1.0), (4.0, 4.0, 2.0), (1.0, 1.0, 0.0), (1.0, 0.5, 0.0))
COLLAPSED = (0.3, 0.5, 1, 2, 3, 4, 5, 7)  # questions that collapse, on average


def rare_collapses(worlds: int, _names: list[str]) -> None:
    """False rates where a few questions collapse and the mean does not move, or moves by a guard's margin.

    The worst of all kinds of worlds is found first, and drawn anew five times as often: the largest of many rates is
    larger than it is true.
    """
    print("| n | a verdict | by t | any of two | by t | guard holds | by t | the worst worlds of the three |")
    for questions in SIZES:
        kinds = list(product(COLLAPSES, COLLAPSED))
        found = [collapse_rates(worlds, questions, *kind, SEED) for kind in kinds]
        figures, named = [], []
        for test in ("verdict", "two", "guard"):
            kind = kinds[int(np.argmax([rates[test] for rates in found]))]
            again = collapse_rates(5 * worlds, questions, *kind, SEED + 1)
            figures += [again[test], max(rates[f"{test} by t"] for rates in found)]
            (span, depth, gain), expected = kind
            named.append(f"0-{span:g}, {expected} fall by {depth:g}, {f'{gain:g} up' if gain else 'even gains'}")
        shown = " | ".join(f"{100 * figure:.1f}" for figure in figures)
        print(f"| {questions} | {shown} | {'; '.join(named)} |", flush=True)


def collapse_rates(
    worlds: int, questions: int, kind: tuple[float, float, float], expected: float, seed: int
) -> dict[str, float]:
    """How often a verdict is false: of one comparison, of two independent ones, and of a guard; each now and by t."""
    span, depth, gain = kind
    chance, generator = expected / questions, np.random.default_rng(seed)
    drop, level = -chance * depth / 2, 1 - (1 - ALPHA) ** 0.5
    rates: dict[str, list[float]] = {}
    for _ in range(0, worlds, BLOCK):
        drawn = (collapse_world(generator, BLOCK, questions, chance, depth, gain, span, at) for at in (0.0, 0.0, drop))
        one, other, guarded = drawn
        for how, t in (("", False), (" by t", True)):
            rates.setdefault(f"verdict{how}", []).append(float(np.mean(verdicts(one, ALPHA, span, t) != 0)))
            either = [verdicts(differences, level, span, t) != 0 for differences in (one, other)]
            rates.setdefault(f"two{how}", []).append(float(np.mean(np.any(either, axis=0))))
            for where, margin in ((one, 0.0), (guarded, drop)):
                held = lower_limits(where, ALPHA, UNSEEN_ALONE * ALPHA, span, t) > margin
                rates.setdefault(f"guard at {margin == 0}{how}", []).append(float(np.mean(held)))
    means = {name: float(np.mean(values)) for name, values in rates.items()}
    return means | {f"guard{how}": max(means[f"guard at {at}{how}"] for at in (True, False)) for how in ("", " by t")}


def ships(worlds: int, names: list[str]) -> None:
    """False and true *ship* of one model with a claim on two criteria and a guard on a third, and what improved."""
    print(
        "| scores | n | samples | ship: no gain | guard drops | both | all well | improved | by t | lone | in order |"
    )
    for name, samples, questions in product(names, (1, 3), SIZES):
        shares, shift = SCORES[name], 3.2 / np.sqrt(questions)
        # Claims, and the guard's true drop in margins.
        cases = (((0.0, 0.0), 0.0), ((9.0, 9.0), 1.0), ((0.0, 0.0), 1.0), ((shift, shift), 0.0), ((shift, 0.0), 0.0))
        none, guard, both, well, lone = (
            ship_world(worlds, questions, shares, samples, claimed, dropped, SEED) for claimed, dropped in cases
        )
        figures = [one.ships.mean() for one in (none, guard, both, well)]
        figures += [well.improved.mean(), well.by_t.mean(), lone.improved.mean(), lone.in_order.mean()]
        shown = " | ".join(f"{100 * figure:.1f}" for figure in figures)
        print(f"| {name} | {questions} | {samples} | {shown} |", flush=True)


COMMANDS: dict[str, Callable[[int, list[str]], None]] = {
    function.__name__: function for function in (coverage, families, two_steps, win_rates, rare_collapses, ships)
}


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simulation", nargs="?", choices=COMMANDS, help="only this one (default: all)")
    parser.add_argument("--worlds", type=int, default=WORLDS, help=f"simulated evaluations per row (default {WORLDS})")
    parser.add_argument("--scores", nargs="+", choices=SCORES, default=list(SCORES), help="kinds of scores (all)")
    arguments = parser.parse_args()
    print(f"{arguments.worlds} worlds per row, seed {SEED}", file=sys.stderr)
    # 20,000 draws instead of 100,000 keep a family of 10,000 worlds within minutes; the level moves by under 2 %.
    with patch.object(statistics, "_DRAWS", 20_000):
        for name in [arguments.simulation] if arguments.simulation else COMMANDS:
            COMMANDS[name](arguments.worlds, arguments.scores)


if __name__ == "__main__":
    main()
