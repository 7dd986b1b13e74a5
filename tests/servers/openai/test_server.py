"""The local server itself: what tests conclude from it must hold."""

import json
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.servers.openai.faults import ALL_FAULTS, CONTENT_FAULTS, Faults, canonical, share_of
from tests.servers.openai.limits import Bucket, Limits
from tests.servers.openai.replies import default_scorer, spoiled
from tests.servers.openai.server import OpenAIServer
from tests.waiting import PATIENCE_SECONDS

SCHEMA = {
    "type": "object",
    "properties": {
        "clarity": {
            "type": "object",
            "properties": {"analysis": {"type": "string"}, "score": {"type": "integer", "enum": [1, 5, 9]}},
        }
    },
}


def body_of(number: int, **more: Any) -> dict[str, Any]:
    return {"model": "judge", "messages": [{"role": "user", "content": f"Number {number}"}]} | more


def fetch(address: str, method: str = "GET", body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(address)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE_SECONDS)
    with closing(connection):
        connection.request(method, parts.path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.load(response)


def post(base_url: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return fetch(f"{base_url}/chat/completions", "POST", body)


def test_the_reply_fits_the_schema_and_depends_on_the_body_alone() -> None:
    body = body_of(1, response_format={"type": "json_schema", "json_schema": {"schema": SCHEMA}})
    with OpenAIServer() as server:
        replies = [post(server.base_url, body)[1] for _ in range(2)]
    assert replies[0] == replies[1]
    said = json.loads(replies[0]["choices"][0]["message"]["content"])
    assert said["clarity"]["score"] in (1, 5, 9)
    scores = {json.loads(default_scorer(body | {"seed": seed}))["clarity"]["score"] for seed in range(50)}
    assert scores == {1, 5, 9}


def test_the_same_requests_meet_the_same_faults() -> None:
    faults = Faults(dict.fromkeys(ALL_FAULTS, 1 / 20))
    names = [canonical(body_of(number)) for number in range(2000)]
    picked = [faults.pick(name, 1) for name in names]
    assert picked == [Faults(faults.shares).pick(name, 1) for name in names]
    assert picked != [faults.pick(name, 2) for name in names]
    for fault in ALL_FAULTS:
        assert picked.count(fault) == pytest.approx(100, abs=40)


def test_a_stuck_fault_stays() -> None:
    faults = Faults(stuck={"malformed": 0.5})
    for number in range(50):
        name = canonical(body_of(number))
        assert len({faults.pick(name, seen) for seen in range(10)}) == 1


def test_a_misspelled_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="malfromed"):
        Faults({"malfromed": 0.5})


@pytest.mark.parametrize("fault", CONTENT_FAULTS)
def test_each_content_fault_spoils_the_content(fault: str) -> None:
    content = default_scorer(body_of(1))
    said = spoiled(fault, content)
    assert said != spoiled(None, content)


def test_what_was_asked_and_what_was_paid_is_counted() -> None:
    with OpenAIServer(faults=Faults(stuck={"off_scale": 1.0})) as server:
        for _ in range(3):
            post(server.base_url, body_of(1))
        post(server.base_url, body_of(2))
        _, counts = fetch(server.base_url.replace("/v1", "/counts"))
    assert counts["requests"] == {canonical(body_of(1)): 3, canonical(body_of(2)): 1}
    assert counts["paid"] == counts["requests"]
    assert sum(counts["good"].values()) == 0
    assert counts["peak_in_flight"] == 1
    assert server.counts.requests.total() == 4


def test_a_limit_lets_in_what_it_allows() -> None:
    limits = Limits(requests_per_minute=600, burst_seconds=1)
    admitted = [limits.admit({}, {"prompt_tokens": 1, "total_tokens": 1}, 100.0) == 0 for _ in range(15)]
    assert admitted.count(True) == 10
    assert limits.admit({}, {"prompt_tokens": 1, "total_tokens": 1}, 100.0) == pytest.approx(0.1)
    assert limits.admit({}, {"prompt_tokens": 1, "total_tokens": 1}, 100.11) == 0
    assert limits.headers(100.11)["x-ratelimit-limit-requests"] == "600"


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = Bucket(per_minute=60, burst_seconds=5)
    bucket.take(5, 0.0)
    assert bucket.level(2.0) == pytest.approx(2.0)
    assert bucket.level(1000.0) == 5.0


def test_tokens_are_counted_with_the_room_or_as_used() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    for counted, left in (("room", 60 - 40), ("usage", 60 - 15)):
        limits = Limits(tokens_per_minute=60, counted=counted)  # type: ignore[arg-type]  # the tuple widens the text
        limits.admit({"max_tokens": 30}, usage, 0.0)
        assert limits.headers(0.0)["x-ratelimit-remaining-tokens"] == str(left)


def test_latency_is_spread_around_its_mean() -> None:
    server = OpenAIServer(latency_seconds=0.5, latency_spread_seconds=0.2)
    latencies = [server.latency_of(body_of(number)) for number in range(2000)]
    assert 0.3 <= min(latencies) < 0.32
    assert 0.68 < max(latencies) <= 0.7
    assert sum(latencies) / 2000 == pytest.approx(0.5, abs=0.01)


def test_draws_are_even_and_repeatable() -> None:
    draws = [share_of("a", number) for number in range(2000)]
    assert draws == [share_of("a", number) for number in range(2000)]
    assert sum(draws) / 2000 == pytest.approx(0.5, abs=0.02)


def test_models_and_errors_are_as_the_protocol_says() -> None:
    with OpenAIServer(faults=Faults(status=401)) as server:
        assert fetch(f"{server.base_url}/models")[1]["object"] == "list"
        status, said = post(server.base_url, body_of(1))
    assert status == 401
    assert said["error"]["code"] == "invalid_api_key"


def test_it_runs_by_itself_and_prints_its_address() -> None:
    command = [sys.executable, "-m", "tests.servers.openai.server", "--fault", "500=1", "--quota-after", "5"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert post(address, body_of(1))[0] == 500
        finally:
            process.kill()
