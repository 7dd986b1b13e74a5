"""How often admission refuses judges that read nothing, and admits those that agree as people agree with each other.

Every run is simulated whole: 60 graded answers to 20 questions, their grades by one person and a second one's, the rows
that a judge would have made, and the real functions that read them. People and judge are the truth of an answer plus an
error of their own, in steps of the scale, so large that two people agree at the weighted kappa that is named.

Run     PYTHONPATH=scripts:. python tests/measurements/admission.py [--runs 1000] [--kind good] [--kappa 0.5]
Prints  A Markdown table row for each judge: the share admitted, in %, by agreement alone with each rule and bar that
        was tried ("figure": and its lower limit above 0), and by all of admission with the bar that people set.
"""

import argparse
from typing import Any, TypeVar

import numpy as np

from tests.own_settings import own_params
from tuneproof.records.documents.admission import AdmissionResult, GoldenAnswer
from tuneproof.records.documents.resolved import ResolvedJudge
from tuneproof.records.rows import Comparison, Judgement
from tuneproof.scoring.judging.admission.admitting import admission_result
from tuneproof.scoring.judging.admission.asking import Change, changes_of, golden_pairs
from tuneproof.scoring.judging.admission.showing import Shown
from tuneproof.settings.evidence.admission import Admission
from tuneproof.settings.params import Params
from tuneproof.statistics.distributions import Array

QUESTIONS, ANSWERS_EACH, CRITERIA = 20, 3, ("accuracy", "style")
SPREAD_OF_QUESTIONS, SPREAD_OF_ANSWERS = 0.4, 0.8  # of the truth, in steps
OF_ONE_ASKING = 0.25  # the share of a judge's error that is new each time it is asked
ERROR_AT = {0.5: 0.70, 0.6: 0.54, 0.7: 0.395, 0.8: 0.27}  # the deviation of an error at which two people reach a kappa
RESOLVED = ResolvedJudge(run="real", backend="openai", judges=[{"model": "simulated", "endpoint": "nowhere"}])
KINDS = ("random", "first", "first, random scores", "good")
TRIED = [(rule, bar) for bar in ("0.4", "people", "people, low") for rule in ("figure", "lower limit", "upper limit")]
TRIED.append(("difference", ""))
Rng = np.random.Generator
AnyJudged = TypeVar("AnyJudged", Judgement, Comparison)


def on_scale(values: Array) -> Array:
    """Latent values as the steps 1, 2 and 3, about as often each."""
    return np.clip(np.round(2 + values), 1, 3)


def truth(rng: Rng) -> Array:
    """What each answer is worth on each criterion: a row for each criterion."""
    shape = (len(CRITERIA), QUESTIONS, 1)
    of_questions = rng.normal(0, SPREAD_OF_QUESTIONS, shape)
    of_answers = rng.normal(0, SPREAD_OF_ANSWERS, (len(CRITERIA), QUESTIONS, ANSWERS_EACH))
    return np.asarray((of_questions + of_answers).reshape(len(CRITERIA), -1))


def golden_of(values: Array, error: float, rng: Rng) -> list[GoldenAnswer]:
    """The answers with the grades of two people."""
    one, two = (on_scale(values + rng.normal(0, error, values.shape)) for _ in range(2))
    return [
        GoldenAnswer(
            id=str(place // ANSWERS_EACH), instruction="", reference=None, answer=f"Answer {place}.",
            grades=dict(zip(CRITERIA, one[:, place].tolist(), strict=True)),
            second=dict(zip(CRITERIA, two[:, place].tolist(), strict=True)),
        )
        for place in range(QUESTIONS * ANSWERS_EACH)
    ]  # fmt: skip


class Judge:
    """A judge with an error of its own on each answer, part of which is new each time it is asked."""

    def __init__(self, values: Array, error: float, rng: Rng, kind: str) -> None:
        self.rng, self.kind = rng, kind
        self.opinion = values + rng.normal(0, error * np.sqrt(1 - OF_ONE_ASKING), values.shape)
        self.new = error * np.sqrt(OF_ONE_ASKING)

    def scores(self, place: int) -> dict[str, int | float] | None:
        """What it gives an answer."""
        if self.kind == "random" or self.kind == "first, random scores":
            found = self.rng.integers(1, 4, len(CRITERIA)).astype(np.float64)
        else:
            found = on_scale(self.opinion[:, place] + self.rng.normal(0, self.new, len(CRITERIA)))
        return dict(zip(CRITERIA, found.tolist(), strict=True))

    def preference(self, first: int, second: int, order: str) -> float:
        """What it prefers of two answers: 1 for the one that stands first in the pair."""
        if self.kind == "random":
            return float(self.rng.choice([0.0, 0.5, 1.0], p=[0.45, 0.1, 0.45]))
        if self.kind.startswith("first"):
            return float(order == "model_first")
        gap = (self.opinion[:, first] - self.opinion[:, second]).sum()
        gap += self.rng.normal(0, 2 * self.new) + (0.15 if order == "model_first" else -0.15)
        return float(gap > 0)


def shown_by(judge: Judge, golden: list[GoldenAnswer], params: Params) -> Shown:
    """The rows that its replies make."""
    asked: dict[Change, list[int]] = changes_of(golden, params) | {"again": list(range(len(golden)))}
    judgements = [
        row_of(Judgement, id=f"{golden[place].id} {change}", sample=place, scores=judge.scores(place), analyses=None,
               answer_cut=False)
        for change, places in asked.items()
        for place in places
    ]  # fmt: skip
    comparisons = [
        row_of(Comparison, id=golden[pair.first].id, sample=number, against="", order=order,
               preference=judge.preference(pair.first, pair.second, order))
        for number, pair in enumerate(golden_pairs(golden, params))
        for order in ("model_first", "baseline_first")
    ]  # fmt: skip
    return Shown(judgements, comparisons)


def row_of(kind: type[AnyJudged], **fields: Any) -> AnyJudged:
    """A row that is ok."""
    return kind(status="ok", replies=[], **fields)


def simulated(kind: str, kappa: float, seed: int) -> AdmissionResult:
    """One run, with the bar that people set."""
    rng = np.random.default_rng([seed, int(100 * kappa)])
    admission = Admission(questions="simulated", weighted_kappa="people")
    params = own_params().model_copy(update={"admission": admission})
    values = truth(rng)
    golden = golden_of(values, ERROR_AT[kappa], rng)
    judge = Judge(values, ERROR_AT[kappa], rng, kind)
    return admission_result(golden, shown_by(judge, golden, params), [], RESOLVED, params)


def admitted_by(rule: str, bar: str, result: AdmissionResult) -> bool:
    """Whether agreement alone would admit a judge, on every criterion, by one of the rules that were tried."""
    for one in result.criteria.values():
        figure, people = one.agreement, one.people
        if figure is None or people is None or figure.low is None or figure.high is None or people.low is None:
            return False
        height = {"0.4": 0.4, "people": people.value, "people, low": people.low, "": -1.0}[bar]
        held = {"figure": figure.value, "lower limit": figure.low, "upper limit": figure.high, "difference": 0.0}[rule]
        if held < height or (rule == "figure" and figure.low <= 0):
            return False
        if rule == "difference" and (figure.low <= 0 or one.beside_people is None or (one.beside_people.high or 0) < 0):
            return False
    return True


def main() -> None:
    """Simulates and prints a row for each judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--kappa", type=float, choices=tuple(ERROR_AT))
    arguments = parser.parse_args()
    print("| judge | people | " + " | ".join(f"{rule} at {bar}" for rule, bar in TRIED) + " | admitted |")
    print("|---" * (3 + len(TRIED)) + "|")
    for kind in [arguments.kind] if arguments.kind else KINDS:
        for kappa in [arguments.kappa] if arguments.kappa else ERROR_AT:
            results = [simulated(kind, kappa, seed) for seed in range(arguments.runs)]
            figures = [one.people.value for result in results for one in result.criteria.values() if one.people]
            shares = [np.mean([admitted_by(*tried, result) for result in results]) for tried in TRIED]
            shares.append(np.mean([result.admitted for result in results]))
            print(f"| {kind} | {np.mean(figures):.2f} | " + " | ".join(f"{100 * one:.1f}" for one in shares) + " |")


if __name__ == "__main__":
    main()
