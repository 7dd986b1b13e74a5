"""Comparisons of a model with the baseline, read from their file and turned into a win rate."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneproof.common.errors import UserError
from tuneproof.records.documents.resolved import ResolvedJudge, ResolvedQuestions
from tuneproof.results.analysis.preferences import (
    FEWEST_FOR_REGRESSION,
    Compared,
    read_preferences,
    six_decimals,
    win_rate_details,
)
from tuneproof.results.analysis.reading.usage import ReplyUsage
from tuneproof.results.details.model import WinRateDetails
from tuneproof.results.details.run import Criterion, RubricCriterion, RunDetails
from tuneproof.statistics.win_rates import Row, both_orders, question_preferences, win_rate_interval

NAN = float("nan")


def run_details(min_questions: int = 30, models: Sequence[str] = ("sft", "baseline")) -> RunDetails:
    """What the models of a run share."""
    return RunDetails(
        run="real", baseline="baseline", models=list(models), questions=40, alpha=0.05,
        min_questions=min_questions, rubric={"accuracy": RubricCriterion(question="Right?", scale={"1": "", "2": ""})},
        criteria={"accuracy": Criterion(source="judge", low=1, high=2, step=1, role="improves")},
        judge=ResolvedJudge(run="real", backend="openai", judges=[]), judge_settings={},
        source=ResolvedQuestions(
            run="real", requested="q", id="q", sha=None, content="c", fallback_reason=None, rows=40, rows_sha256="r"
        ),
    )  # fmt: skip


def rate_of(
    preferences: list[float | None], lengths: list[float], others: list[list[float]] | None = None, **settings: Any
) -> WinRateDetails | None:
    """The win rate of preferences that are the same in both orders."""
    rows: list[Row] = []
    for place, preference in enumerate(preferences):
        rows += [(f"q{place}", 0, "model_first", preference), (f"q{place}", 0, "baseline_first", preference)]
    orders = both_orders(rows)
    statuses = Counter("refused" if preference is None else "ok" for _, _, _, preference in rows)
    by_question = question_preferences(orders, [f"q{place}" for place in range(len(preferences))])
    compared = Compared(orders, by_question, statuses)
    return win_rate_details(
        run_details(**settings), compared, np.array(lengths), [np.array(values) for values in others or []]
    )


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def comparison(question: str, order: str, preference: float | None, **changes: Any) -> dict[str, Any]:
    status = "refused" if preference is None else "ok"
    row = {"id": question, "sample": 0, "against": "baseline", "order": order, "status": status}
    return row | {"preference": preference, "replies": []} | changes


@pytest.fixture
def comparisons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data/comparisons/sft.jsonl"


def test_preferences_and_statuses_are_those_of_the_file(comparisons: Path) -> None:
    write(comparisons, [
        comparison("a", "model_first", 1), comparison("a", "baseline_first", 0.5),
        comparison("b", "model_first", None), comparison("b", "baseline_first", 1),
    ])  # fmt: skip

    compared = read_preferences("sft", "baseline", {"b": 0, "a": 1}, ReplyUsage())

    np.testing.assert_array_equal(compared.preferences, [NAN, 0.75])
    assert compared.orders.incomplete == 1
    assert compared.statuses == {"ok": 3, "refused": 1}


def test_no_file_is_no_comparison(comparisons: Path) -> None:
    compared = read_preferences("sft", "baseline", {"a": 0}, ReplyUsage())

    assert (compared.orders.questions, compared.statuses) == ((), {})
    assert win_rate_details(run_details(), compared, np.array([NAN]), []) is None


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"id": "other"}, "no question has the id other"),
        ({"against": "dpo"}, "it compares with dpo, and the baseline is baseline; run `python scripts/compare.py sft`"),
    ],
)
def test_comparisons_of_something_else_are_refused(comparisons: Path, changes: dict[str, Any], found: str) -> None:
    write(comparisons, [comparison("a", "model_first", 1, **changes)])

    with pytest.raises(UserError) as error:
        read_preferences("sft", "baseline", {"a": 0}, ReplyUsage())

    assert found in str(error.value)


def test_a_question_without_a_length_keeps_its_preference_and_leaves_the_regression() -> None:
    generator = np.random.default_rng(4)
    preferences = generator.choice([0.0, 0.5, 1.0], 60).tolist()
    lengths = generator.normal(100, 50, 60).tolist()

    whole, without = rate_of(preferences, lengths), rate_of(preferences, [NAN, *lengths[1:]])
    alone = rate_of(preferences[1:], lengths[1:])

    assert whole and without and alone
    assert (without.win_rate, without.questions) == (whole.win_rate, 60)
    assert without.length_controlled == alone.length_controlled is not None


def test_too_few_questions_have_no_length_controlled_rate_and_no_verdict() -> None:
    few = FEWEST_FOR_REGRESSION - 1
    rate = rate_of([1.0, 0.0, 1.0] * 3, [float(place) for place in range(few)])

    assert rate and rate.length_controlled is None
    assert rate.verdict == "too few"


def test_intervals_hold_together_for_all_models() -> None:
    one, three = (
        rate_of([1.0, 0.5] * 20, [float(place) for place in range(40)], models=models)
        for models in (["sft", "baseline"], ["sft", "dpo", "orpo", "baseline"])
    )

    assert one and three and one.low and three.low and one.length_controlled_low and three.length_controlled_low
    assert (one.level, three.level) == (0.05, 0.05 / 3)
    assert one.low == six_decimals(win_rate_interval([1.0, 0.5] * 20, 0.05).low)
    assert three.low == six_decimals(win_rate_interval([1.0, 0.5] * 20, 0.05 / 3).low)
    assert three.low < one.low
    assert three.length_controlled_low < one.length_controlled_low


def test_unscored_pairs_are_counted_and_change_nothing_else() -> None:
    lengths = [float(place) for place in range(40)]
    with_gaps, without = rate_of([1.0, 0.0] * 16 + [None] * 8, lengths), rate_of([1.0, 0.0] * 16, lengths[:32])

    assert with_gaps and without
    assert (with_gaps.incomplete_pairs, with_gaps.statuses) == (8, {"ok": 64, "refused": 16})
    ignored = {"incomplete_pairs", "statuses"}
    assert with_gaps.model_dump(exclude=ignored) == without.model_dump(exclude=ignored)


def test_nothing_scored_is_counted_and_has_no_win_rate() -> None:
    rate = rate_of([None] * 40, [1.0] * 40)

    assert rate and (rate.win_rate, rate.low, rate.high, rate.length_controlled) == (None, None, None, None)
    assert (rate.verdict, rate.questions, rate.incomplete_pairs) == ("too few", 0, 40)


def test_mirrored_preferences_give_exactly_mirrored_numbers_whatever_the_other_models_scored() -> None:
    generator = np.random.default_rng(6)
    for _ in range(20):
        preferences = generator.choice([0.0, 0.25, 0.5, 1.0], 43, p=[0.2, 0.2, 0.1, 0.5])
        lengths, scores = generator.normal(80, 100, 43), generator.uniform(size=43)
        scores[:3] = np.nan
        forth = rate_of(preferences.tolist(), lengths.tolist(), [scores.tolist()])
        back = rate_of((1 - preferences).tolist(), (-lengths).tolist(), [scores.tolist()])

        assert forth and back
        for one, other in (("win_rate", "win_rate"), ("low", "high"), ("length_controlled", "length_controlled")):
            assert round(getattr(forth, one) + getattr(back, other), 9) == 1
        assert round(forth.length_controlled_low + back.length_controlled_high, 9) == 1  # type: ignore[operator]  # both are numbers with 43 questions


def test_a_share_and_what_is_left_of_one_are_rounded_alike() -> None:
    for place in range(1, 400):
        share = place / 397
        left, right = six_decimals(share), six_decimals(1 - share)
        assert left is not None and right is not None
        assert round(left + right, 9) == 1
