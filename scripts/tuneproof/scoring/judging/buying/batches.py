"""Asking judges through the Batch API: half the price, within a day. Keys, attempts and statuses are those of requests.

The ledger holds the batch of every reply that one will bring, so that a later run collects it and pays for no second
one. https://platform.openai.com/docs/guides/batch
"""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

from tuneproof.common.errors import UserError, one_line, say
from tuneproof.endpoint.access import Access
from tuneproof.endpoint.errors import RequestRejected
from tuneproof.endpoint.protocol import Completion, with_newer_name
from tuneproof.records.claims import Claims
from tuneproof.records.keys import content_key
from tuneproof.records.ledger import Kind, Ledger, in_parts
from tuneproof.records.rows import Reply
from tuneproof.scoring.judging.buying.batch_api import (
    BAD_REQUEST,
    MARK,
    Failure,
    InputFile,
    api,
    marked,
    outcomes,
    reason_of,
)
from tuneproof.scoring.judging.buying.budget import Budget
from tuneproof.scoring.judging.cases import AnyCase
from tuneproof.scoring.judging.chains import CASES_AT_ONCE, Asking, Chain, refused_material
from tuneproof.scoring.judging.worklist import Worklist

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch

FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 60.0
ANY_BATCH = content_key({"kind": "batch", "reply": None})  # is in the ledger once there was any batch
FAILED = {"failed", "cancelled"}
ENDED = {"completed", "expired", *FAILED}


@dataclass(frozen=True)
class Place:
    """Where a missing reply belongs: its judge, attempt, the size of its request, and the batches that held it."""

    access: Access
    attempt: int
    request_bytes: int
    batches: tuple[str, ...]  # by id, in order


@dataclass(frozen=True)
class Missing:
    """The replies that a stage lacks, by key, and the batches under way that will bring some of them, by id."""

    places: dict[str, Place] = field(default_factory=dict)
    batches: dict[str, Access] = field(default_factory=dict)


@dataclass
class Brought:
    """How many replies batches have brought, and what else is known once they have ended."""

    replies: int = 0
    ended: set[str] = field(default_factory=set)  # these batches, by id
    renamed: set[Access] = field(default_factory=set)  # judges whose endpoint wants max_completion_tokens
    problem: str | None = None  # why a reply did not come, the last of the reasons

    def add(self, further: "Brought") -> None:
        """Adds what further batches have brought."""
        self.replies += further.replies
        self.ended |= further.ended
        self.renamed |= further.renamed
        self.problem = further.problem or self.problem


@dataclass(frozen=True)
class Batches(Generic[AnyCase]):
    """The batches of one stage."""

    worklist: Worklist[AnyCase]
    budget: Budget

    def look(self) -> Missing:
        """What is missing, and which batches will bring some of it."""
        missing = Missing()
        for _ in self._unsent(missing, ended=set()):
            pass
        return missing

    def submit(self, before: Brought) -> Missing:
        """Submits every missing reply that no batch will bring, as far as the budget allows; gives what is missing.

        `before` is what the earlier batches of this run have brought. Raises a UserError when the endpoint takes no
        batch.
        """
        missing, files = Missing(), dict[Access, InputFile]()
        with alone(self.worklist.asking):
            for key, case in self._unsent(missing, before.ended):
                place = missing.places[key]
                access = place.access
                if not self.budget.hold(key, access.model, place.request_bytes, under_way=False):
                    continue
                file = files.setdefault(access, InputFile())
                body = self.worklist.asking.body(access, case.messages(case.nonce))
                file.add(key, with_newer_name(body) if access in before.renamed else body)
                if file.full:
                    self._send(files.pop(access), access, missing)
            for access, file in files.items():
                self._send(file, access, missing)
        return missing

    def _unsent(self, missing: Missing, ended: set[str]) -> Iterator[tuple[str, AnyCase]]:
        """Notes what is missing; gives each reply's key and case that no batch holds but those that have ended."""
        for part in in_parts(self._lacking(), CASES_AT_ONCE):
            held = batches_of(self.worklist.asking.ledger, [key for key, _, _ in part])
            for key, case, chain in part:
                if key in missing.places:  # an equal answer to an equal question
                    continue
                access, request_bytes, batches = chain.access, len(chain.request), held[key]
                missing.places[key] = Place(access, len(chain.replies) + 1, request_bytes, batches)
                if batches and batches[-1] not in ended:
                    missing.batches[batches[-1]] = access
                    self.budget.hold(key, access.model, request_bytes, under_way=True)
                else:
                    yield key, case

    def _lacking(self) -> Iterator[tuple[str, AnyCase, Chain]]:
        """The key of every reply that the ledger lacks now, with its case and chain."""
        asking = self.worklist.asking
        cases = (case for _, case in self.worklist.cases(self.worklist.positions))
        for case, chains in asking.recorded(cases):
            for chain in chains:
                if not chain.complete:
                    yield asking.key(chain, len(chain.replies) + 1), case, chain

    def _send(self, file: InputFile, access: Access, missing: Missing) -> None:
        """Creates the batch of a file, unless a run that was killed has created it, and notes it in the ledger."""
        places = {key: missing.places[key] for key in file.keys}
        mark, known = content_key(sorted(places)), places[file.keys[0]].batches
        with api(access) as client:
            listed = [one for one in client.batches.list(limit=100).data if one.id not in known]
            batch = next((one for one in listed if marked(one, mark)), None)
            if batch is None:
                uploaded = client.files.create(file=("requests.jsonl", bytes(file.lines)), purpose="batch")
                batch = client.batches.create(
                    input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h",
                    metadata={MARK: mark},
                )  # fmt: skip
        rows: list[tuple[str, Kind, dict[str, Any]]] = [
            (row_key(key, len(place.batches)), "batch", {"id": batch.id}) for key, place in places.items()
        ]
        self.worklist.asking.ledger.put_many([*rows, (ANY_BATCH, "batch", {})])
        missing.batches[batch.id] = access
        name = self.worklist.stage.name
        say(f"{name}: submitted batch {batch.id} with {len(places)} requests to {access.label}")

    def collect(self, missing: Missing, wait: bool) -> Brought:
        """Records what batches have brought, waiting for those under way or leaving them.

        Raises a UserError when a batch that was waited for failed, was cancelled, or had a request rejected as every
        one would be; what all of them brought is recorded.
        """
        brought, ended_badly, rejections = Brought(), list[str](), list[UserError]()
        for number, (identity, access) in enumerate(missing.batches.items(), start=1):
            with api(access) as client:
                batch = client.batches.retrieve(identity)
                waited_for = batch.status not in ENDED
                if waited_for and not wait:
                    continue
                batch = self._until_ended(client, batch, f"batch {number} of {len(missing.batches)}")
                one, rejection = self._record(client, batch, missing.places)
            brought.add(one)
            if rejection and waited_for:
                rejections.append(rejection)
            if waited_for and batch.status in FAILED:
                ended_badly.append(str(one.problem))
        if rejections:
            raise rejections[0]
        if ended_badly:
            raise UserError(self.worklist.stage.name, "; ".join(ended_badly), "run again to submit the rest anew")
        return brought

    def _until_ended(self, client: "OpenAI", batch: "Batch", what: str) -> "Batch":
        """Looks at a batch again and again until it has ended, and says how far it is."""
        pause, said = FIRST_POLL_SECONDS, ""
        while batch.status not in ENDED:
            counts = batch.request_counts
            line = f"{what} is {batch.status}"
            line += f", {counts.completed} of {counts.total} done, {counts.failed} failed" if counts else ""
            if line != said:
                say(f"{self.worklist.stage.name}: {line}")
            said = line
            time.sleep(pause)
            pause = min(LONGEST_POLL_SECONDS, 2 * pause)
            batch = client.batches.retrieve(batch.id)
        return batch

    def _record(self, client: "OpenAI", batch: "Batch", places: dict[str, Place]) -> tuple[Brought, UserError | None]:
        """Records the missing replies that a batch has brought, and takes their places out.

        Also gives the error to raise where a request was rejected as every one would be.
        """
        brought, stop, saved = Brought(ended={batch.id}), None, list[Future[None]]()
        for key, outcome in outcomes(client, batch):
            place = places.get(key)
            if place is None:
                continue
            if isinstance(outcome, Failure):
                brought.problem = one_line(outcome.message)
                if outcome.wants_newer_name:
                    brought.renamed.add(place.access)
            try:
                reply = self._reply(outcome, place, key)
            except UserError as rejection:
                stop, reply = rejection, None
            if reply is None:
                self.budget.let_go(key)
                continue
            saved.append(self.worklist.asking.ledger.record(key, "reply", reply.model_dump(exclude={"key"})))
            self.budget.pay(reply, place.request_bytes)
            del places[key]
            brought.replies += 1
        for one in saved:
            one.result()
        if batch.status != "completed":
            brought.problem = one_line(f"batch {batch.id} is {reason_of(batch)}")
        return brought, stop

    def _reply(self, outcome: Completion | Failure, place: Place, key: str) -> Reply | None:
        """The reply to record; None where another batch may bring it.

        Raises a UserError for a rejection that every request would meet.
        """
        if not isinstance(outcome, Failure):
            return self.worklist.asking.read(outcome, place.access, place.attempt, key)
        if outcome.wants_newer_name or outcome.status != BAD_REQUEST:
            return None
        rejection = RequestRejected(one_line(outcome.message), outcome.code)
        return refused_material(rejection, place.access, place.attempt, key)


@contextmanager
def alone(asking: Asking) -> Iterator[None]:
    """Only one process of the clone submits at a time, so that no two submit the same."""
    with Claims(asking.ledger.path.with_name("batch-claims")) as claims:
        while True:
            with claims.claim(content_key("submit")) as mine:
                if mine:
                    yield
                    return
            time.sleep(FIRST_POLL_SECONDS)


def batches_of(ledger: Ledger, keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The ids of the batches that held each reply's request, in order."""
    batches: dict[str, tuple[str, ...]] = dict.fromkeys(keys, ())
    asked = list(batches)
    while asked:
        rows = {row_key(key, len(batches[key])): key for key in asked}
        found = ledger.take(rows, lambda _, body: batch_id(body))
        asked = [rows[row] for row in found]
        for row, identity in found.items():
            batches[rows[row]] += (identity,)
    return batches


def batch_id(body: dict[str, Any]) -> str:
    """The id of the batch that a row of the ledger notes. Raises a ValueError where it notes none."""
    if not isinstance(body.get("id"), str):
        raise ValueError("it names no batch")
    return str(body["id"])


def row_key(key: str, batches_before: int) -> str:
    """Where the ledger notes which batch brings a reply, after so many others did not."""
    return content_key({"kind": "batch", "reply": key, "batches_before": batches_before})
