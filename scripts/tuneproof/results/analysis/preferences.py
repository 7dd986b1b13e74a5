"""One model's pairwise comparisons with the baseline: read, and turned into a win rate."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from tuneproof.common.errors import UserError
from tuneproof.records.documents.admission import Figure, Orders
from tuneproof.records.handovers import COMPARISONS
from tuneproof.results.analysis.reading.sources import RERUN
from tuneproof.results.analysis.reading.usage import ReplyUsage
from tuneproof.results.details.model import WinRateDetails
from tuneproof.results.details.run import RunDetails
from tuneproof.statistics import admission
from tuneproof.statistics.agreement.pairs import consistency_by_chance
from tuneproof.statistics.intervals import Interval
from tuneproof.statistics.win_rates import (
    BothOrders,
    Row,
    both_orders,
    consistency,
    length_controlled,
    position_bias,
    question_difficulties,
    win_rate_interval,
    win_rate_verdict,
)

FEWEST_FOR_REGRESSION = 10  # questions; the length-controlled win rate fits up to three coefficients


def read_preferences(
    model: str, baseline: str, ids: Mapping[str, int], usage: ReplyUsage
) -> tuple[BothOrders, Counter[str]]:
    """Reads a model's comparisons with the baseline, none where there is no file, and counts their statuses."""
    statuses = Counter[str]()
    path = COMPARISONS.path(model)
    if not path.is_file():
        return both_orders([]), statuses

    def rows() -> Iterator[Row]:
        for row in COMPARISONS.iterate(model):
            if row.id not in ids:
                raise UserError(str(path), f"no question has the id {row.id[:40]}", RERUN)
            if row.against != baseline:
                found = f"it compares with {row.against[:40]}, and the baseline is {baseline}"
                raise UserError(str(path), found, f"run `python scripts/compare.py {model}`")
            statuses[row.status] += 1
            usage.add(row.replies)
            yield row.id, (row.sample, row.turn), row.order, row.preference

    return both_orders(rows()), statuses


def win_rate_details(
    run: RunDetails,
    orders: BothOrders,
    preferences: Mapping[str, float],
    statuses: Counter[str],
    length_differences: Mapping[str, float],
    others: Sequence[Mapping[str, float]],
) -> WinRateDetails | None:
    """One model's win rate.

    Args:
        run: What the models share.
        orders: The model's preferences in both orders.
        preferences: The same, one per question.
        statuses: How often each status occurs in its comparisons.
        length_differences: By question id, how much longer than the baseline's answer the model's is.
        others: The other models' mean scores by question, which tell how hard each question is. Models apart from
            the two compared, so that the numbers are mirrored when model and baseline change places.

    Returns:
        None where nothing was compared; without a win rate where no pair has a preference in both orders.
    """
    if not statuses:
        return None
    alpha = run.alpha / (len(run.models) - 1)  # so that one verdict in all models' win rates is false that often
    interval = win_rate_interval(list(preferences.values()), alpha) if preferences else None
    enough = interval is not None and len(preferences) >= run.min_questions
    controlled, pulled = controlled_interval(alpha, preferences, length_differences, others)
    return WinRateDetails(
        win_rate=six_decimals(interval.mean if interval else None),
        low=six_decimals(interval.low if interval else None),
        high=six_decimals(interval.high if interval else None),
        level=alpha,
        verdict=win_rate_verdict(interval) if interval and enough else "too few",
        caution=interval.caution if interval else None,
        questions=len(preferences),
        consistency=six_decimals(consistency(orders)),
        position_bias=six_decimals(position_bias(orders)),
        incomplete_pairs=orders.incomplete,
        statuses=dict(sorted(statuses.items())),
        length_controlled=six_decimals(controlled.mean if controlled else None),
        length_controlled_low=six_decimals(controlled.low if controlled else None),
        length_controlled_high=six_decimals(controlled.high if controlled else None),
        length_controlled_caution=controlled.caution if controlled else None,
        length_controlled_pulled=pulled,
    )


def orders_of_run(compared: Iterable[BothOrders]) -> Orders | None:
    """How consistent the judge is over both orders, in all models' pairs together; None without pairs."""
    known = [orders for orders in compared if orders.questions]
    if not known:
        return None
    first, second = (
        np.concatenate([getattr(orders, name) for orders in known]) for name in ("model_first", "baseline_first")
    )
    questions = [question for orders in known for question in orders.questions]
    same, above = admission.consistency(first, second, questions), admission.above_chance(first, second, questions)
    return Orders(
        pairs=len(questions),
        consistency=Figure(**vars(same), answers=len(questions)),
        by_chance=consistency_by_chance(first, second),
        above_chance=Figure(**vars(above), answers=len(questions)) if above else None,
    )


def controlled_interval(
    alpha: float,
    preferences: Mapping[str, float],
    length_differences: Mapping[str, float],
    others: Sequence[Mapping[str, float]],
) -> tuple[Interval | None, bool]:
    """The length-controlled win rate; None where too few questions have a preference and two lengths.

    The second says whether its effect of length is pulled towards 0.
    """
    questions = [question for question in preferences if not math.isnan(length_differences[question])]
    if len(questions) < FEWEST_FOR_REGRESSION:
        return None, False
    difficulties = question_difficulties([[other[question] for question in questions] for other in others])
    wins, lengths = ([values[question] for question in questions] for values in (preferences, length_differences))
    controlled = length_controlled(wins, lengths, alpha, difficulties)
    return controlled.interval, controlled.pulled


def six_decimals(share: float | None) -> float | None:
    """A share to six decimals: a share and what is left of 1 are then rounded alike, and mirror each other exactly."""
    return None if share is None else round(share, 6)
