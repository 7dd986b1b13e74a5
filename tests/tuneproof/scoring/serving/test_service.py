"""The service under load, in time and out of it: a real server whose model does as it is told."""

import asyncio
import threading
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import HTTPException

from tests.made_up.serving import ITEM, ask, gated
from tests.waiting import wait_until
from tuneproof.scoring.serving.door import bounded
from tuneproof.scoring.serving.messages import LARGEST_BODY
from tuneproof.scoring.serving.work import CALM_SECONDS, BoundedWork, BusyError

BODY = {"items": [ITEM]}


def test_what_does_not_fit_is_turned_away_at_once_and_what_was_accepted_is_answered() -> None:
    with gated(workers=1, line=2) as (port, gate), ThreadPoolExecutor(3) as clients:
        accepted = [clients.submit(ask, port, "/score", BODY) for _ in range(3)]
        wait_until(lambda: "work_inside 3.0" in ask(port, "/metrics").text)
        for _ in range(5):
            refused = ask(port, "/score", BODY)
            assert (refused.status, refused.headers["retry-after"]) == (429, "1")
            assert refused.json == {"error": "busy; try again"}
        assert ask(port, "/healthz").status == 200
        gate.open.set()
        assert [one.result().status for one in accepted] == [200] * 3
        wait_until(lambda: ask(port, "/score", BODY).status == 200)
        assert 'requests_total{path="/score",status="429"} 5.0' in ask(port, "/metrics").text


def test_after_a_refusal_nothing_waits_until_it_is_calm() -> None:
    now = [100.0]
    release = threading.Event()

    async def overload() -> None:
        work = BoundedWork(1, 1, lambda: now[0])
        first = asyncio.create_task(work.do(release.wait, 60))
        second = asyncio.create_task(work.do(release.wait, 60))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await work.do(release.wait, 60)
        release.set()
        await first
        await second
        release.clear()
        running = asyncio.create_task(work.do(release.wait, 60))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):  # there is a free place in the line, and it stays free
            await work.do(release.wait, 60)
        now[0] += CALM_SECONDS
        waiting = asyncio.create_task(work.do(release.wait, 60))
        await asyncio.sleep(0)
        assert work.inside == 2
        release.set()
        assert [await running, await waiting] == [True, True]
        work.stop()

    asyncio.run(overload())


@pytest.mark.parametrize(("fail", "status", "passed"), [("open", 200, True), ("closed", 504, False)])
def test_when_time_runs_out_every_answer_passes_or_none_does(fail: Any, status: int, passed: bool) -> None:
    with gated(line=1, timeout_seconds=0.1, fail=fail) as (port, gate):
        late = ask(port, "/score", {"items": [ITEM, ITEM]})
        assert late.status == status
        assert late.json == {"results": [{"passed": passed, "scores": {}}] * 2, "timed_out": True}
        waiting = ask(port, "/score", BODY)
        assert waiting.status == status
        assert gate.begun == 1, "what nobody waits for any more was begun"
        assert "tuneproof_timed_out_total 2.0" in ask(port, "/metrics").text
        gate.open.set()
        wait_until(lambda: ask(port, "/score", BODY).status == 200)


def test_a_bug_is_told_by_its_place_and_never_by_its_message(capfd: pytest.CaptureFixture[str]) -> None:
    with gated() as (port, gate):
        gate.open.set()
        gate.fails = ValueError("this holds It keeps the GPU busy.")
        failed = ask(port, "/score", BODY)
        assert failed.status == 500
        assert failed.json == {"error": "the service failed; its log says where"}
        gate.fails = None
        assert ask(port, "/score", BODY).status == 200
    said = "".join(capfd.readouterr())
    assert "serve: a request failed: ValueError in serving.py, line " in said
    assert "GPU" not in said
    assert "Traceback" not in said


def received(*chunks: bytes) -> Any:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]

    async def receive() -> MutableMapping[str, Any]:
        if not messages:
            await asyncio.sleep(60)
        return messages.pop(0)

    return receive


@pytest.mark.parametrize(
    ("chunks", "status"), [((b"{", b"x" * LARGEST_BODY), 413), ((b"{",), 408)], ids=["too long", "too slow"]
)
def test_a_body_without_a_length_is_bounded_in_bytes_and_seconds(chunks: tuple[bytes, ...], status: int) -> None:
    async def read() -> None:
        receive = bounded(received(*chunks), seconds=0.2)
        while True:
            await receive()

    with pytest.raises(HTTPException) as raised:
        asyncio.run(read())
    assert raised.value.status_code == status
