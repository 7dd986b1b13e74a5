"""The ledger: every answer and judge reply that was ever paid for, in one SQLite file that all experiments share.

Rows are written as results finish and are never changed.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from tuneproof.common.errors import UserError
from tuneproof.common.places import project_root
from tuneproof.records.keys import canonical_json

BUSY_TIMEOUT_SECONDS = 30
BYTES_PER_RESULT = 10_000  # a few times what one takes, its journal included
KEYS_PER_QUERY = 500  # below SQLite's limit on variables in every version
ADOPTED_AT_ONCE = 1_000  # results; all of a file's would fill memory

Item = TypeVar("Item")
Kind = Literal["answer", "reply", "batch"]
TABLES = (
    "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL)",
    # The files whose results are all here. Where a result is taken out, no file's are known to be.
    "CREATE TABLE IF NOT EXISTS adopted (sha256 TEXT PRIMARY KEY)",
    "CREATE TRIGGER IF NOT EXISTS forget AFTER DELETE ON results BEGIN DELETE FROM adopted; END",
)
FIELDS = {  # what a body of each kind has at least
    "answer": {"answer", "finish_reason"},
    "reply": {"judge", "model", "attempt", "status", "scores"},
    "batch": set[str](),
}


def ledger_path() -> Path:
    """Where the ledger of this clone lies."""
    return project_root() / ".cache" / "ledger.sqlite"


class Ledger:
    """Finished results by the hash of everything that determines them.

    Several processes may use one file at once. A result is on disk when `put` returns.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Opens the file, creating it where there is none. Raises a UserError when it is no ledger."""
        self.path = path or ledger_path()
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The time-out comes first: switching to WAL itself takes a lock.
            self._connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            for statement in TABLES:
                self._connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns trouble with the file into a UserError. Only a file that is broken may be moved away."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            remedy = "free space, check permissions or let the other process finish, then run again"
            remedy += ": what is recorded is kept, what was in flight is asked for again"
            raise UserError(str(self.path), f"the ledger cannot be used now ({error})", remedy) from None
        except sqlite3.DatabaseError as error:
            remedy = "move the file away, keep it (it holds what was paid for), and import an export if there is one"
            raise UserError(str(self.path), f"this is no usable ledger: {error}", remedy) from None

    def get(self, key: str) -> dict[str, Any] | None:
        """The result of a key, or None when it was never bought."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The results that are there, by key."""
        found: dict[str, dict[str, Any]] = {}
        for part in in_parts(keys, KEYS_PER_QUERY):
            marks = ",".join("?" * len(part))
            with self._explained():
                rows = self._connection.execute(f"SELECT key, kind, body FROM results WHERE key IN ({marks})", part)  # noqa: S608 (marks only)
                found.update({key: self._checked(key, kind, body) for key, kind, body in rows})
        return found

    def _checked(self, key: str, kind: str, text: str) -> dict[str, Any]:
        """A row's body. Raises a UserError for one that another program wrote."""
        with suppress(ValueError):
            body = json.loads(text)
            if is_result(kind, body):
                return dict(body)
        remedy = "delete the row of that key from its table `results` with sqlite3, then run again"
        raise UserError(str(self.path), f"what it holds for the key {key[:64]} is no result", remedy)

    def put(self, key: str, kind: Kind, body: dict[str, Any]) -> None:
        """Records one finished result; a key that is there already keeps its first result."""
        self.put_many([(key, kind, body)])

    def put_many(self, results: Iterable[tuple[str, Kind, dict[str, Any]]]) -> int:
        """Records results in one transaction; returns how many were new."""
        rows = [(key, kind, canonical_json(body)) for key, kind, body in results]
        with self._explained():
            before = self._connection.total_changes
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?)", rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise
            return self._connection.total_changes - before

    def adopt(self, sha256: str, results: Iterable[tuple[str, Kind, dict[str, Any]]]) -> int:
        """Records the results of a file in parts, each file's content only once; returns how many were new."""
        with self._explained():
            if self._connection.execute("SELECT 1 FROM adopted WHERE sha256 = ?", [sha256]).fetchone():
                return 0
        new = sum(self.put_many(part) for part in in_parts(results, ADOPTED_AT_ONCE))
        with self._explained():
            self._connection.execute("INSERT OR IGNORE INTO adopted VALUES (?)", [sha256])
        return new

    def require_space(self, results: int) -> None:
        """Raises a UserError where the disk has no room for so many results: paid for, they would be lost."""
        free = shutil.disk_usage(self.path.parent).free
        if free < results * BYTES_PER_RESULT:
            found = f"its disk has {free / 1e6:.1f} MB left, and {results} results may take {results / 100:.1f} MB"
            raise UserError(str(self.path), found, "make room, then run again")

    def count(self) -> int:
        """How many results are recorded."""
        return int(self._connection.execute("SELECT count(*) FROM results").fetchone()[0])

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Every row as (key, kind, body as JSON), by key."""
        yield from self._connection.execute("SELECT key, kind, body FROM results ORDER BY key")


def in_parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Gives items in lists of so many, the last of which may be shorter."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def is_result(kind: object, body: object) -> bool:
    """Whether a row is one of ours: a known kind, with the fields that its readers need."""
    return isinstance(kind, str) and isinstance(body, dict) and kind in FIELDS and FIELDS[kind] <= set(body)
