"""Many pieces of asynchronous work, a fixed number of them under way at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from tuneproof.common.errors import UserError

Item = TypeVar("Item")


async def work_through(items: Iterable[Item], worker: Callable[[Item], Awaitable[None]], concurrency: int) -> None:
    """Gives every item to `worker`, at most `concurrency` at once, taking the next item only when one is done.

    The first exception is raised, and no further item is taken. After a UserError the workers that are under way end
    by themselves, so that replies in flight, which are paid for, are kept; any other exception, or being cancelled
    (Ctrl-C), cancels them.
    """
    remaining, stops = iter(items), list[UserError]()

    async def work() -> None:
        for item in remaining:
            try:
                await worker(item)
            except UserError as stop:
                stops.append(stop)
            if stops:
                return

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    if stops:
        raise stops[0]
