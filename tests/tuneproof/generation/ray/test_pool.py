"""How much the driver of a cluster reads ahead, and to whom it gives what; whole clusters are in tests/pipeline."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.tuneproof.generation.engines.workspaces import on_disk
from tuneproof.common.errors import UserError
from tuneproof.generation.jobs import Request
from tuneproof.generation.ray import pool as pools
from tuneproof.generation.ray.pool import Pool
from tuneproof.generation.ray.replica import Reply
from tuneproof.records.rows import Result


class Call:
    """A method of an actor; its answer is there at once."""

    def __init__(self, answer: Any) -> None:
        self.remote = answer


class Double:
    """An actor that answers half of what it holds, in reverse."""

    def __init__(self) -> None:
        self.held: list[Request] = []
        self.most = 0
        self.hello, self.exchange = Call(lambda: "node"), Call(self.exchanged)

    def exchanged(self, requests: list[Request]) -> Reply:
        self.held += requests
        self.most = max(self.most, len(self.held))
        done = [self.held.pop() for _ in range(-(-len(self.held) // 2))]
        return Reply(True, [(one.key, Result(answer=one.key, finish_reason="stop")) for one in done])


@pytest.fixture(autouse=True)
def without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "called", lambda pool: list(pool.members))
    monkeypatch.setattr(Pool, "take", lambda pool, member, save: taken(pool, member, save))


def taken(pool: Pool, member: pools.Member, save: Any) -> None:
    """What `take` does with what an actor gives, without asking Ray for it."""
    if isinstance(member.call, Reply):
        pool.received(member, member.call, save)
    else:
        member.missing_since = None


def test_no_more_is_read_ahead_than_the_replicas_hold_and_every_row_is_saved_once() -> None:
    actors = [Double(), Double(), Double()]
    pool = Pool("model sft", actors, capacity=20, patience_seconds=60)
    read, saved, ahead = 0, list[str](), 0

    def requests() -> Iterator[Request]:
        nonlocal read, ahead
        for number in range(5_000):
            read += 1
            ahead = max(ahead, read - len(saved))
            yield Request(id=f"q{number}", sample=0, prompt="", key=str(number), seed=0)

    def save(request: Request, result: Result) -> Any:
        assert request.key == result.answer
        saved.append(request.key)
        return on_disk()

    pool.ask(requests(), save)
    assert sorted(saved, key=int) == [str(number) for number in range(5_000)]
    assert ahead <= 2 * 3 * 20 + 1
    assert all(5 < actor.most <= 20 for actor in actors)


def test_a_replica_that_does_not_come_back_is_given_up_and_the_last_one_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed: list[Any] = []
    monkeypatch.setattr(pools, "end_actor", killed.append)
    pool = Pool("model sft", [Double(), Double()], capacity=4, patience_seconds=60)
    first, second = pool.members
    first.open = {"1": Request(id="q", sample=0, prompt="", key="1", seed=0)}
    first.missing_since, second.missing_since = -1e9, None
    pool.give_up()
    assert [one.key for one in pool.waiting] == ["1"]
    assert "replica 1 is given up, no node had room for it for 60 s; 1 go on" in capsys.readouterr().err
    second.losses = 3
    with pytest.raises(UserError, match="no replica is left: it was lost 3 times without a row in between"):
        pool.give_up()
    assert killed == [first.actor, second.actor]
