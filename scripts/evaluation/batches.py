"""Asking judges through the Batch API: half the price, within a day. Keys, attempts and statuses are those of requests.

The ledger holds the batch of every reply that one will bring, so that a later run collects it and pays for no second
one. https://platform.openai.com/docs/guides/batch
"""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evaluation.batch_api import MARK, InputFile, api, marked, reason_of
from evaluation.bench import Bench, Case, Chain, refused_material
from evaluation.budget import Budget
from evaluation.claims import Claims
from evaluation.endpoint_errors import RequestRejected
from evaluation.errors import UserError, one_line, say
from evaluation.keys import content_key
from evaluation.ledger import Kind
from evaluation.panel import Panelist
from evaluation.replies import encoded, error_of, read_completion, wants_newer_name, with_newer_name

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch

FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.5, 60.0
ANY_BATCH = content_key({"kind": "batch", "reply": None})  # is in the ledger once there was any batch
ENDED = {"completed", "expired", "failed", "cancelled"}
OK, BAD_REQUEST = 200, 400


@dataclass(frozen=True)
class Place:
    """Where a missing reply belongs: its judge, attempt, the size of its request, and how many batches held it."""

    panelist: Panelist
    attempt: int
    request_bytes: int
    batches: int


@dataclass
class Batches:
    """The batches of one stage."""

    bench: Bench
    budget: Budget
    what: str
    places: dict[str, Place] = field(default_factory=dict)  # by the key of the reply
    waiting: dict[str, Panelist] = field(default_factory=dict)  # batches that are not collected yet, by id
    collected: set[str] = field(default_factory=set)
    renamed: set[Panelist] = field(default_factory=set)  # judges whose endpoint wants max_completion_tokens
    problem: str | None = None
    rejection: UserError | None = None  # of every request, by the batch that is being recorded

    def note(self, cases: Iterable[Case]) -> None:
        """Notes every missing reply, and the batches that will bring some of them."""
        for _ in self._missing(cases):
            pass

    def _missing(self, cases: Iterable[Case]) -> Iterator[tuple[str, Case, Chain]]:
        """Notes every missing reply, and gives those that no batch will bring, with their keys."""
        self.places.clear()
        for case in cases:
            for chain in self.bench.chains(case) if case.complete else ():
                if chain.complete:
                    continue
                attempt = len(chain.replies) + 1
                key = self.bench.key(chain, attempt)
                if key in self.places:  # an equal answer to an equal question
                    continue
                held = self.batches_of(key)
                self.places[key] = Place(chain.panelist, attempt, len(chain.request), len(held))
                if held and held[-1] not in self.collected:
                    self.waiting[held[-1]] = chain.panelist
                    self.budget.hold(key, chain.panelist.model, len(chain.request), under_way=True)
                else:
                    yield key, case, chain

    def batches_of(self, key: str) -> list[str]:
        """The ids of the batches that held a reply's request, in order."""
        ids: list[str] = []
        while found := self.bench.ledger.get(row_key(key, len(ids))):
            ids.append(str(found["id"]))
        return ids

    def submit(self, cases: Iterable[Case]) -> None:
        """Submits every missing reply that no batch will bring, as far as the budget allows.

        Raises a UserError when the endpoint takes no batch.
        """
        with alone(self.bench):
            self._submit(cases)

    def _submit(self, cases: Iterable[Case]) -> None:
        files: dict[Panelist, InputFile] = {}
        for key, case, chain in self._missing(cases):
            panelist = chain.panelist
            if not self.budget.hold(key, panelist.model, len(chain.request), under_way=False):
                continue
            file = files.setdefault(panelist, InputFile())
            body = self.bench.body(panelist.model, case.messages(case.nonce))
            file.add(key, with_newer_name(body) if panelist in self.renamed else body)
            if file.full:
                self.send(panelist, files.pop(panelist))
        for panelist, file in files.items():
            self.send(panelist, file)

    def send(self, panelist: Panelist, file: "InputFile") -> None:
        """Creates the batch of a file, unless a run that was killed has created it, and notes it in the ledger."""
        mark, known = content_key(sorted(file.keys)), self.batches_of(file.keys[0])
        with api(panelist) as client:
            listed = [one for one in client.batches.list(limit=100).data if one.id not in known]
            batch = next((one for one in listed if marked(one, mark)), None)
            if batch is None:
                uploaded = client.files.create(file=("requests.jsonl", bytes(file.lines)), purpose="batch")
                batch = client.batches.create(
                    input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h",
                    metadata={MARK: mark},
                )  # fmt: skip
        rows: list[tuple[str, Kind, dict[str, Any]]] = [
            (row_key(key, self.places[key].batches), "batch", {"id": batch.id}) for key in file.keys
        ]
        self.bench.ledger.put_many([*rows, (ANY_BATCH, "batch", {})])
        self.waiting[batch.id] = panelist
        say(f"{self.what}: submitted batch {batch.id} with {len(file.keys)} requests to {panelist.label}")

    def collect(self, wait: bool) -> int:
        """Records what batches have brought, waiting for those under way or leaving them; gives how many replies.

        Raises a UserError when a batch that was waited for failed, was cancelled, or had a request rejected as every
        one would be; what all of them brought is recorded.
        """
        brought, ended_badly, rejections = 0, list[str](), list[UserError]()
        for number, (identity, panelist) in enumerate(list(self.waiting.items()), start=1):
            with api(panelist) as client:
                batch = client.batches.retrieve(identity)
                waited_for = batch.status not in ENDED
                if waited_for and not wait:
                    continue
                batch = self.until_ended(client, batch, f"batch {number} of {len(self.waiting)}")
                self.rejection = None
                brought += self.record(client, batch)
            if self.rejection and waited_for:
                rejections.append(self.rejection)
            del self.waiting[identity]
            self.collected.add(identity)
            if batch.status != "completed":
                self.problem = one_line(f"batch {identity} is {reason_of(batch)}")
                ended_badly += [self.problem] if waited_for and batch.status != "expired" else []
        if rejections:
            raise rejections[0]
        if ended_badly:
            raise UserError(self.what, "; ".join(ended_badly), "run again to submit the rest anew")
        return brought

    def until_ended(self, client: "OpenAI", batch: "Batch", what: str) -> "Batch":
        """Looks at a batch again and again until it has ended, and says how far it is."""
        pause, said = FIRST_POLL_SECONDS, ""
        while batch.status not in ENDED:
            counts = batch.request_counts
            line = f"{what} is {batch.status}"
            line += f", {counts.completed} of {counts.total} done, {counts.failed} failed" if counts else ""
            if line != said:
                say(f"{self.what}: {line}")
            said = line
            time.sleep(pause)
            pause = min(LONGEST_POLL_SECONDS, 2 * pause)
            batch = client.batches.retrieve(batch.id)
        return batch

    def record(self, client: "OpenAI", batch: "Batch") -> int:
        """Records the replies that a batch has brought; gives how many are new."""
        brought = 0
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            for line in client.files.content(file).content.splitlines():
                brought += self.record_line(json.loads(line))
        return brought

    def record_line(self, line: dict[str, Any]) -> bool:
        """Records one reply; gives whether there was one that was missing."""
        key, response = str(line["custom_id"]), line.get("response") or {}
        place = self.places.get(key)
        if place is None:
            return False
        content = encoded(response.get("body") or line.get("error") or {})
        answer = read_completion(content) if response.get("status_code") == OK else None
        if answer:
            reply = self.bench.read(answer, place.panelist, place.attempt, key)
        else:
            message, code = error_of(content)
            self.problem = one_line(message)
            newer_name = wants_newer_name(message, code)
            if newer_name:
                self.renamed.add(place.panelist)
            if newer_name or response.get("status_code") != BAD_REQUEST:
                self.budget.let_go(key)
                return False
            try:
                reply = refused_material(RequestRejected(self.problem, code), place.panelist, place.attempt, key)
            except UserError as rejection:
                self.rejection = rejection
                self.budget.let_go(key)
                return False
        self.bench.ledger.put(key, "reply", reply.model_dump(exclude={"key"}))
        self.budget.pay(reply, place.request_bytes)
        del self.places[key]
        return True


@contextmanager
def alone(bench: Bench) -> Iterator[None]:
    """Only one process of the clone submits at a time, so that no two submit the same."""
    with Claims(bench.ledger.path.with_name("batch-claims")) as claims:
        while True:
            with claims.claim(content_key("submit")) as mine:
                if mine:
                    yield
                    return
            time.sleep(FIRST_POLL_SECONDS)


def row_key(key: str, batches_before: int) -> str:
    """Where the ledger notes which batch brings a reply, after so many others did not."""
    return content_key({"kind": "batch", "reply": key, "batches_before": batches_before})
