"""How many more labels would decide what is open, and on what assumption."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tuneproof.records.handovers import COMPARISONS, JUDGEMENTS
from tuneproof.records.rows import Label
from tuneproof.scoring.people.matching import Labelled, Questions, labelled_answers, labelled_pairs
from tuneproof.settings.params import Params
from tuneproof.statistics.corrected import FEWEST_LABELS, corrected, labelled_questions_needed
from tuneproof.statistics.differences import in_order, question_means
from tuneproof.statistics.distributions import Array

ASSUMED_CORRELATION = 0.6  # of people's and a judge's gains, where too few labels tell: a fair judge's (docs/people.md)
FEWEST_TO_TELL = 10  # labelled questions, before their own spread and correlation are taken
WIN_RATE = "win rate"
Means = Mapping[str, float]


@dataclass(frozen=True)
class Open:
    """Something that is not decided: a gain (`improves`), or whether a drop may be more than `margin` (`guard`).

    `tail` is the chance of a false decision on one side.
    """

    model: str
    criterion: str
    kind: Literal["improves", "guard"]
    tail: float
    margin: float = 0.0


@dataclass(frozen=True)
class Need:
    """What an open decision needs: `labelled` questions there are, `needed` in all; None where all are too few.

    `mean` is people's as estimated now, of the judge alone while `labelled` are too few to tell (`assumed`).
    """

    open: Open
    mean: float
    correlation: float
    labelled: int
    needed: int | None
    questions: int
    assumed: bool


def needs(undecided: Iterable[Open], labels: Sequence[Label], questions: Questions, params: Params) -> list[Need]:
    """What every open decision needs, from the judge's rows and the labels drawn at random; without those at zero."""
    random = [label for label in labels if label.drawn == "random"]
    found = []
    for one in undecided:
        pairs = one.criterion == WIN_RATE
        values = pair_values if pairs else gain_values
        judge, people = values(one, random, questions, params)
        if need := need_of(one, judge, people):
            found.append(need)
    return found


def need_of(one: Open, judge: Array, people: Array) -> Need | None:
    """What one decision needs; arrays have a number for each question, NaN where there is none."""
    scored = judge[~np.isnan(judge)]
    both = ~np.isnan(judge) & ~np.isnan(people)
    labelled, correlation, assumed = int(both.sum()), ASSUMED_CORRELATION, True
    if len(scored) < 2:
        return None
    mean, spread = float(scored.mean()), float(scored.std(ddof=1))
    estimate = corrected(people, judge) if labelled >= FEWEST_TO_TELL else None
    if estimate and np.ptp(people[both]) > 0:
        mean, spread, assumed = estimate.mean, float(people[both].std(ddof=1)), False
        varies = np.ptp(judge[both]) > 0
        correlation = float(np.corrcoef(people[both], judge[both])[0, 1]) if varies else 0.0
    distance = mean + one.margin
    if distance == 0 or (one.kind == "guard" and distance < 0):
        return Need(one, mean, correlation, labelled, None, len(scored), assumed)
    needed = labelled_questions_needed(distance, one.tail, spread, correlation, len(scored))
    needed = needed and min(max(needed, FEWEST_LABELS), len(scored))
    return Need(one, mean, correlation, labelled, needed, len(scored), assumed)


def gain_values(one: Open, labels: Sequence[Label], questions: Questions, params: Params) -> tuple[Array, Array]:
    """The judge's and people's gain over the baseline on each question."""
    sides: list[tuple[Array, Array]] = []
    for model in (one.model, params.baseline):
        rows = JUDGEMENTS.iterate(model)
        judged = question_means((row.id, (row.scores or {}).get(one.criterion)) for row in rows)
        people = people_means(labelled_answers(model, labels, questions, params), one.criterion)
        sides.append((in_order(judged, questions), in_order(people, questions)))
    (judge, people_of_model), (judge_of_baseline, people_of_baseline) = sides
    return judge - judge_of_baseline, people_of_model - people_of_baseline


def pair_values(one: Open, labels: Sequence[Label], questions: Questions, params: Params) -> tuple[Array, Array]:
    """What the judge and people prefer on each question, less a tie's 0.5."""
    judged = question_means((row.id, row.preference) for row in COMPARISONS.iterate(one.model))
    found = labelled_pairs(one.model, labels, questions, params)
    people = question_means((each.id, each.preference) for each in found)
    return in_order(judged, questions) - 0.5, in_order(people, questions) - 0.5


def people_means(labelled: Iterable[Labelled], criterion: str) -> Means:
    """People's mean score on each question."""
    return question_means((one.id, (one.label.scores or {}).get(criterion)) for one in labelled)


def plan_lines(found: Sequence[Need], params: Params) -> list[str]:
    """What is to be done, a sentence for each open decision, and the setting that asks for it."""
    lines = [sentence(need, params) for need in found]
    for setting, of_pairs in (("sample", False), ("pairs", True)):
        most = max((need.needed or 0 for need in found if (need.open.criterion == WIN_RATE) == of_pairs), default=0)
        if most:
            each = len(params.models) - of_pairs
            lines.append(f"To ask for as many: people.{setting}: {most * each} ({most} questions, {each} a question).")
    if found:
        lines.append(
            "Assumed: the mean stays as it is now, the labels to come are like those there are, and the normal "
            "approximation; at such a number 80 % of repeats would decide."
        )
    return lines


def sentence(need: Need, params: Params) -> str:
    """One open decision and its need."""
    one = need.open
    what = f"whether it drops by more than {one.margin:g}" if one.kind == "guard" else f"gain {need.mean:+.2f}"
    known = f"{need.labelled} of {need.questions} questions are labelled at random on both sides"
    basis = (
        f"too few labels to tell: the judge's mean and spread, and a correlation of {ASSUMED_CORRELATION:g} with people"
        if need.assumed
        else f"people and judge correlate at {need.correlation:.2f}"
    )
    if need.needed is None:
        end = "labels alone would not decide it: more questions would, or it lies too near the edge"
    else:
        more = max(need.needed - need.labelled, 0)
        answers = 1 if one.criterion == WIN_RATE else 2
        count = more * answers * params.people.raters
        end = f"about {more} more questions, {count} more labels, would decide it"
    return f"{one.model}, {one.criterion} ({what}): {known}; {end} ({basis})."
