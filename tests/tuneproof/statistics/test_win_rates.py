"""Win rates as the leaderboards count them, over both orders, and with length held equal."""

import math
from itertools import product

import numpy as np
import pytest
import scipy

from tuneproof.statistics import win_rates
from tuneproof.statistics.win_rates import (
    LENGTH_METHOD,
    BothOrders,
    Row,
    both_orders,
    consistency,
    length_controlled,
    position_bias,
    question_difficulties,
    question_preferences,
    win_rate,
    win_rate_interval,
    win_rate_verdict,
)


def pair(question: str, sample: int, model_first: float | None, baseline_first: float | None) -> list[Row]:
    return [(question, sample, "model_first", model_first), (question, sample, "baseline_first", baseline_first)]


def judged(model_first: float, baseline_first: float, questions: int = 50, samples: int = 1) -> list[Row]:
    pairs = [
        pair(f"q{number}", sample, model_first, baseline_first)
        for number, sample in product(range(questions), range(samples))
    ]
    return [row for rows in pairs for row in rows]


def preferences_of(rows: list[Row]) -> list[float]:
    return list(question_preferences(both_orders(rows), dict.fromkeys(row[0] for row in rows)))


def logistic_world(questions: int, effect: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Preferences with a true win rate of 0.6 at equal lengths, by a judge that also likes length."""
    generator = np.random.default_rng(seed)
    lengths = generator.normal(120, 200, questions).round()
    odds = math.log(1.5) + effect * np.tanh(lengths / lengths.std(ddof=1))
    return (generator.logistic(size=questions) < odds).astype(float), lengths


def test_plain_win_rate_is_the_mean_and_its_standard_error() -> None:
    preferences = [1.0, 0.0, 0.5, 0.98, 0.02, None, float("nan"), 1.0]

    rate = win_rate(preferences)

    scored = [1.0, 0.0, 0.5, 0.98, 0.02, 1.0]
    assert rate.win_rate == pytest.approx(np.mean(scored), rel=1e-12)
    assert rate.standard_error == pytest.approx(scipy.stats.sem(scored), rel=1e-12)
    assert rate.n == 6


# Rows of tatsu-lab/alpaca_eval at cd543a1, leaderboards/data_AlpacaEval/alpaca_eval_gpt4_leaderboard.csv:
# wins, losses, draws, win rate and standard error in per cent. tests/measurements/win_rates.py runs whole files.
RECORDED = {
    "gpt4_1106_preview": (783, 16, 5, 97.69900497512438, 0.5104849118311993),
    "tulu-2-dpo-70b": (764, 39, 2, 95.03105590062113, 0.7613100978662208),
    "gpt4_0613": (750, 46, 8, 93.78109452736318, 0.8338571422122372),
    "evo-v2-7b": (715, 83, 5, 89.35242839352429, 1.0802118075166327),
    "guanaco-65b": (578, 227, 0, 71.80124223602485, 1.586912361158523),
    "alpaca-farm-ppo-human": (328, 469, 8, 41.24223602484472, 1.7271813123250834),
}


@pytest.mark.parametrize("name", RECORDED)
def test_win_rate_and_standard_error_are_those_of_recorded_leaderboards(name: str) -> None:
    wins, losses, draws, recorded, error = RECORDED[name]

    rate = win_rate([1.0] * wins + [0.0] * losses + [0.5] * draws)

    assert 100 * rate.win_rate == pytest.approx(recorded, rel=1e-12)
    assert 100 * (rate.standard_error or 0) == pytest.approx(error, rel=1e-12)
    assert rate.n == wins + losses + draws


def test_one_preference_has_no_standard_error() -> None:
    assert win_rate([1.0]).standard_error is None


@pytest.mark.parametrize("preferences", [[], [None], [1.2], [-0.1, 0.5]])
def test_what_is_no_preference_is_refused(preferences: list[float | None]) -> None:
    with pytest.raises(ValueError, match="preference"):
        win_rate(preferences)


def test_judge_that_always_prefers_the_first_answer_says_nothing() -> None:
    orders = both_orders(judged(1.0, 0.0))
    interval = win_rate_interval(preferences_of(judged(1.0, 0.0)), 0.05)

    assert (interval.mean, consistency(orders), position_bias(orders)) == (0.5, 0.0, 1.0)
    assert win_rate_verdict(interval) == "undecided"
    assert interval.low < 0.5 < interval.high


def test_judge_that_always_prefers_the_second_answer_has_a_bias_of_minus_one() -> None:
    orders = both_orders(judged(0.0, 1.0))

    assert (consistency(orders), position_bias(orders)) == (0.0, -1.0)


def test_steady_judge_is_consistent_and_unbiased() -> None:
    rows = judged(1.0, 1.0) + pair("tied", 0, 0.5, 0.5)
    orders = both_orders(rows)

    assert (consistency(orders), position_bias(orders)) == (1.0, 0.0)
    assert win_rate_verdict(win_rate_interval(preferences_of(rows), 0.05)) == "better"


def test_winner_in_one_order_and_tie_in_the_other_is_not_consistent() -> None:
    assert consistency(both_orders(judged(0.9, 0.5))) == 0.0
    assert consistency(both_orders(judged(0.9, 0.6))) == 1.0


def test_unscored_order_makes_its_pair_incomplete_and_never_a_win_or_a_loss() -> None:
    rows: list[Row] = [
        *judged(1.0, 1.0, questions=3),
        *pair("half", 0, 1.0, None),
        *pair("none", 0, None, None),
        ("missing row", 0, "baseline_first", 0.0),
    ]

    orders = both_orders(rows)

    assert orders.incomplete == 3
    np.testing.assert_array_equal(
        question_preferences(orders, ["q1", "half", "none", "q2"]), [1, math.nan, math.nan, 1]
    )


def test_nothing_judged_in_both_orders_has_no_consistency() -> None:
    orders = both_orders([])

    assert (consistency(orders), position_bias(orders), orders.incomplete) == (None, None, 0)
    assert np.isnan(question_preferences(orders, ["q0"])).all()


def test_samples_of_a_question_count_once() -> None:
    single, many = preferences_of(judged(1.0, 0.5, samples=1)), preferences_of(judged(1.0, 0.5, samples=5))

    assert single == many == [0.75] * 50


def test_swapping_baseline_and_model_mirrors_every_number() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.choice([0.0, 0.25, 0.5, 1.0], size=(2, 90))
    questions = tuple(f"q{number}" for number in range(90))
    forth, back = BothOrders(questions, first, second, 0), BothOrders(questions, 1 - second, 1 - first, 0)
    wins, lost = (question_preferences(orders, questions) for orders in (forth, back))

    assert (consistency(forth), position_bias(forth)) == (consistency(back), position_bias(back))
    assert win_rate(lost).win_rate == pytest.approx(1 - win_rate(wins).win_rate, rel=1e-14)
    assert win_rate(lost).standard_error == pytest.approx(win_rate(wins).standard_error, rel=1e-14)
    lengths, difficulties = generator.normal(30, 80, 90), generator.normal(size=90)
    for interval, mirrored in (
        (win_rate_interval(wins, 0.05), win_rate_interval(lost, 0.05)),
        (length_controlled(wins, lengths, 0.05).interval, length_controlled(lost, -lengths, 0.05).interval),
        (
            length_controlled(wins, lengths, 0.05, difficulties).interval,
            length_controlled(lost, -lengths, 0.05, -difficulties).interval,
        ),
    ):
        assert (mirrored.low, mirrored.high) == pytest.approx((1 - interval.high, 1 - interval.low), rel=1e-12)


def test_fair_judge_of_a_true_60_percent_ends_there_within_its_interval() -> None:
    generator = np.random.default_rng(12)
    covered, rates = [], []
    for _ in range(400):
        winner = generator.random(200) < 0.6
        noise = generator.random((2, 200)) < 0.1  # either order is misjudged now and then, to either side alike
        orders = np.where(noise, generator.random((2, 200)) < 0.6, winner).astype(float)
        preferences = orders.mean(axis=0)
        interval = win_rate_interval(preferences, 0.05)
        covered.append(interval.low <= 0.6 <= interval.high)
        rates.append(interval.mean)

    assert np.mean(rates) == pytest.approx(0.6, abs=0.006)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_judge_that_prefers_the_longer_answer_wins_raw_and_not_with_length_held_equal() -> None:
    generator = np.random.default_rng(13)
    controlled = []
    for _ in range(50):
        lengths = generator.normal(200, 200, 400)
        preferences = (lengths > 0).astype(float)
        assert win_rate(preferences).win_rate > 0.75
        result = length_controlled(preferences, lengths, 0.05)
        assert result.length_effect > 2 and result.pulled
        assert result.interval.low < 0.5
        controlled.append(result.interval.mean)

    assert np.mean(controlled) == pytest.approx(0.66, abs=0.03)  # half way from 0.84: the rest is what the pull keeps


def test_length_controlled_rate_finds_the_true_one_under_a_judge_that_likes_length() -> None:
    results = [length_controlled(*logistic_world(400, 1.5, seed), 0.05) for seed in range(300)]

    assert np.mean([result.interval.mean for result in results]) == pytest.approx(0.615, abs=0.01)  # raw: 0.66
    assert np.mean([result.interval.low <= 0.6 <= result.interval.high for result in results]) >= 0.95


@pytest.mark.parametrize(
    ("truth", "effect", "bias", "width"), [(0.5, 0.0, 0.0, 0.10), (0.5, 1.5, 0.044, 0.19), (0.2, 1.5, 0.054, 0.22)]
)
def test_without_difficulty_the_rate_is_pulled_and_its_interval_counts_that(
    truth: float, effect: float, bias: float, width: float
) -> None:
    """The figures of worlds of 805 questions in which the model is longer by a standard deviation."""
    generator, intervals = np.random.default_rng(17), []
    for _ in range(80):
        lengths = generator.normal(1, 1, 805)
        odds = math.log(truth / (1 - truth)) + effect * np.tanh(lengths / lengths.std(ddof=1))
        result = length_controlled((generator.logistic(size=805) < odds).astype(float), lengths, 0.05)
        assert result.pulled
        intervals.append(result.interval)

    assert np.mean([one.mean for one in intervals]) - truth == pytest.approx(bias, abs=0.01)
    assert np.mean([one.high - one.low for one in intervals]) == pytest.approx(width, abs=0.02)
    assert np.mean([one.low <= truth <= one.high for one in intervals]) >= 0.9


def test_with_difficulty_the_rate_is_not_pulled() -> None:
    wins, lengths = logistic_world(400, 1.5)
    difficulties = np.random.default_rng(18).normal(size=400)

    free, pulled = length_controlled(wins, lengths, 0.05, difficulties), length_controlled(wins, lengths, 0.05)

    assert not free.pulled and free.length_effect > pulled.length_effect > 0


def test_regression_agrees_with_statsmodels(monkeypatch: pytest.MonkeyPatch) -> None:
    import statsmodels.api as sm

    monkeypatch.setattr(win_rates, "_RIDGE", 0.0)
    monkeypatch.setattr(win_rates, "_QUESTIONS_PER_RIDGE", math.inf)
    wins, lengths = logistic_world(300, 1.0)
    wins = np.clip(wins, 0.1, 0.9)  # graded preferences count as probabilities
    design = sm.add_constant(np.tanh(lengths / lengths.std(ddof=1)))
    reference = sm.GLM(wins, design, family=sm.families.Binomial()).fit(cov_type="HC0")

    result = length_controlled(wins, lengths, 0.05)

    intercept, width = reference.params[0], scipy.stats.t(299).ppf(0.975) * reference.bse[0] * math.sqrt(300 / 298)
    limits = [intercept - width, intercept, intercept + width]
    expected = [1 / (1 + math.exp(-limit)) for limit in limits]
    assert [result.interval.low, result.interval.mean, result.interval.high] == pytest.approx(expected, rel=1e-6)
    assert result.length_effect == pytest.approx(reference.params[1], rel=1e-6)
    assert result.interval.method == LENGTH_METHOD


def test_lengths_that_never_differ_leave_the_plain_win_rate() -> None:
    wins, _ = logistic_world(100, 0.0)

    result = length_controlled(wins, np.full(100, 40.0), 0.05)

    assert (result.interval, result.length_effect) == (win_rate_interval(wins, 0.05), 0.0)


@pytest.mark.parametrize("preference", [0.0, 0.5, 1.0])
def test_unanimous_preferences_leave_the_plain_win_rate(preference: float) -> None:
    result = length_controlled([preference] * 40, np.arange(40.0), 0.05)

    assert result.interval == win_rate_interval([preference] * 40, 0.05)
    assert result.interval.low < result.interval.high


def test_model_that_is_always_longer_gets_a_caution_and_a_wide_interval() -> None:
    generator = np.random.default_rng(15)
    lengths = np.abs(generator.normal(300, 50, 200))
    wins = (generator.random(200) < 0.7).astype(float)

    result = length_controlled(wins, lengths, 0.05)

    assert result.interval.caution is not None
    assert "longer in 200 of 200 questions, so length may explain a part" in result.interval.caution
    assert result.interval.high - result.interval.low > 0.3


def test_difficulty_comes_from_the_other_models() -> None:
    easy_then_hard = np.repeat([0.9, 0.1], 20)
    gaps = easy_then_hard.copy()
    gaps[0] = np.nan

    difficulties = question_difficulties([easy_then_hard, gaps])

    assert difficulties is not None
    assert np.all(difficulties[:20] < 0)
    assert np.all(difficulties[20:] > 0)
    assert difficulties.std() == pytest.approx(1)
    assert question_difficulties([]) is None
    assert question_difficulties([np.full(3, np.nan)]) is None
    assert question_difficulties([np.full(3, 0.5)]) is None


def test_difficulty_sharpens_the_length_controlled_rate() -> None:
    generator = np.random.default_rng(16)
    difficulties, lengths = generator.normal(size=600), generator.normal(0, 100, 600)
    wins = (generator.logistic(size=600) < -2 * difficulties).astype(float)

    plain, informed = (length_controlled(wins, lengths, 0.05, known).interval for known in (None, difficulties))

    assert informed.low <= 0.5 <= informed.high
    assert informed.high - informed.low < plain.high - plain.low
