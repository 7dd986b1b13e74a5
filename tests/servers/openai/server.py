"""A local server that speaks the OpenAI protocol, with faults, rate limits and counts; repeatable.

In a test:   with OpenAIServer(faults=Faults({"429": 0.05})) as server: ... server.base_url ... server.counts
By itself:   python -m tests.servers.openai.server --port 0 --fault 429=0.05   (prints its address; counts at /counts)
"""

import argparse
import asyncio
import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.servers.openai.faults import BODY_FAULTS, TRANSPORT_FAULTS, Faults, canonical, share_of, wait_stated
from tests.servers.openai.limits import Limits
from tests.servers.openai.replies import (
    Completer,
    Scorer,
    completion,
    default_scorer,
    odd_body,
    spoiled,
    text_completion,
    usage_of,
)

TURNS_TO_CONNECT = 5  # of the event loop, at most, until what it has accepted is a connection that can be closed
ERROR_CODES = {400: "invalid_request", 401: "invalid_api_key", 403: "forbidden", 404: "model_not_found"}


@dataclass
class Counts:
    """What the server has seen, by the canonical name of the body."""

    requests: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)  # chat completions given out, good or spoiled
    good: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)  # the Authorization headers
    in_flight: int = 0
    peak_in_flight: int = 0


class OpenAIServer:
    """The server, in a thread of its own while its `with` block lasts."""

    def __init__(
        self,
        *,
        latency_seconds: float = 0.0,
        latency_spread_seconds: float = 0.0,
        faults: Faults | None = None,
        limits: Limits | None = None,
        scorer: Scorer = default_scorer,
        completer: Completer | None = None,
        port: int = 0,
    ) -> None:
        self.faults, self.limits, self.scorer = faults or Faults(), limits or Limits(), scorer
        self.completer = completer  # answers text completions; without one there are none, as behind a chat service
        self.counts = Counts()
        self._latency, self._spread, self._port = latency_seconds, latency_spread_seconds, port
        self._first_at: float | None = None
        self._runner: web.AppRunner | None = None
        self._listening: socket.socket | None = None

    @property
    def base_url(self) -> str:
        """The address to give to a client."""
        return f"http://127.0.0.1:{self._port}/v1"

    def latency_of(self, body: dict[str, Any], seen: int = 1) -> float:
        """Gives the seconds that a reply to this body takes."""
        return self._latency + self._spread * (2 * share_of("latency", canonical(body), seen) - 1)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def start(self) -> None:
        """Listens; afterwards `base_url` holds the real port."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self._listening = socket.create_server(("127.0.0.1", self._port), backlog=1024)
        await web.SockSite(self._runner, self._listening, backlog=1024).start()
        self._port = self._listening.getsockname()[1]

    async def stop(self) -> None:
        """Ends every connection, also those that are being made: asyncio would forget them, open, if it closed now."""
        if self._runner and self._listening:
            asyncio.get_running_loop().remove_reader(self._listening)
            for _ in range(TURNS_TO_CONNECT):
                await asyncio.sleep(0)
            await self._runner.cleanup()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def application(self) -> web.Application:
        """Builds the routes; further ones can be added to what it returns."""
        application = web.Application(client_max_size=2**28)
        application.router.add_get("/v1/models", self._models)
        application.router.add_get("/counts", self._show_counts)
        application.router.add_post("/v1/chat/completions", self._chat)
        if self.completer:
            application.router.add_post("/v1/completions", self._chat)
        return application

    async def _models(self, request: web.Request) -> web.Response:
        model = {"id": "judge", "object": "model", "created": 0, "owned_by": "tests"}
        return web.json_response({"object": "list", "data": [model]})

    async def _show_counts(self, request: web.Request) -> web.Response:
        return web.json_response(vars(self.counts))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        counts = self.counts
        counts.in_flight += 1
        counts.peak_in_flight = max(counts.peak_in_flight, counts.in_flight)
        try:
            body = await request.json()
            name = canonical(body)
            counts.requests[name] += 1
            counts.keys[request.headers.get("Authorization", "")] += 1
            response = await self._answer(request, body, name)
            counts.statuses[str(response.status)] += 1
            return response
        finally:
            counts.in_flight -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any], name: str) -> web.StreamResponse:
        now = asyncio.get_running_loop().time()
        self._first_at = now if self._first_at is None else self._first_at
        fault = self.faults.pick(name, self.counts.requests[name])
        text = self.completer(body) if self.completer and "prompt" in body else None
        content = text["text"] if text else self.scorer(body)
        usage = usage_of(body, content)
        if refused := self._refused(fault, body, usage, now):
            return refused
        self.counts.faults[fault or "none"] += 1
        await asyncio.sleep(self.latency_of(body, self.counts.requests[name]))
        if fault in TRANSPORT_FAULTS:
            return await self._broken(request, fault)
        said = spoiled(fault, content)
        self.counts.paid[name] += 1
        self.counts.good[name] += fault is None
        headers = self.limits.headers(asyncio.get_running_loop().time())
        answer = text_completion(body, text, usage) if text else completion(body, said, usage)
        if fault in BODY_FAULTS:
            return web.Response(body=odd_body(fault, answer), content_type="application/json", headers=headers)
        return web.json_response(answer, headers=headers)

    def _refused(
        self, fault: str | None, body: dict[str, Any], usage: dict[str, int], now: float
    ) -> web.Response | None:
        """Answers at once what is not let in; None for what is."""
        faults = self.faults
        if faults.status:
            message = faults.message or f"Status {faults.status} for everything."
            return _error(faults.status, message, ERROR_CODES.get(faults.status))
        if faults.quota_after is not None and self.counts.paid.total() >= faults.quota_after:
            return _error(429, "You exceeded your current quota.", "insufficient_quota")
        wait = self.limits.admit(body, usage, now)
        if wait or fault == "429" or faults.is_outage(now - (self._first_at or now)):
            self.counts.faults["429"] += 1
            headers, message = wait_stated(faults.wait_headers, wait or faults.wait_seconds)
            return _error(429, message, "rate_limit_exceeded", self.limits.headers(now) | headers)
        return None

    async def _broken(self, request: web.Request, fault: str) -> web.StreamResponse:
        if fault in ("500", "503"):
            return _error(int(fault), "The server had an error.", None)
        if fault == "hanging":
            await asyncio.Event().wait()
        if fault == "html":
            return web.Response(text="<html>Welcome to nginx!</html>", content_type="text/html")
        if fault == "error_body":
            return web.json_response({"error": {"message": "Upstream failed.", "code": "upstream"}})
        response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
        if fault == "cut":
            await response.prepare(request)
            await response.write(b'{"choices": [')
        if request.transport:
            request.transport.abort()
        return response


def _error(status: int, message: str, code: str | None, headers: dict[str, str] | None = None) -> web.Response:
    error = {"message": message, "type": code, "param": None, "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)


def _shares(settings: list[str]) -> dict[str, float]:
    return {name: float(share) for name, share in (setting.split("=") for setting in settings)}


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--spread", type=float, default=0.0, help="seconds more or less")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=SHARE")
    parser.add_argument("--stuck", action="append", default=[], metavar="NAME=SHARE")
    parser.add_argument("--outage", type=float, nargs=2, metavar=("FROM", "TO"), help="seconds after the first request")
    parser.add_argument("--quota-after", type=int)
    parser.add_argument("--status", type=int)
    parser.add_argument("--wait-headers", default="retry-after")
    parser.add_argument("--wait-seconds", type=float, default=1.0)
    parser.add_argument("--requests-per-minute", type=float)
    parser.add_argument("--tokens-per-minute", type=float)
    parser.add_argument("--burst-seconds", type=float, default=60.0)
    parser.add_argument("--counted", choices=["room", "usage"], default="room")
    parser.add_argument("--no-limit-headers", action="store_true")
    chosen = parser.parse_args()
    server = OpenAIServer(
        latency_seconds=chosen.latency,
        latency_spread_seconds=chosen.spread,
        port=chosen.port,
        faults=Faults(
            _shares(chosen.fault),
            _shares(chosen.stuck),
            outage_seconds=tuple(chosen.outage) if chosen.outage else None,
            quota_after=chosen.quota_after,
            status=chosen.status,
            wait_headers=chosen.wait_headers,
            wait_seconds=chosen.wait_seconds,
        ),
        limits=Limits(
            chosen.requests_per_minute,
            chosen.tokens_per_minute,
            chosen.burst_seconds,
            chosen.counted,
            not chosen.no_limit_headers,
        ),
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(server))


async def _serve(server: OpenAIServer) -> None:
    await server.start()
    print(server.base_url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
