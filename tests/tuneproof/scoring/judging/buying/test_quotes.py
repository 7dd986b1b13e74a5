from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.own_settings import own_params
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Answer, Reply
from tuneproof.scoring.judging.buying.quotes import Quote, Tally, in_usd, reply_cost_usd
from tuneproof.scoring.judging.cases import AnswerCase, Stage
from tuneproof.scoring.judging.chains import Asking
from tuneproof.scoring.judging.rubric.prompts import Material
from tuneproof.scoring.judging.worklist import Worklist
from tuneproof.settings.evidence.judging import FurtherJudge, Judge
from tuneproof.settings.execution import JudgeExecution, Price

PRICE = Price(prompt=1.0, reply=10.0)
EXECUTION = JudgeExecution(prices={"gpt-4o-mini": PRICE})
REPLY = Reply(
    judge="gpt-4o-mini", model="m", attempt=1, status="ok", scores={"accuracy": 1, "style": 1}, probabilities=None,
    analyses=None, reply=None, error=None, prompt_tokens=500, reply_tokens=50, key="",
)  # fmt: skip


def judge(**changes: Any) -> Judge:
    return own_params().judge.model_copy(update=changes)


def cases(settings: Judge, count: int) -> list[AnswerCase]:
    answer = Answer(
        id="q", sample=0, prompt="", answer="-", finish_reason="stop", error=None, prompt_tokens=None,
        answer_tokens=None, key="a",
    )  # fmt: skip
    return [AnswerCase(answer, settings, Material(f"What is {number:03}?", None, "It is.")) for number in range(count)]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def quote_of(asking: Asking, some: list[AnswerCase]) -> Quote:
    quote = Quote(asking.judge, asking.execution)
    stage = Stage("judge sft", asking.criteria, lambda: iter(some))
    quote.add(stage.name, Worklist.of(asking, stage).tallies)
    return quote


def buy(asking: Asking, some: list[AnswerCase], reply: Reply = REPLY) -> None:
    for _, chains in asking.recorded(some):
        for chain in chains:
            asking.ledger.put(asking.key(chain, len(chain.replies) + 1), "reply", reply.model_dump(exclude={"key"}))


def test_a_quote_before_anything_is_known_is_made_of_bytes_and_a_usual_reply(ledger: Ledger) -> None:
    settings = judge()
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    quote = quote_of(asking, cases(settings, 30))
    estimate = quote.estimate()
    sizes = [len(chain.request) for case in cases(settings, 30) for chain in asking.chains(case)]
    assert estimate.replies == 30
    assert estimate.prompt_tokens == pytest.approx(sum(sizes) / 4)
    assert estimate.reply_tokens == 30 * 2 * 60
    assert estimate.usd == pytest.approx(PRICE.cost_usd(sum(sizes) / 4, 3600))
    assert quote.spent_usd() == 0


def test_known_replies_tell_what_further_ones_will_take(ledger: Ledger) -> None:
    settings = judge()
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    buy(asking, cases(settings, 20))
    quote = quote_of(asking, cases(settings, 50))
    estimate = quote.estimate()
    assert estimate.prompt_tokens == pytest.approx(30 * 500)
    assert estimate.reply_tokens == pytest.approx(30 * 50)
    assert quote.recorded() == 20
    assert quote.spent_usd() == pytest.approx(20 * PRICE.cost_usd(500, 50))
    assert quote.quoted().tokens == {"gpt-4o-mini": "as in 20 replies of the ledger"}


def test_unusable_replies_were_paid_for_and_the_next_attempt_is_quoted(ledger: Ledger) -> None:
    settings = judge(attempts=2)
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    buy(asking, cases(settings, 1), REPLY.model_copy(update={"status": "unreadable", "scores": None}))
    quote = quote_of(asking, cases(settings, 1))
    assert (quote.recorded(), quote.estimate().replies) == (1, 1)
    assert quote.spent_usd() == pytest.approx(PRICE.cost_usd(500, 50))


def test_one_judge_without_a_price_makes_the_sum_unknown(ledger: Ledger) -> None:
    settings = judge(panel=(FurtherJudge(model="house-judge"),))
    quote = quote_of(Asking(settings, EXECUTION, settings.criteria, ledger), cases(settings, 3))
    assert quote.unpriced == ["house-judge"]
    assert quote.estimate().usd is None
    assert "an unknown cost" in quote.lines()[0]
    assert "no price is known for house-judge" in quote.lines()[-1]


def test_a_quote_beyond_the_budget_says_so_before_anything_is_bought(ledger: Ledger) -> None:
    for budget, told in ((1e-3, True), (1e3, False), (None, False)):
        settings, capped = judge(), EXECUTION.model_copy(update={"budget_usd": budget})
        quote = quote_of(Asking(settings, capped, settings.criteria, ledger), cases(settings, 30))
        found = [line for line in quote.lines() if "the run will stop there, unfinished" in line]
        assert len(found) == told
        if told:
            needed = f"about {in_usd(quote.estimate().usd)} are needed"
            assert f"0.0010 USD are left of execution.judge.budget_usd and {needed}" in found[0]
            assert "replies for this run, at most 0.0010 USD (see " in quote.lines()[0]


def test_the_most_that_a_quote_may_cost_counts_every_attempt_that_is_left(ledger: Ledger) -> None:
    settings = judge(attempts=3, max_tokens=100)
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    buy(asking, cases(settings, 1), REPLY.model_copy(update={"status": "unreadable", "scores": None}))
    quote = quote_of(asking, cases(settings, 2))
    [size, _] = [len(chain.request) for case in cases(settings, 2) for chain in asking.chains(case)]
    assert quote.most_usd() == pytest.approx((2 + 3) * PRICE.cost_usd(size, 100))
    assert quote.lines() == [
        f"quote: 2 replies for this run, about {in_usd(quote.estimate().usd)}, at most {in_usd(quote.most_usd())} "
        "(see .cache/quote.json)"
    ]


def test_where_nothing_bounds_a_reply_there_is_no_most(ledger: Ledger) -> None:
    settings = judge(max_tokens=None)
    quote = quote_of(Asking(settings, EXECUTION, settings.criteria, ledger), cases(settings, 2))
    assert quote.most_usd() is None
    assert f"for this run, about {in_usd(quote.estimate().usd)} (see " in quote.lines()[0]


def test_a_quote_of_a_large_run_is_one_short_line(ledger: Ledger) -> None:
    settings = judge()
    quote = Quote(settings, EXECUTION)
    quote.add("judge sft", {"gpt-4o-mini": Tally(2, missing=123_456, missing_bytes=400_000_000, most_usd=4_567.8)})
    [line] = quote.lines()
    assert len(line) <= 100, line


def test_what_a_reply_cost() -> None:
    assert reply_cost_usd(REPLY, 9_999, PRICE, 1000) == pytest.approx(0.001)
    assert reply_cost_usd(REPLY, 9_999, None, 1000) is None
    untold = REPLY.model_copy(update={"prompt_tokens": None, "reply_tokens": None})
    assert reply_cost_usd(untold, 2_000, PRICE, 1000) == pytest.approx(0.012)
    assert reply_cost_usd(untold.model_copy(update={"model": None}), 2_000, PRICE, 1000) == 0


def test_sums_are_written_for_a_person() -> None:
    assert [in_usd(cost) for cost in (None, 0.0, 0.000123, 0.5, 12.345, 1e-5)] == [
        "an unknown cost", "0.00 USD", "0.00012 USD", "0.50 USD", "12.35 USD", "0.000010 USD",
    ]  # fmt: skip
