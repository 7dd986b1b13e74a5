"""The models' pairwise comparisons with the baseline: read, and turned into win rates."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuneproof.common.errors import UserError
from tuneproof.records.documents.admission import Figure, Orders
from tuneproof.records.handovers import COMPARISONS
from tuneproof.results.analysis.criteria import Scored
from tuneproof.results.analysis.reading.scores import ModelScores
from tuneproof.results.analysis.reading.sources import RERUN
from tuneproof.results.analysis.reading.usage import ReplyUsage
from tuneproof.results.details.model import WinRateDetails
from tuneproof.results.details.run import RunDetails
from tuneproof.settings.evidence.decision import WIN_RATE
from tuneproof.statistics import admission
from tuneproof.statistics.agreement.pairs import consistency_by_chance
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import Interval
from tuneproof.statistics.win_rates import (
    BothOrders,
    Row,
    both_orders,
    consistency,
    length_controlled,
    position_bias,
    question_difficulties,
    question_preferences,
    win_rate_interval,
    win_rate_verdict,
)

FEWEST_FOR_REGRESSION = 10  # questions; the length-controlled win rate fits up to three coefficients


@dataclass(frozen=True)
class Compared:
    """One model's pairs with the baseline.

    `preferences` has one for each question of the run, NaN without a pair judged in both orders; `statuses` says how
    often each occurs in the comparisons, two for each pair.
    """

    orders: BothOrders
    preferences: Array
    statuses: Counter[str]


def all_preferences(
    run: RunDetails, scores: Mapping[str, ModelScores], ids: Mapping[str, int], enabled: bool
) -> dict[str, Compared]:
    """Every model's comparisons with the baseline, none unless `enabled`. Adds their replies to the usage."""
    others = [model for model in run.models if model != run.baseline] if enabled else []
    return {model: read_preferences(model, run.baseline, ids, scores[model].usage) for model in others}


def read_preferences(model: str, baseline: str, ids: Mapping[str, int], usage: ReplyUsage) -> Compared:
    """Reads a model's comparisons with the baseline, none where there is no file, and counts their statuses."""
    statuses = Counter[str]()
    path = COMPARISONS.path(model)

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

    orders = both_orders(rows() if path.is_file() else ())
    return Compared(orders, question_preferences(orders, ids), statuses)


def add_preferences(run: RunDetails, scored: Mapping[str, Scored], compared: Mapping[str, Compared]) -> None:
    """Makes the preferences a criterion like any other: 0.5 is what the baseline would win against itself."""
    scored[run.baseline].scores[WIN_RATE] = np.full(run.questions, 0.5)
    for model, one in compared.items():
        scored[model].scores[WIN_RATE] = one.preferences


def all_win_rates(
    run: RunDetails, scored: Mapping[str, Scored], compared: Mapping[str, Compared]
) -> dict[str, WinRateDetails | None]:
    """The win rate of every model that was compared with the baseline."""
    found = {}
    for model, one in compared.items():
        lengths = scored[model].characters - scored[run.baseline].characters
        rivals = [mean_shares(run, scored[other]) for other in compared if other != model]
        found[model] = win_rate_details(run, one, lengths, rivals)
    return found


def mean_shares(run: RunDetails, scored: Scored) -> Array:
    """One model's scores by question as shares of their scales, over the criteria; NaN where one has none."""
    shares = []
    for name, criterion in run.rubric.items():
        low, high = criterion.ends
        shares.append((scored.scores[name] - low) / (high - low))
    return np.asarray(np.mean(shares, axis=0))


def win_rate_details(
    run: RunDetails, compared: Compared, length_differences: Array, others: Sequence[Array]
) -> WinRateDetails | None:
    """One model's win rate.

    Args:
        run: What the models share.
        compared: The model's pairs with the baseline.
        length_differences: By question, how much longer than the baseline's answer the model's is; NaN where either
            has none.
        others: The other models' mean scores by question, which tell how hard each question is. Models apart from
            the two compared, so that the numbers are mirrored when model and baseline change places.

    Returns:
        None where nothing was compared; without a win rate where no pair has a preference in both orders.
    """
    orders, statuses = compared.orders, compared.statuses
    if not statuses:
        return None
    alpha = run.alpha / (len(run.models) - 1)  # so that one verdict in all models' win rates is false that often
    known = compared.preferences[~np.isnan(compared.preferences)]
    interval = win_rate_interval(known, alpha) if known.size else None
    enough = len(known) >= run.min_questions
    controlled, pulled = controlled_interval(alpha, compared.preferences, length_differences, others)
    return WinRateDetails(
        win_rate=six_decimals(interval.mean if interval else None),
        low=six_decimals(interval.low if interval else None),
        high=six_decimals(interval.high if interval else None),
        level=alpha,
        verdict=win_rate_verdict(interval) if interval and enough else "too few",
        caution=interval.caution if interval else None,
        questions=len(known),
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
    alpha: float, preferences: Array, length_differences: Array, others: Sequence[Array]
) -> tuple[Interval | None, bool]:
    """The length-controlled win rate; None where too few questions have a preference and two lengths.

    The second says whether its effect of length is pulled towards 0.
    """
    known = ~np.isnan(preferences) & ~np.isnan(length_differences)
    if np.sum(known) < FEWEST_FOR_REGRESSION:
        return None, False
    difficulties = question_difficulties([other[known] for other in others])
    controlled = length_controlled(preferences[known], length_differences[known], alpha, difficulties)
    return controlled.interval, controlled.pulled


def six_decimals(share: float | None) -> float | None:
    """A share to six decimals: a share and what is left of 1 are then rounded alike, and mirror each other exactly."""
    return None if share is None else round(share, 6)
