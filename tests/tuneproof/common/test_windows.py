import asyncio
import os
import signal
import tracemalloc
from collections.abc import Iterator

import pytest

from tuneproof.common.errors import UserError
from tuneproof.common.interrupts import Interrupted
from tuneproof.common.windows import Inflow, work_through


def test_work_never_runs_more_at_once_than_allowed_and_does_everything() -> None:
    running, most, done = 0, 0, set[int]()

    async def worker(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done.add(item)

    asyncio.run(work_through(range(1000), worker, 7))
    assert most == 7
    assert done == set(range(1000))


def test_a_hundred_thousand_items_take_no_memory_to_speak_of() -> None:
    async def worker(item: int) -> None:
        await asyncio.sleep(0)

    tracemalloc.start()
    asyncio.run(work_through(iter(range(100_000)), worker, 64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_window_fills_again_when_items_come_after_it_had_run_dry() -> None:
    """As they do in a replica on a cluster, and with the next turns of conversations."""
    waiting, running, most = [0, 1], 0, 0

    class Growing(Iterator[int]):
        def __next__(self) -> int:
            if not waiting:
                raise StopIteration
            return waiting.pop(0)

    async def worker(item: int) -> None:
        nonlocal running, most
        running += 1
        if item == 0:
            waiting.extend(range(10, 30))
        await asyncio.sleep(0)
        most = max(most, running)
        running -= 1

    asyncio.run(work_through(Growing(), worker, 5))
    assert most == 5
    assert not waiting


def test_an_item_that_cannot_be_had_ends_the_window_after_what_is_under_way() -> None:
    """As a chat template that refuses a later turn."""
    finished = []

    def items() -> Iterator[int]:
        yield from range(3)
        raise UserError("item 3", "it cannot be had", "do without")

    async def worker(item: int) -> None:
        await asyncio.sleep(0.01)
        finished.append(item)

    with pytest.raises(UserError, match="item 3"):
        asyncio.run(work_through(items(), worker, 4))
    assert finished == [0, 1, 2]


def test_items_are_taken_only_when_there_is_room() -> None:
    taken, finished = 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            assert taken - finished <= 5
            yield number

    async def worker(item: int) -> None:
        nonlocal finished
        await asyncio.sleep(0)
        finished += 1

    asyncio.run(work_through(items(), worker, 5))
    assert finished == 100


def test_a_bug_in_a_worker_cancels_the_others_and_is_raised_as_it_is() -> None:
    started, cancelled = 0, 0

    async def worker(item: int) -> None:
        nonlocal started, cancelled
        started += 1
        if item == 3:
            await asyncio.sleep(0)
            raise ZeroDivisionError("a bug")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise

    with pytest.raises(ZeroDivisionError, match="a bug"):
        asyncio.run(work_through(range(1000), worker, 8, seconds_to_end=0.1))
    assert (started, cancelled) == (8, 7)


def test_after_a_bug_what_is_nearly_done_is_finished() -> None:
    finished = 0

    async def worker(item: int) -> None:
        nonlocal finished
        if item == 3:
            raise ZeroDivisionError("a bug")
        await asyncio.sleep(0.05)
        finished += 1

    with pytest.raises(ZeroDivisionError, match="a bug"):
        asyncio.run(work_through(range(1000), worker, 8))
    assert finished == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_lets_what_is_under_way_end_and_a_second_one_does_not(number: signal.Signals, signals: int) -> None:
    finished, stopped = 0, 0

    async def worker(item: int) -> None:
        nonlocal finished
        if item == 3:
            for _ in range(signals):
                os.kill(os.getpid(), number)
        await asyncio.sleep(0.05)
        finished += 1

    def stop() -> None:
        nonlocal stopped
        stopped += 1

    with pytest.raises(Interrupted) as caught:
        asyncio.run(work_through(range(1000), worker, 8, stop_waiting=stop))
    assert caught.value.exit_code == 128 + number
    assert finished == (8 if signals == 1 else 0)
    assert stopped
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_does_not_end_after_a_signal_is_cancelled_when_its_time_is_over() -> None:
    async def worker(item: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    with pytest.raises(Interrupted):
        asyncio.run(work_through(range(8), worker, 1, seconds_to_end=0.05))


def test_after_a_user_error_what_is_under_way_is_finished_and_nothing_begun() -> None:
    started, finished = 0, 0

    async def worker(item: int) -> None:
        nonlocal started, finished
        started += 1
        if item == 3:
            raise UserError("here", "broken", "mend it")
        await asyncio.sleep(0.01)
        finished += 1

    with pytest.raises(UserError, match="here: broken; mend it"):
        asyncio.run(work_through(range(1000), worker, 8))
    assert finished == started - 1
    assert started <= 8


def test_being_cancelled_cancels_the_workers() -> None:
    cancelled = 0

    async def worker(item: int) -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise

    async def run() -> None:
        work = asyncio.create_task(work_through(range(1000), worker, 8))
        while not cancelled and not work.done():
            await asyncio.sleep(0)
            work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(run())
    assert cancelled in (0, 8)


def test_what_comes_while_others_are_worked_on_is_done_once_until_no_more_will_come() -> None:
    coming, done = [[1, 2], [], [3], [], [], [4, 5, 6]], list[int]()

    async def worker(item: int) -> None:
        await asyncio.sleep(0.01)
        done.append(item)

    async def run() -> None:
        inflow = Inflow(lambda: coming.pop(0) if coming else None, 0.001)
        await work_through(inflow, worker, 3)

    asyncio.run(run())
    assert sorted(done) == [1, 2, 3, 4, 5, 6]


def test_an_inflow_that_is_stopped_keeps_no_worker_waiting_and_gives_nothing_more() -> None:
    done = list[int]()

    async def run() -> None:
        inflow = Inflow(lambda: [1, 2] if not done else [], 60)

        async def worker(item: int) -> None:
            done.append(item)
            inflow.again(3)
            inflow.stop()

        await work_through(inflow, worker, 2)

    asyncio.run(run())
    assert done == [1]
