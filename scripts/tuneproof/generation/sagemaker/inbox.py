"""Rows that jobs have put into S3, taken over into the ledger as they arrive."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Generic

from pydantic import ValidationError

from tuneproof.common.errors import UserError
from tuneproof.generation.handing_over import PART_PREFIX, FinishedRow
from tuneproof.generation.sagemaker.storage import Storage
from tuneproof.generation.sagemaker.work import Asked, Given, Work

OUTPUT = "output"


class Inbox(Generic[Asked, Given]):
    """The rows of one piece of work, whichever attempt made them. `open` holds the requests without a row, by key."""

    def __init__(
        self,
        storage: Storage,
        work: Work[Asked, Given],
        missing: Iterable[Asked],
        save: Callable[[Asked, Given], Future[None]],
    ) -> None:
        """Takes where rows arrive, the work that they are of, what is missing of it, and what saves a row.

        Where `save` adds a next turn to what is missing, its row is waited for too.
        """
        self.storage, self.save, self.missing = storage, save, iter(missing)
        self.asked, self.row = set(work.keys), work.row
        self.open = dict[str, Asked]()
        self.early = dict[str, FinishedRow[Given]]()  # rows of turns that are not asked for yet
        self.seen: dict[str, str] = {}
        self.saved = list[Future[None]]()
        self._ask_on()

    def collect(self) -> None:
        """Takes what is new, and waits until it is on disk: what S3 has may be removed then.

        May raise boto3's errors; a UserError for a row that is none or was not asked for.
        """
        for name, version, _ in list(self.storage.listed(f"{OUTPUT}/")):
            if self.seen.get(name) != version and name.rpartition("/")[2].startswith(PART_PREFIX):
                self._take(name, self.storage.read(name))
                self.seen[name] = version
        while self.saved:
            self.saved.pop().result()
        for key in self.early:
            found = f"a row with the key {key[:16]} was not asked for"
            raise UserError(self.storage.place(OUTPUT), found, "delete what is there from S3, then run again")

    def _take(self, name: str, content: bytes) -> None:
        """Takes the whole lines of a part; one that is cut off comes with the part's next version."""
        for number, line in enumerate(content.split(b"\n")[:-1], start=1):
            row = read_row(f"{self.storage.place(name)}, line {number}", line, self.row)
            if row.key not in self.asked:
                self.early[row.key] = row
            elif row.key in self.open:
                self._save(row)

    def _save(self, row: FinishedRow[Given]) -> None:
        """Saves a row, and what had come before the turn that it answers was asked for."""
        self.saved.append(self.save(self.open.pop(row.key), row.result))
        for key in self._ask_on():
            if key in self.early:
                self._save(self.early.pop(key))

    def _ask_on(self) -> list[str]:
        """Takes what is asked for by now; returns its keys."""
        new = {request.key: request for request in self.missing}
        self.open |= new
        self.asked |= new.keys()
        return list(new)


def read_row(where: str, line: bytes, kind: type[FinishedRow[Given]]) -> FinishedRow[Given]:
    """A row as a job wrote it. Raises a UserError for anything else."""
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        found = f"this is no finished row ({error.errors(include_url=False, include_input=False)[0]['msg']})"
        raise UserError(where, found, "delete this file from S3, then run again") from None
