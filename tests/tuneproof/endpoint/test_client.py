"""The client against a real local server, fault by fault."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers.openai.faults import TRANSPORT_FAULTS, Faults
from tests.servers.openai.limits import Limits
from tests.servers.openai.newer_models import NewerModels
from tests.servers.openai.server import OpenAIServer
from tuneproof.common.errors import UserError
from tuneproof.common.windows import work_through
from tuneproof.endpoint.client import Client
from tuneproof.endpoint.errors import EndpointStopped, RequestRejected, TransportFailure
from tuneproof.endpoint.protocol import Completion

KEY = "sk-planted-0123456789abcdef"


def body_of(number: int, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Judge answer {number}."}]
    return {"model": "judge", "messages": messages, "max_tokens": 100, "temperature": 0} | more


def client_of(server: OpenAIServer, **settings: Any) -> Client:
    """A client that waits little between attempts: how long it waits is the pacing tests' matter."""
    chosen: dict[str, Any] = {"label": "the judge", "concurrency": 32, "timeout_seconds": 30.0}
    chosen |= {"first_backoff_seconds": 0.005} | settings
    return Client(server.base_url, KEY, **chosen)


def ask(server: OpenAIServer, count: int = 1, **settings: Any) -> tuple[list[Completion], list[Exception], Client]:
    """Sends so many requests and gives the replies, what failed for one request, and the client."""
    replies: list[Completion] = []
    failures: list[Exception] = []

    async def run() -> Client:
        async with client_of(server, **settings) as client:

            async def worker(number: int) -> None:
                try:
                    replies.append(await client.complete(body_of(number)))
                except (TransportFailure, RequestRejected) as failure:
                    failures.append(failure)

            await work_through(range(count), worker, 2 * settings.get("concurrency", 32))
        return client

    return replies, failures, asyncio.run(run())


def test_a_reply_carries_what_the_endpoint_said() -> None:
    with OpenAIServer() as server:
        replies, failures, client = ask(server)
    reply = replies[0]
    assert not failures
    assert reply.text is not None
    assert set(json.loads(reply.text)) == {"accuracy", "style"}
    assert (reply.model, reply.finish_reason, reply.refusal) == ("judge-local", "stop", None)
    assert reply.prompt_tokens is not None
    assert reply.prompt_tokens > 0
    assert reply.reply_tokens is not None
    assert reply.logprobs is None
    assert (client.statistics.requests, client.statistics.replies) == (1, 1)
    assert set(server.counts.keys) == {f"Bearer {KEY}"}


def test_an_endpoint_that_wants_the_newer_name_of_max_tokens_is_asked_by_it_from_then_on() -> None:
    with NewerModels() as server:
        replies, failures, client = ask(server, 6, concurrency=1)
    assert (len(replies), failures) == (6, [])
    refused = server.counts.statuses["400"]  # what was under way before the first refusal was read
    assert refused <= 2
    assert client.statistics.requests == 6 + refused


def test_the_body_is_sent_as_it_is_given() -> None:
    seen: list[dict[str, Any]] = []

    def scorer(body: dict[str, Any]) -> str:
        seen.append(body)
        return "{}"

    body = body_of(1, response_format={"type": "json_object"}, logprobs=True, top_logprobs=2, unheard_of=[None, "é"])
    with OpenAIServer(scorer=scorer) as server:

        async def run() -> Completion:
            async with client_of(server) as client:
                return await client.complete(body)

        reply = asyncio.run(run())
        body["messages"].append({"role": "user", "content": "half a pair: \ud83d"})
        asyncio.run(run())
    body["messages"][1]["content"] = "half a pair: ?"
    assert seen[1] == body
    del body["messages"][1]
    assert seen[0] == body
    assert reply.logprobs is not None
    assert "".join(token["token"] for token in reply.logprobs) == "{}"
    assert set(reply.logprobs[0]) == {"token", "logprob", "top_logprobs"}
    assert len(reply.logprobs[0]["top_logprobs"]) == 2


def test_every_request_is_answered_under_a_mix_of_all_faults() -> None:
    shares = {fault: 0.02 for fault in TRANSPORT_FAULTS if fault not in ("429", "hanging")}
    faults = Faults(shares | {"429": 0.05, "hanging": 0.002}, wait_seconds=0.01)
    with OpenAIServer(faults=faults) as server:
        replies, failures, client = ask(server, 1000, timeout_seconds=5.0)
    assert not failures
    assert len(replies) == 1000
    assert server.counts.paid.total() == 1000, "no reply was bought twice"
    assert client.statistics.faults > 50
    assert client.statistics.refusals > 20
    assert client.statistics.requests == server.counts.requests.total() <= 1300
    assert server.counts.peak_in_flight <= 32


@pytest.mark.parametrize("fault", [fault for fault in TRANSPORT_FAULTS if fault not in ("429", "hanging")])
def test_a_fault_that_stays_fails_its_own_request_alone(fault: str) -> None:
    with OpenAIServer(faults=Faults(stuck={fault: 0.1})) as server:
        replies, failures, _ = ask(server, 30, transport_attempts=3)
    assert len(replies) + len(failures) == 30
    assert len(failures) in range(1, 10)
    assert all(isinstance(failure, TransportFailure) for failure in failures)
    assert server.counts.requests.most_common(1)[0][1] == 3


def test_a_hanging_request_is_given_up_after_its_time() -> None:
    with OpenAIServer(faults=Faults(stuck={"hanging": 1.0})) as server:
        _, failures, _ = ask(server, 1, timeout_seconds=0.1, transport_attempts=2)
    assert str(failures[0]) == "the judge: 2 attempts failed, the last with: no answer within 0.1 s"
    assert server.counts.requests.total() == 2


@pytest.mark.parametrize("wait_headers", ["retry-after", "retry-after-ms", "x-ratelimit", "message", "none"])
def test_a_refused_request_is_sent_again(wait_headers: Any) -> None:
    with OpenAIServer(faults=Faults({"429": 0.2}, wait_headers=wait_headers, wait_seconds=0.02)) as server:
        replies, failures, _ = ask(server, 100, concurrency=8)
    assert len(replies) == 100
    assert not failures
    assert server.counts.paid.total() == 100


def test_a_binding_limit_loses_nothing() -> None:
    with OpenAIServer(limits=Limits(requests_per_minute=6000, burst_seconds=0.2)) as server:
        replies, failures, _ = ask(server, 300)
    assert len(replies) == 300
    assert not failures
    assert server.counts.requests.total() <= 1.15 * 300


def test_an_outage_loses_nothing() -> None:
    with OpenAIServer(latency_seconds=0.01, faults=Faults(outage_seconds=(0.1, 1.1), wait_seconds=0.2)) as server:
        replies, failures, _ = ask(server, 300)
    assert len(replies) == 300
    assert not failures
    assert server.counts.requests.total() <= 1.15 * 300


def test_the_end_of_the_quota_stops_at_once_and_keeps_what_is_in_flight() -> None:
    replies: list[Completion] = []
    with OpenAIServer(latency_seconds=0.05, faults=Faults(quota_after=40)) as server:

        async def run() -> None:
            async with client_of(server, concurrency=16) as client:

                async def worker(number: int) -> None:
                    replies.append(await client.complete(body_of(number)))

                await work_through(range(10_000), worker, 32)

        with pytest.raises(EndpointStopped, match="no credit left"):
            asyncio.run(run())
    assert len(replies) == server.counts.paid.total() >= 40
    assert server.counts.requests.total() <= 40 + 2 * 16


@pytest.mark.parametrize(
    ("status", "found"),
    [(401, "refused the key"), (402, "paid"), (403, "forbids"), (404, "does not know"), (405, "405"), (302, "302")],
)
def test_what_a_person_must_mend_stops_at_once(status: int, found: str) -> None:
    with OpenAIServer(faults=Faults(status=status)) as server:
        with pytest.raises(EndpointStopped, match=found) as stop:
            ask(server, 1000, concurrency=4)
        assert server.counts.requests.total() <= 8
    assert stop.value.where == "the judge"
    assert "\n" not in str(stop.value)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_rejected_request_is_not_sent_again(status: int) -> None:
    with OpenAIServer(faults=Faults(status=status)) as server:
        _, failures, _ = ask(server, 3)
    assert server.counts.requests.total() == 3
    assert all(isinstance(failure, RequestRejected) for failure in failures)
    rejection = failures[0]
    assert isinstance(rejection, RequestRejected)
    assert rejection.message == f"Status {status} for everything."
    assert rejection.code == ("invalid_request" if status == 400 else None)


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with OpenAIServer(faults=Faults(status=status)) as server:
        _, failures, client = ask(server, 1, transport_attempts=4)
    assert server.counts.requests.total() == 4
    assert isinstance(failures[0], TransportFailure)
    assert client.statistics.last_fault is not None
    assert str(status) in client.statistics.last_fault


def test_an_endpoint_that_is_gone_ends_the_run_soon() -> None:
    with OpenAIServer(faults=Faults(status=503)) as server:
        with pytest.raises(EndpointStopped, match="in a row"):
            ask(server, 1000, concurrency=2, transport_attempts=2)
        assert server.counts.requests.total() <= 40


def test_a_server_that_drops_connections_gets_every_attempt() -> None:
    with OpenAIServer(faults=Faults(stuck={"dropped": 1.0})) as server:
        _, failures, _ = ask(server, transport_attempts=6)
    assert str(failures[0]).startswith("the judge: 6 attempts failed, the last with: Server disconnected")


def test_an_address_where_nothing_listens_is_given_up_sooner_and_named_as_the_cause() -> None:
    settings: dict[str, Any] = {"label": "x", "concurrency": 1, "timeout_seconds": 5, "first_backoff_seconds": 0.01}
    client = Client("http://127.0.0.1:9/v1", KEY, **settings)

    async def run() -> None:
        async with client:
            await client.complete(body_of(1))

    with pytest.raises(TransportFailure, match="4 attempts failed, the last with: Cannot connect"):
        asyncio.run(run())
    assert client.statistics.requests == 4


def test_a_wait_of_hours_stops_instead() -> None:
    with (
        OpenAIServer(faults=Faults({"429": 1.0}, wait_seconds=7200)) as server,
        pytest.raises(EndpointStopped, match="120 minutes"),
    ):
        ask(server, 1)


def test_a_rate_limit_that_never_ends_stops() -> None:
    with (
        OpenAIServer(faults=Faults({"429": 1.0}, wait_seconds=0.01)) as server,
        pytest.raises(EndpointStopped, match="lets nothing through"),
    ):
        ask(server, 1, patience_seconds=0.5)


def test_the_key_is_never_shown() -> None:
    leak = f"Incorrect API key provided: {KEY}. sk-proj-abc*****xyz\nSee\x1b[31m https://x" + "y" * 5000
    with OpenAIServer() as server:
        server.faults = Faults(status=401)

        async def run(status: int) -> None:
            server.faults = Faults(status=status, message=leak)
            async with client_of(server, transport_attempts=1, patience_seconds=0.1) as client:
                assert KEY not in repr(client)
                assert KEY not in repr(vars(client).get("statistics"))
                await client.complete(body_of(1))

        for status in (400, 401, 403, 404, 429, 500):
            with pytest.raises((UserError, RequestRejected, TransportFailure)) as raised:
                asyncio.run(run(status))
            shown = f"{raised.value} {raised.value!r} {raised.value.args}"
            assert "sk-" not in shown
            assert "\x1b" not in shown
            assert len(str(raised.value)) < 500
            assert (
                raised.value.__suppress_context__
                or raised.value.__context__ is None
                or KEY not in repr(raised.value.__context__)
            )


def test_a_missing_key_is_named_only_where_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"label": "the judge", "concurrency": 1, "timeout_seconds": 1}
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        Client(None, None, **settings)
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        Client("https://api.openai.com/v1", "", **settings)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    Client(None, None, **settings)
    monkeypatch.delenv("OPENAI_BASE_URL")
    Client("http://localhost:8000/v1", None, **settings)


@pytest.mark.parametrize("key", ["sk-with\nnewline", "sk-with space", "sk-schlüssel"])
def test_a_broken_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UserError) as raised:
        Client("http://localhost/v1", key, label="the judge", concurrency=1, timeout_seconds=1)
    assert "sk-" not in str(raised.value)


def test_the_variable_with_the_key_is_the_one_that_is_named() -> None:
    with OpenAIServer(faults=Faults(status=401)) as server:
        with pytest.raises(EndpointStopped, match=r"check the key \(MY_JUDGE_KEY\)"):
            ask(server, key_variable="MY_JUDGE_KEY")
        with pytest.raises(EndpointStopped, match="name the variable with its key in key_variable") as stop:
            ask(server, key_variable=None)
    assert "OPENAI_API_KEY" not in str(stop.value)
    with pytest.raises(UserError, match="set MY_JUDGE_KEY anew"):
        Client("http://x/v1", "a b", label="x", concurrency=1, timeout_seconds=1, key_variable="MY_JUDGE_KEY")


@pytest.mark.parametrize(
    "base_url",
    ["localhost:8000/v1", "ftp://host/v1", "http://", "not an address", "http://a..b/v1", "http://[::1/v1",
     f"http://{'a' * 64}.com/v1", "http://h:ab/v1", "http://h\x00/v1", "http://h/v1?a=b", "http://u:p@h/v1"],
)  # fmt: skip
def test_a_broken_address_is_refused(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^base_url: "):
        Client(base_url, KEY, label="the judge", concurrency=1, timeout_seconds=1)
    if "\x00" not in base_url:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        with pytest.raises(UserError, match=r"^OPENAI_BASE_URL: "):
            Client(None, KEY, label="the judge", concurrency=1, timeout_seconds=1)


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/deep/er/v1"])
@pytest.mark.parametrize("host", ["http://judge:8000", "https://judge.internal", "http://[::1]:80"])
def test_the_key_goes_to_the_host_that_is_named_and_nowhere_else(host: str, path: str) -> None:
    async def address() -> str:
        client = Client(f"{host}{path}", KEY, label="x", concurrency=1, timeout_seconds=5)
        async with client:
            return str(client._transport._address)

    expected = f"{host}{path.rstrip('/')}/chat/completions"
    assert asyncio.run(address()) == expected.replace("[::1]:80", "[::1]")


@pytest.mark.parametrize(
    ("variable", "value"), [("HTTP_PROXY", "socks4://localhost:1"), ("SSL_CERT_FILE", "/nowhere.pem")]
)
def test_a_variable_that_cannot_be_used_is_one_line(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with OpenAIServer() as server, pytest.raises(UserError, match=r"its client cannot be set up \(") as raised:
        ask(server)
    assert str(raised.value).isprintable()


def test_a_variable_that_is_no_header_is_a_fault_and_not_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "\u0142\u00f3d\u017a")
    with OpenAIServer() as server:
        _, failures, _ = ask(server, transport_attempts=1)
    assert "encode" in str(failures[0])


def test_a_private_server_gets_no_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with OpenAIServer() as server:

        async def run() -> None:
            async with Client(server.base_url, None, label="x", concurrency=1, timeout_seconds=5) as client:
                await client.complete(body_of(1))

        asyncio.run(run())
    assert KEY not in repr(server.counts.keys)


def test_the_address_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)

        async def run() -> None:
            async with Client(None, KEY, label="x", concurrency=1, timeout_seconds=5) as client:
                await client.complete(body_of(1))

        asyncio.run(run())
        assert server.counts.requests.total() == 1


def test_importing_the_client_loads_no_library() -> None:
    code = "import sys, tuneproof.endpoint.client; print({'openai', 'aiohttp', 'httpx2'} & set(sys.modules))"
    scripts = Path(__file__).parents[3] / "scripts"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(scripts)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "set()"
