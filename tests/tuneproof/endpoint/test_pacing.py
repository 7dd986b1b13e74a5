"""The pacer against simulated limits, in virtual time: minutes of traffic, the same each run."""

import asyncio
import doctest
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.servers.openai.faults import Faults, WaitHeaders, share_of, wait_stated
from tests.servers.openai.limits import Limits
from tests.servers.virtual_time import VirtualLoop, run_in_virtual_time
from tuneproof.common.windows import work_through
from tuneproof.endpoint import limits
from tuneproof.endpoint.limits import LimitHeaders, reset_seconds, stated_wait_seconds
from tuneproof.endpoint.pacing import RUN_OF_REFUSALS, Pacer, backoff_seconds
from tuneproof.endpoint.rates import Allowance

REQUESTS = 1000
PROMPT_TOKENS, ROOM_TOKENS, USED_TOKENS = 500, 300, 540
LATENCY_SECONDS, SPREAD_SECONDS = 0.5, 0.2
PROCESSING_SECONDS = 0.0008  # what a request costs the client's processor
ALLOWED_REQUESTS = 1.15 * REQUESTS
ALLOWED_SHARE_OF_RATE = 0.95


@dataclass
class Traffic:
    """What a simulated run of all requests did."""

    seconds: float = 0.0
    sent: int = 0
    refused: int = 0
    sent_at: list[float] = field(default_factory=list)


async def traffic(limits: Limits, faults: Faults, concurrency: int, round_trip_seconds: float) -> Traffic:
    """Sends every request through a pacer to a simulated endpoint, as the client does, until each was accepted."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    pacer, seen, latency = Pacer(), Traffic(), random.Random(1)
    usage = {"prompt_tokens": PROMPT_TOKENS, "total_tokens": USED_TOKENS}

    async def attempt(number: int, refusals: int) -> float | None:
        ticket = await pacer.turn(PROMPT_TOKENS + ROOM_TOKENS)
        loop.pass_seconds(PROCESSING_SECONDS)
        seen.sent += 1
        seen.sent_at.append(loop.time())
        await asyncio.sleep(round_trip_seconds / 2)
        wait = limits.admit({"max_tokens": ROOM_TOKENS}, usage, loop.time())
        drawn = share_of(number, refusals) < faults.shares.get("429", 0.0)
        if wait or drawn or faults.is_outage(loop.time()):
            seen.refused += 1
            stated, message = wait_stated(faults.wait_headers, wait or faults.wait_seconds)
            headers = limits.headers(loop.time()) | {name.lower(): value for name, value in stated.items()}
            await asyncio.sleep(round_trip_seconds / 2)
            return pacer.refused(ticket, headers, message, refusals + 1)
        await asyncio.sleep(LATENCY_SECONDS + SPREAD_SECONDS * latency.uniform(-1, 1))
        pacer.accepted(ticket, limits.headers(loop.time()))
        return None

    async def request(number: int) -> None:
        refusals = 0
        while (seconds := await attempt(number, refusals)) is not None:
            refusals += 1
            await asyncio.sleep(seconds)

    await work_through(range(REQUESTS), request, concurrency)
    seen.seconds = loop.time()
    return seen


def simulated(
    limits: Limits | None = None, faults: Faults | None = None, concurrency: int = 64, round_trip_seconds: float = 0.002
) -> Traffic:
    random.seed(3)
    return run_in_virtual_time(traffic(limits or Limits(), faults or Faults(), concurrency, round_trip_seconds))


def seconds_allowed(limits: Limits) -> float:
    """The seconds that a limit alone makes all requests take."""
    tokens = USED_TOKENS if limits.counted == "usage" else PROMPT_TOKENS + ROOM_TOKENS
    units = {"requests": 1, "tokens": tokens}
    return max(
        (REQUESTS * units[kind] - bucket.capacity) * 60 / bucket.per_minute for kind, bucket in limits.buckets.items()
    )


@pytest.mark.parametrize("concurrency", [10, 64, 256])
def test_nothing_waits_where_nothing_is_limited(concurrency: int) -> None:
    seen = simulated(concurrency=concurrency)
    assert seen.sent == REQUESTS
    floor = REQUESTS * LATENCY_SECONDS / concurrency
    assert seen.seconds < 1.1 * floor + LATENCY_SECONDS


@pytest.mark.parametrize("concurrency", [64, 256])
@pytest.mark.parametrize("burst_seconds", [1, 10])
@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        ({"requests_per_minute": 1200}, "retry-after"),
        ({"requests_per_minute": 1200}, "none"),
        ({"requests_per_minute": 1200, "headers_stated": False}, "retry-after"),
        ({"requests_per_minute": 1200, "headers_stated": False}, "retry-after-ms"),
        ({"requests_per_minute": 1200, "headers_stated": False}, "message"),
        ({"requests_per_minute": 1200, "headers_stated": False}, "none"),
        ({"tokens_per_minute": 1200 * (PROMPT_TOKENS + ROOM_TOKENS)}, "retry-after"),
        ({"tokens_per_minute": 1200 * USED_TOKENS, "counted": "usage"}, "retry-after"),
        ({"tokens_per_minute": 1200 * USED_TOKENS, "counted": "usage", "headers_stated": False}, "none"),
    ],
    ids=str,
)
def test_a_binding_limit_is_used_up_and_hardly_passed(
    settings: dict[str, float], waits: WaitHeaders, burst_seconds: float, concurrency: int
) -> None:
    limited = Limits(**settings, burst_seconds=burst_seconds)  # type: ignore[arg-type]  # one value of them is a text
    seen = simulated(limited, Faults(wait_headers=waits), concurrency)
    assert seen.sent <= ALLOWED_REQUESTS
    assert seconds_allowed(limited) / seen.seconds >= ALLOWED_SHARE_OF_RATE


@pytest.mark.parametrize(
    "limited",
    [
        Limits(1200, burst_seconds=10),
        Limits(None, 1200 * (PROMPT_TOKENS + ROOM_TOKENS), burst_seconds=1),
        Limits(None, 1200 * USED_TOKENS, burst_seconds=1, counted="usage"),
        Limits(1200, burst_seconds=1, headers_stated=False),
    ],
    ids=["requests", "tokens", "tokens used", "nothing stated"],
)
def test_a_limit_far_away_is_followed_too(limited: Limits) -> None:
    seen = simulated(limited, round_trip_seconds=0.1)
    assert seen.sent <= ALLOWED_REQUESTS
    assert seconds_allowed(limited) / seen.seconds >= ALLOWED_SHARE_OF_RATE


@pytest.mark.parametrize("waits", ["retry-after", "none"])
@pytest.mark.parametrize("outage", [(0.0, 4.0), (2.0, 6.0)])
def test_an_outage_costs_its_own_length_and_few_requests(outage: tuple[float, float], waits: WaitHeaders) -> None:
    seen = simulated(faults=Faults(outage_seconds=outage, wait_headers=waits))
    undisturbed = simulated()
    assert seen.sent <= 1.05 * REQUESTS
    assert seen.seconds <= undisturbed.seconds + 4.0 * 1.5


def test_during_an_outage_one_request_at_a_time_tries() -> None:
    seen = simulated(faults=Faults(outage_seconds=(2.0, 12.0), wait_headers="none"))
    tries = [at for at in seen.sent_at if 4.0 <= at < 12.0]
    assert 1 <= len(tries) <= 6


def test_single_refusals_delay_only_themselves() -> None:
    seen = simulated(faults=Faults({"429": 0.05}))
    assert 0 < seen.refused < 0.1 * REQUESTS
    assert len([at for at in seen.sent_at if at < 5.0]) > 500, "all others went on at full speed"


def test_a_very_slow_endpoint_is_followed_and_not_hammered() -> None:
    limited = Limits(120, burst_seconds=5, headers_stated=False)
    seen = simulated(limited, Faults(wait_headers="none"))
    assert seen.sent <= ALLOWED_REQUESTS
    assert seconds_allowed(limited) / seen.seconds >= 0.8


def test_the_stated_wait_is_kept() -> None:
    async def refused(headers: Mapping[str, str], message: str) -> float:
        pacer = Pacer()
        return pacer.refused(await pacer.turn(1), headers, message, 1)

    for headers, message in [
        ({"retry-after": "7"}, ""),
        ({"retry-after-ms": "7000"}, ""),
        ({}, "Limit reached. Please try again in 7s. Visit our site."),
        ({"retry-after-ms": "7000", "retry-after": "9"}, "try again in 99s"),
    ]:
        assert 7.0 <= run_in_virtual_time(refused(headers, message)) < 7.1
    assert run_in_virtual_time(refused({}, "Slow down.")) < 1.0


def test_closing_lets_everyone_go_who_waits() -> None:
    async def close_during_a_pause() -> int:
        pacer = Pacer()
        for refused in [await pacer.turn(1) for _ in range(RUN_OF_REFUSALS)]:
            pacer.refused(refused, {"retry-after": "1000"}, "", 1)
        waiting = [asyncio.create_task(pacer.turn(1)) for _ in range(10)]
        await asyncio.sleep(1)
        assert not any(task.done() for task in waiting)
        pacer.hold_nothing_back()
        return len(await asyncio.gather(*waiting))

    assert run_in_virtual_time(close_during_a_pause()) == 10


def test_a_cancelled_wait_leaves_the_queue_usable() -> None:
    async def cancel_the_first() -> None:
        pacer = Pacer()
        for refused in [await pacer.turn(1) for _ in range(RUN_OF_REFUSALS)]:
            pacer.refused(refused, {"retry-after": "5"}, "", 1)
        first, second = asyncio.create_task(pacer.turn(1)), asyncio.create_task(pacer.turn(1))
        await asyncio.sleep(1)
        first.cancel()
        assert await second

    run_in_virtual_time(cancel_the_first())


def test_refusals_of_everything_are_timed() -> None:
    async def refused_for(seconds: float) -> tuple[float, float]:
        pacer = Pacer()
        sent = await pacer.turn(1)
        pacer.refused(sent, {}, "", 1)
        await asyncio.sleep(seconds)
        before = pacer.refused_for_seconds()
        pacer.accepted(sent, {})
        return before, pacer.refused_for_seconds()

    before, after = run_in_virtual_time(refused_for(90))
    assert 90 <= before < 91
    assert after == 0.0


def test_backoff_doubles_and_stays_below_its_limit() -> None:
    assert 0.3 < backoff_seconds(1) < 0.7
    assert 1.5 <= backoff_seconds(3) <= 2.5
    assert backoff_seconds(50) <= 37.5
    assert backoff_seconds(2000) <= 37.5


def test_the_allowance_counts_what_is_in_flight() -> None:
    allowance = Allowance(learns_charge=False)
    assert allowance.seconds_until(1, 0.0) == 0.0
    allowance.spend(1, 0.0)
    allowance.report(limit=60, remaining=10, sent_at=0.0, spent=1, now=0.0)
    for _ in range(9):
        assert allowance.seconds_until(1, 0.0) == 0.0
        allowance.spend(1, 0.0)
    assert 0 < allowance.seconds_until(1, 0.0) <= 1.0
    assert allowance.seconds_until(1, 2.0) == 0.0


def test_an_old_report_does_not_undo_a_newer_one() -> None:
    allowance = Allowance(learns_charge=False)
    allowance.report(limit=60, remaining=0, sent_at=5.0, spent=0, now=5.0)
    allowance.report(limit=60, remaining=50, sent_at=1.0, spent=0, now=5.0)
    assert allowance.seconds_until(1, 5.0) > 0


def test_a_request_larger_than_the_limit_waits_for_a_full_bucket_only() -> None:
    allowance = Allowance(learns_charge=False)
    allowance.report(limit=60, remaining=0, sent_at=0.0, spent=0, now=0.0)
    assert allowance.seconds_until(1000, 0.0) == pytest.approx(60.0)


def test_a_limit_without_a_remainder_is_paced_evenly() -> None:
    allowance = Allowance(learns_charge=False)
    allowance.report(limit=60, remaining=None, sent_at=0.0, spent=0, now=0.0)
    assert allowance.seconds_until(1, 0.0) == pytest.approx(1.0)
    assert allowance.seconds_until(1, 1.0) == 0.0


def test_the_examples_of_the_headers_are_true() -> None:
    results = doctest.testmod(limits)
    assert results.attempted >= 4
    assert results.failed == 0


def test_hostile_headers_are_ignored() -> None:
    for text in ("nan", "inf", "-5", "1e999", "soon", "", "9" * 400):
        headers = {"x-ratelimit-limit-requests": text, "x-ratelimit-remaining-tokens": text, "retry-after-ms": text}
        assert LimitHeaders.read(headers) == LimitHeaders(None, None, None, None)
        assert stated_wait_seconds(headers, f"try again in {text}") is None
    assert stated_wait_seconds({"retry-after": "yesterday"}, "") is None
    assert reset_seconds({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "9s"}) is None


def test_a_date_in_retry_after_is_read() -> None:
    assert stated_wait_seconds({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, "") == 0.0
    far = stated_wait_seconds({"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}, "")
    assert far is not None
    assert far > 1e9
