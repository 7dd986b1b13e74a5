"""The driver's side: requests out to the replicas, rows back from them, and what is done when one is lost.

A replica holds a bounded number of requests and gets new ones as it hands rows back, so that none is idle while rows
are open. At the end each holds its share of what is left. Memory is bounded by what the replicas hold.
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from tuneproof.common.errors import UserError, one_line, shortened, warn
from tuneproof.generation.jobs import Request, Save
from tuneproof.generation.ray.replica import Reply

SECONDS_TO_LOOK = 1.0  # between looks at the clock
LOSSES_IN_A_ROW = 3  # of a replica that answered nothing in between: it will not do better
KEPT = "run again: finished answers are kept"


@dataclass(eq=False)
class Member:
    """A replica and what it works on. `missing_since` is when it was last there, None where it is there."""

    name: str
    actor: Any
    call: Any
    missing_since: float | None = field(default_factory=time.monotonic)
    has_started: bool = False
    losses: int = 0
    open: dict[str, Request] = field(default_factory=dict)


class Pool:
    """The replicas of one job."""

    def __init__(self, where: str, actors: Sequence[Any], capacity: int, patience_seconds: float) -> None:
        """Takes actors that were asked for, which need not be there yet, and the requests that each holds at most."""
        self.where, self.capacity, self.patience_seconds = where, capacity, patience_seconds
        self.members = [
            Member(f"replica {number}", actor, actor.hello.remote()) for number, actor in enumerate(actors, 1)
        ]
        self.waiting = deque[Request]()

    def ask(self, requests: Iterable[Request], save: Save) -> None:
        """Has all requests answered, and those that `save` adds. Raises a UserError when no replica is left."""
        source = iter(requests)
        while self.look_ahead(source) or any(member.open for member in self.members):
            for member in self.called():
                self.take(member, save)
                self.look_ahead(source)
                if member in self.members:
                    self.give(member)
            self.give_up()

    def look_ahead(self, source: Iterable[Request]) -> bool:
        """Takes as many requests as the replicas may ask for soon; whether any wait."""
        for request in source if len(self.waiting) < self.capacity * len(self.members) else ():
            self.waiting.append(request)
            if len(self.waiting) >= self.capacity * len(self.members):
                break
        return bool(self.waiting)

    def called(self) -> list[Member]:
        """The replicas whose calls have returned, however they did."""
        import ray

        by_call = {member.call: member for member in self.members}
        some, _ = ray.wait(list(by_call), timeout=SECONDS_TO_LOOK)
        done, _ = ray.wait(list(by_call), num_returns=len(by_call), timeout=0) if some else ([], [])
        return [by_call[call] for call in done]

    def take(self, member: Member, save: Save) -> None:
        """Takes what a replica gives, onto the disk. Raises what its engine raised."""
        import ray
        from ray.exceptions import ActorDiedError, RayActorError, RayTaskError

        try:
            reply = ray.get(member.call)
        except RayTaskError as error:
            raise self.failure(error) from None
        except ActorDiedError as error:  # as it is restarted for ever, this is one that could not even be made
            self.end(member, f"it cannot be made ({one_line(str(error).strip().splitlines()[-1])})")
            return
        except RayActorError as error:
            self.lost(member, error)
            return
        if isinstance(reply, Reply):
            self.received(member, reply, save)
        else:  # the name of its node: it is there
            member.missing_since = None

    def received(self, member: Member, reply: Reply, save: Save) -> None:
        """Saves what a replica gave, and waits until it is on disk."""
        member.has_started = reply.has_started
        saved: list[Future[None]] = []
        for key, result in reply.finished:
            if request := member.open.pop(key, None):
                saved.append(save(request, result))
                member.losses = 0
        for one in saved:
            one.result()

    def give(self, member: Member) -> None:
        """Calls a replica again, with as many requests as it may hold: at most its share of all that are known."""
        if member.missing_since is not None:
            member.call = member.actor.hello.remote()
            return
        known = len(self.waiting) + sum(len(one.open) for one in self.members)
        most = min(self.capacity, -(-known // len(self.members))) if member.has_started else 0
        given = [self.waiting.popleft() for _ in range(min(most - len(member.open), len(self.waiting)))]
        member.open |= {request.key: request for request in given}
        # The driver keeps the conversation and the text: engines with weights are asked in tokens.
        bare = [replace(request, prompt="", messages=(), conversation=None) for request in given]
        member.call = member.actor.exchange.remote(bare)

    def lost(self, member: Member, error: Exception) -> None:
        """Notes that a replica does not answer; what it worked on is asked again, of whoever is free."""
        if member.missing_since is None:
            member.missing_since, member.losses = time.monotonic(), member.losses + 1
            again = f"; its {len(member.open)} open rows are asked again" if member.open else ""
            warn(f"{self.where}: {member.name} does not answer ({type(error).__name__}){again}")
        self.waiting.extendleft(reversed(member.open.values()))
        member.open = {}
        member.has_started = False

    def give_up(self) -> None:
        """Ends replicas that do not come back. Raises a UserError when none is left."""
        for member in list(self.members):
            missing = member.missing_since is not None and time.monotonic() - member.missing_since
            if missing > self.patience_seconds or member.losses >= LOSSES_IN_A_ROW:
                reason = (
                    f"it was lost {member.losses} times without a row in between"
                    if member.losses >= LOSSES_IN_A_ROW
                    else f"no node had room for it for {self.patience_seconds:g} s"
                )
                self.end(member, reason)

    def end(self, member: Member, reason: str) -> None:
        """Goes on without a replica."""
        end_actor(member.actor)
        self.waiting.extendleft(reversed(member.open.values()))
        self.members.remove(member)
        if not self.members:
            raise UserError(self.where, f"no replica is left: {reason}", f"see to the cluster's nodes, then {KEPT}")
        warn(f"{self.where}: {member.name} is given up, {reason}; {len(self.members)} go on")

    def failure(self, error: Any) -> Exception:
        """What an engine raised: a UserError as it stands, a package that a node lacks in one line, a bug with all."""
        cause = error.cause
        if isinstance(cause, UserError):
            return cause
        if isinstance(cause, ModuleNotFoundError):
            remedy = "install what the engine needs on every node (docs/scale.md)"
            return UserError(self.where, f"a node lacks a package ({shortened(cause)})", remedy)
        return Exception(str(error))


def end_actor(actor: Any) -> None:
    """Ends an actor for good, also one that never came."""
    import ray

    with suppress(Exception):  # the cluster may be gone, and with it the actor
        ray.kill(actor)
