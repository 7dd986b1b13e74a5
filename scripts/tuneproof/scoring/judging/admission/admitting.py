"""Whether a judge is admitted: its figures against the bars and against chance, and what has changed since before."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from tuneproof.records.documents.admission import (
    BOTH_ORDERS,
    AdmissionResult,
    CriterionAdmission,
    Figure,
    GoldenAnswer,
    Orders,
)
from tuneproof.records.documents.resolved import ResolvedJudge
from tuneproof.records.keys import content_key
from tuneproof.scoring.judging.admission.showing import (
    Shown,
    attacks_shown,
    criteria_shown,
    orders_shown,
    scores_of,
)
from tuneproof.settings.evidence.admission import LABELS, PEOPLE
from tuneproof.settings.params import Params
from tuneproof.statistics import admission as statistics
from tuneproof.statistics.agreement.by_question import Estimate

OF_THE_SCORES = {"temperature", "max_tokens", "samples", "logprobs", "score_first", "format", "max_answer_characters",
                 "extra_body", "repeat", "criteria"}  # fmt: skip


def admission_result(
    golden: Sequence[GoldenAnswer], shown: Shown, earlier: Sequence[Shown], resolved: ResolvedJudge, params: Params
) -> AdmissionResult:
    """What the judge showed, held against the bars of `admission`; `earlier` are its rows of earlier rounds."""
    scores = scores_of(golden, shown.judgements, params)
    result = AdmissionResult(
        key=admission_key(golden, resolved, params),
        source="people" if params.admission.questions == LABELS else "golden answers",
        judges=resolved.judges,
        answered_as=shown.answered_as,
        answers=len(golden),
        unusable=shown.unusable,
        criteria=criteria_shown(golden, scores, params),
        orders=orders_shown(golden, shown.comparisons, params),
        attacks=attacks_shown(scores, params),
        bars=bars(params),
        drift=list(drift(golden, shown, earlier, params)),
        on_failure=params.admission.on_failure,
    )
    return result.model_copy(
        update={"refused": list(missed_bars(result, shown, params)), "at_chance": list(at_chance(result))}
    )


def admission_key(golden: Sequence[GoldenAnswer], resolved: ResolvedJudge, params: Params) -> str:
    """What names the judge, the rubric and everything that a score depends on; 12 hex digits."""
    content = {
        "judges": resolved.judges, "content": resolved.content, "pairs": params.compare.criteria,
        "settings": params.judge.model_dump(mode="json", include=OF_THE_SCORES),
        "golden": [one.model_dump(mode="json") for one in golden],
    }  # fmt: skip
    return content_key(content)[:12]


def bars(params: Params) -> dict[str, float | Literal["people"]]:
    """The bars that figures are held against from below, by their settings' names."""
    settings = params.admission
    held = {"weighted_kappa": settings.weighted_kappa, "repeat": settings.repeat, "consistency": settings.consistency}
    return {name: bar for name, bar in held.items() if bar is not None}


def missed_bars(result: AdmissionResult, shown: Shown, params: Params) -> Iterator[str]:
    """The bars that were not reached, each with its figure, interval and bar."""
    settings, rows = params.admission, len(shown.judgements) + len(shown.comparisons)
    if result.unusable > (1 - params.judge.min_coverage) * rows:
        yield f"{result.unusable} of {rows} cases got no usable reply (judge.min_coverage {params.judge.min_coverage})"
    for name, one in result.criteria.items():
        bar = 0.0 if settings.weighted_kappa == "people" else settings.weighted_kappa
        what = f"weighted kappa of {name} with {result.source}"
        yield from missed(what, one.agreement, bar, "weighted_kappa")
        if settings.weighted_kappa == PEOPLE:
            yield from missed_people(what, one)
        if settings.repeat is not None:
            yield from missed(f"weighted kappa of {name} with itself", one.repeat, settings.repeat, "repeat")
    if settings.consistency is not None and params.compare.enabled:
        yield from missed_consistency(result.orders, settings.consistency)
    if result.attacks and settings.injections is not None:
        net = result.attacks.net
        if net.value > settings.injections and statistics.better_than_chance(estimate(net)):
            found = f"attacks raise the scores of {figure_text(net)} of the answers beyond what asking again does"
            yield f"{found}, above admission.injections {settings.injections:g}"


def missed(what: str, figure: Figure | None, bar: float, setting: str) -> Iterator[str]:
    """A bar on a figure that is 0 by chance, where it was not reached."""
    if figure is None:
        yield f"{what} cannot be had, for the scores do not vary (admission.{setting} {bar:.3g})"
    elif figure.value < bar:
        yield f"{what} is {figure_text(figure)}, below admission.{setting} {bar:.3g}"
    elif not statistics.reaches(estimate(figure), bar):
        yield f"{what} is {figure_text(figure)}, which may be chance (admission.{setting} {bar:.3g})"


def missed_people(what: str, one: CriterionAdmission) -> Iterator[str]:
    """What two graders reach, where the judge is shown to be below it."""
    if one.agreement and one.people and one.beside_people and statistics.shown_below(estimate(one.beside_people)):
        beside = f"{figure_text(one.beside_people)} from the {figure_text(one.people)} that two graders reach"
        yield f"{what} is {figure_text(one.agreement)}, which is {beside} (admission.weighted_kappa people)"


def missed_consistency(orders: Orders | None, bar: float) -> Iterator[str]:
    """The bar on both orders, where it was not reached."""
    if orders is None:
        yield f"no pair got a preference in both orders (admission.consistency {bar:.3g})"
        return
    found = f"the preference is the same in both orders in {figure_text(orders.consistency)} of {orders.pairs} pairs"
    chance = f"chance gives {orders.by_chance:.2f}"
    if orders.consistency.value < bar:
        yield f"{found} ({chance}), below admission.consistency {bar:.3g}"
    elif not orders.better_than_chance:
        yield f"{found}, which may be chance ({chance}; admission.consistency {bar:.3g})"


def at_chance(result: AdmissionResult) -> Iterator[str]:
    """What was not shown to be better than chance."""
    for name, one in result.criteria.items():
        if not statistics.better_than_chance(estimate(one.agreement)):
            yield f"{name} beside {result.source}"
        if one.repeat is not None and not statistics.better_than_chance(estimate(one.repeat)):
            yield f"{name} when asked again"
    if result.orders and not result.orders.better_than_chance:
        yield BOTH_ORDERS


def drift(golden: Sequence[GoldenAnswer], shown: Shown, earlier: Sequence[Shown], params: Params) -> Iterator[str]:
    """What has changed since earlier rounds: the model that answers, and scores, by more than asking again does."""
    before_names = sorted({name for one in earlier for name in one.answered_as} - set(shown.answered_as))
    if before_names:
        yield f"it answered as {', '.join(before_names)} before, and as {', '.join(shown.answered_as)} now"
    now, questions = scores_of(golden, shown.judgements, params), [one.id for one in golden]
    for number, one in enumerate(earlier):
        before = scores_of(golden, one.judgements, params)
        if not {"none", "again"} <= before.keys() & now.keys():
            continue
        for name in params.judge.criteria:
            times = [np.array([scores["none"][name], scores["again"][name]]) for scores in (before, now)]
            if statistics.drifted(times[0], times[1], questions):
                moved = float(np.nanmean(times[1]) - np.nanmean(times[0]))
                yield f"its scores of {name} differ from those of round {number} ({moved:+.2f} on average)"


def estimate(figure: Figure | None) -> Estimate | None:
    """A recorded figure as the statistics have it."""
    return None if figure is None else Estimate(figure.value, figure.low, figure.high)


def figure_text(figure: Figure) -> str:
    """A figure with its interval: `0.62 [0.48, 0.74]`."""
    limits = "" if figure.low is None or figure.high is None else f" [{figure.low:.2f}, {figure.high:.2f}]"
    return f"{figure.value:.2f}{limits}"
