import asyncio

import pytest

from tests.own_settings import own_params
from tuneproof.common.errors import UserError
from tuneproof.records.rows import Reply
from tuneproof.scoring.judging.buying.budget import Budget
from tuneproof.scoring.judging.buying.quotes import Quote, Tally
from tuneproof.settings.execution import JudgeExecution, Price

PRICE = Price(prompt=1_000, reply=1_000)  # a token is 0.001 USD
REPLY = Reply(
    judge="j", model="j-1", attempt=1, status="ok", scores={"accuracy": 1}, probabilities=None, analyses=None,
    reply=None, error=None, prompt_tokens=5, reply_tokens=5, key="k",
)  # fmt: skip


def budget(budget_usd: float | None, prices: dict[str, Price] | None = None) -> Budget:
    judge = own_params().judge.model_copy(update={"model": "j", "max_tokens": 10})
    execution = JudgeExecution(budget_usd=budget_usd, prices={"j": PRICE} if prices is None else prices)
    quote = Quote(judge, execution)
    quote.add("judge sft", {"j": Tally(criteria=1)})
    return Budget(judge, execution, quote)


async def buy(purse: Budget, reply: Reply | None = REPLY, request_bytes: int = 10) -> None:
    async with purse.purchase("j", request_bytes) as purchase:
        await asyncio.sleep(0)
        purchase.reply = reply


def test_requests_in_flight_are_counted_at_the_most_that_they_may_cost() -> None:
    purse = budget(0.05)  # a request may cost 0.02 and then costs 0.01
    most_in_flight, in_flight = 0, 0

    async def one() -> None:
        nonlocal most_in_flight, in_flight
        async with purse.purchase("j", 10) as purchase:
            in_flight += 1
            most_in_flight = max(most_in_flight, in_flight)
            await asyncio.sleep(0)
            purchase.reply = REPLY
            in_flight -= 1

    async def all_at_once() -> list[BaseException | None]:
        return await asyncio.gather(*(one() for _ in range(10)), return_exceptions=True)

    ended = asyncio.run(all_at_once())
    assert most_in_flight == 2
    assert purse.bought == 4
    assert purse.bought_usd == pytest.approx(0.04)
    stopped = [error for error in ended if error]
    assert len(stopped) == 6
    assert all(isinstance(error, UserError) for error in stopped)
    assert "everything bought is kept" in str(stopped[0])


def test_a_request_without_a_reply_gives_its_room_back() -> None:
    purse = budget(0.02)

    async def failing() -> None:
        for _ in range(5):
            await buy(purse, reply=None)
        await buy(purse)

    asyncio.run(failing())
    assert purse.bought == 1


def test_a_failed_request_does_not_leave_others_waiting_for_ever() -> None:
    purse = budget(0.03)

    async def fail() -> None:
        async with purse.purchase("j", 10):
            await asyncio.sleep(0)
            raise ConnectionError

    async def both() -> tuple[BaseException | None, BaseException | None]:
        async with asyncio.timeout(10):
            return await asyncio.gather(fail(), buy(purse), return_exceptions=True)

    failed, bought = asyncio.run(both())
    assert isinstance(failed, ConnectionError)
    assert bought is None


def test_a_reply_whose_tokens_are_not_told_costs_the_most_that_it_can() -> None:
    purse = budget(1.0)
    asyncio.run(buy(purse, REPLY.model_copy(update={"prompt_tokens": None, "reply_tokens": None})))
    assert purse.bought_usd == pytest.approx(0.02)


def test_a_rejected_request_costs_nothing() -> None:
    purse = budget(1.0)
    asyncio.run(buy(purse, REPLY.model_copy(update={"model": None, "prompt_tokens": None, "reply_tokens": None})))
    assert purse.bought_usd == 0


def test_an_unknown_price_is_not_zero_and_refuses_a_budget() -> None:
    with pytest.raises(UserError, match="the price of j is not known"):
        budget(1.0, prices={})
    purse = budget(None, prices={})
    asyncio.run(buy(purse))
    assert purse.bought_usd is None
