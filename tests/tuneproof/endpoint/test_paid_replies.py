"""What came with status 200 is paid for: it is a reply, whatever stands in it, and however late it is looked at."""

import asyncio
import time

import pytest

from tests.servers.openai.faults import BODY_FAULTS, Faults
from tests.servers.openai.server import OpenAIServer
from tests.tuneproof.endpoint.test_client import body_of, client_of
from tuneproof.endpoint.errors import TransportFailure
from tuneproof.endpoint.protocol import Completion


def one_reply(server: OpenAIServer) -> Completion:
    async def run() -> Completion:
        async with client_of(server) as client:
            return await client.complete(body_of(1))

    return asyncio.run(run())


async def in_flight(server: OpenAIServer, requests: int) -> None:
    while server.counts.in_flight < requests:  # noqa: ASYNC110 - the server has a loop of its own
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", BODY_FAULTS)
def test_an_odd_body_is_a_reply_and_asked_for_once(fault: str) -> None:
    with OpenAIServer(faults=Faults(stuck={fault: 1.0})) as server:
        reply = one_reply(server)
        assert server.counts.paid.total() == 1
    if fault in ("invalid_body", "no_choices"):
        assert reply.text is None
        assert str(reply.problem).startswith("the answer is no chat completion: {")
    else:
        assert reply.problem is None
        assert '"score"' in str(reply.text)
    assert (reply.prompt_tokens is None) == (fault in ("invalid_body", "odd_usage"))


def test_replies_that_came_while_the_loop_stood_still_win_over_their_deadlines() -> None:
    async def run(server: OpenAIServer) -> list[Completion | BaseException]:
        async with client_of(server, timeout_seconds=0.5) as client:
            asked = [asyncio.create_task(client.complete(body_of(number))) for number in range(20)]
            await in_flight(server, len(asked))
            time.sleep(1.5)  # noqa: ASYNC251 - what a stopped process or a suspended laptop does
            return await asyncio.gather(*asked, return_exceptions=True)

    with OpenAIServer(latency_seconds=0.3) as server:
        replies = asyncio.run(run(server))
        assert [reply for reply in replies if not isinstance(reply, Completion)] == []
        assert server.counts.requests.total() == 20


def test_a_reply_that_is_here_wins_over_being_cancelled() -> None:
    async def run(server: OpenAIServer) -> Completion:
        async with client_of(server) as client:
            asked = asyncio.create_task(client.complete(body_of(1)))
            await in_flight(server, 1)
            (post,) = asyncio.all_tasks() - {asked, asyncio.current_task()}
            post.add_done_callback(lambda _: asked.cancel())
            return await asked

    with OpenAIServer(latency_seconds=0.3) as server:
        assert asyncio.run(run(server)).text is not None


def test_a_stopped_client_sends_nothing_more_and_keeps_what_is_in_flight() -> None:
    async def run(server: OpenAIServer) -> list[Completion | BaseException]:
        async with client_of(server, concurrency=4) as client:
            asked = [asyncio.create_task(client.complete(body_of(number))) for number in range(10)]
            await in_flight(server, 4)
            client.stop()
            return await asyncio.gather(*asked, return_exceptions=True)

    with OpenAIServer(latency_seconds=0.3) as server:
        replies = asyncio.run(run(server))
        assert sum(isinstance(reply, Completion) for reply in replies) == server.counts.requests.total() == 4


def test_an_error_in_a_completions_place_is_still_a_fault() -> None:
    async def run(server: OpenAIServer) -> None:
        async with client_of(server, transport_attempts=2) as client:
            await client.complete(body_of(1))

    with OpenAIServer(faults=Faults(stuck={"error_body": 1.0})) as server, pytest.raises(TransportFailure):
        asyncio.run(run(server))
