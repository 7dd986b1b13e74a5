"""An answer's body is bounded, also when it is packed."""

import asyncio
import gzip
import resource
import zlib
from collections.abc import Callable

import pytest
from aiohttp import web

from tests.servers.openai.server import OpenAIServer
from tuneproof.endpoint.client import Client
from tuneproof.endpoint.protocol import Completion
from tuneproof.endpoint.transport import Answer, Transport

ZEROS = 300_000_000


class Sender(OpenAIServer):
    """A server that answers with given bytes and headers, asked or not."""

    def __init__(self, body: bytes, coding: str | None, times: int = 1) -> None:
        super().__init__()
        self.body, self.coding, self.times = body, coding, times

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Encoding": self.coding} if self.coding else {})
        await response.prepare(request)
        for _ in range(self.times):
            await response.write(self.body)
        return response


def answer_of(server: OpenAIServer) -> Answer:
    async def run() -> Answer:
        transport = Transport(server.base_url, None, label="it", key_variable=None, concurrency=1, timeout_seconds=60.0)
        async with transport:
            return await transport.post(b"{}")

    return asyncio.run(run())


def megabytes() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def test_a_gigabyte_within_a_megabyte_is_no_reply_and_takes_no_memory() -> None:
    packed = gzip.compress(bytes(ZEROS), compresslevel=1)
    before = megabytes()
    with Sender(packed, "gzip") as server:
        assert answer_of(server).body == b"(the body is longer than 32 MiB)"
    assert megabytes() - before < 150


def test_a_long_plain_answer_is_not_read_to_its_end() -> None:
    before = megabytes()
    with Sender(bytes(1_000_000), None, times=300) as server:
        assert answer_of(server).body == b"(the body is longer than 32 MiB)"
    assert megabytes() - before < 200


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), (None, bytes)])
def test_an_answer_that_is_packed_unasked_is_read_all_the_same(
    coding: str | None, pack: Callable[[bytes], bytes]
) -> None:
    with Sender(pack(b'{"choices": []}'), coding) as server:
        assert answer_of(server).body == b'{"choices": []}'


@pytest.mark.parametrize(
    ("coding", "note"),
    [("br", b"(the body is packed as 'br', which was not asked for)"), ("gzip", b"(the body is no gzip)")],
)
def test_what_cannot_be_unpacked_says_so(coding: str, note: bytes) -> None:
    with Sender(b"no such thing", coding) as server:
        assert answer_of(server).body == note


def test_a_body_without_bound_is_billed_and_told_in_one_line() -> None:
    async def run() -> Completion:
        client = Client(server.base_url, None, label="it", concurrency=1, timeout_seconds=60.0, key_variable=None)
        async with client:
            return await client.complete({"model": "m", "messages": []})

    with Sender(gzip.compress(bytes(ZEROS), compresslevel=1), "gzip") as server:
        completion = asyncio.run(run())
    assert completion.problem == "the answer is no chat completion: (the body is longer than 32 MiB)"
