"""The ledger: every answer and judge reply that was ever paid for, in one SQLite file that all experiments share.

Rows are written as results finish and are never changed; one that proves to be no result is set aside, and kept.
writing/writer.py has the thread that writes them.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from tuneproof.common.errors import UserError, say, warn
from tuneproof.common.places import project_root
from tuneproof.records.keys import canonical_json
from tuneproof.records.rows import problem_in
from tuneproof.records.writing.spill import spilled
from tuneproof.records.writing.writer import Writer, connected, insert

BUSY_TIMEOUT_SECONDS = 30
BYTES_PER_RESULT = 10_000  # a few times what one takes, its journal included
KEYS_PER_QUERY = 500  # below SQLite's limit on variables in every version
ADOPTED_AT_ONCE = 1_000  # results; all of a file's would fill memory

Item = TypeVar("Item")
Kind = Literal["answer", "reply", "batch", "benchmark"]
TABLES = (
    "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL)",
    # The files whose results are all here. Where a result is taken out, no file's are known to be.
    "CREATE TABLE IF NOT EXISTS adopted (sha256 TEXT PRIMARY KEY)",
    # Nothing that was paid for is thrown away, also where it cannot be used.
    "CREATE TABLE IF NOT EXISTS set_aside (key TEXT, kind TEXT, body, reason TEXT)",
    "CREATE TRIGGER IF NOT EXISTS forget AFTER DELETE ON results BEGIN DELETE FROM adopted; END",
)
FIELDS = {  # what a body of each kind has at least
    "answer": {"answer", "finish_reason"},
    "reply": {"judge", "model", "attempt", "status", "scores"},
    "batch": set[str](),
    "benchmark": {"response"},
}


def ledger_path() -> Path:
    """Where the ledger of this clone lies."""
    return project_root() / ".cache" / "ledger.sqlite"


class Ledger:
    """Finished results by the hash of everything that determines them.

    Several processes may use one file at once. A result is on disk when `put` returns, and when what `record` gives is
    done. What a run could not write because the file was locked or the disk full, the next one takes in at its start.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Opens the file, creating it where there is none. Raises a UserError when it is no ledger."""
        self.path = path or ledger_path()
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = connected(self.path, BUSY_TIMEOUT_SECONDS)
            for statement in TABLES:
                self._connection.execute(statement)
        self._writer = Writer(self.path)
        self._take_in_what_was_spilled()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._writer.close(hurried=kind is not None and not issubclass(kind, Exception))
        finally:
            self._connection.close()

    def _take_in_what_was_spilled(self) -> None:
        """Adds what earlier runs could not write. Raises a UserError where it still cannot be: it was paid for."""
        for path, rows in spilled(self.path):
            with self._explained():
                insert(self._connection, [row for row in rows if is_result(row[1], json.loads(row[2]))])
            path.unlink()
            say(f"the ledger took in {len(rows)} results that an earlier run could not write ({path})")

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
        return self.take(keys, lambda _, body: body)

    def take(self, keys: Iterable[str], read: Callable[[str, dict[str, Any]], Item]) -> dict[str, Item]:
        """The results that are there, by key, as `read` gives them.

        Where it raises a ValueError, or another program wrote the row, that is told, and the row is set aside: to all
        who ask it is as if it had never been bought.
        """
        found: dict[str, Item] = {}
        refused: dict[str, str] = {}
        for part in in_parts(keys, KEYS_PER_QUERY):
            marks = ",".join("?" * len(part))
            with self._explained():
                rows = self._connection.execute(f"SELECT key, kind, body FROM results WHERE key IN ({marks})", part)  # noqa: S608 (marks only)
                for key, kind, text in rows.fetchall():
                    try:
                        found[key] = read(key, body_of(kind, text))
                    except ValueError as error:
                        refused[key] = problem_in(error)
        if refused:
            self._set_aside(refused)
        return found

    def _set_aside(self, reasons: dict[str, str]) -> None:
        """Moves rows to where nothing reads them, and tells of it once."""
        with self._explained(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for key, reason in reasons.items():
                moved = "INSERT INTO set_aside SELECT key, kind, body, ? FROM results WHERE key = ?"
                self._connection.execute(moved, [reason, key])
                self._connection.execute("DELETE FROM results WHERE key = ?", [key])
        key, reason = next(iter(reasons.items()))
        what = "1 row is" if len(reasons) == 1 else f"{len(reasons)} rows are"
        warn(f"{self.path}: {what} set aside and had anew ({key[:16]}: {reason})")

    def record(self, key: str, kind: Kind, body: dict[str, Any]) -> Future[None]:
        """Hands a finished result over to the ledger's thread, which no lock and no full disk makes wait.

        What it gives is done when the result is on disk; it ends with a UserError where that could not be for long.
        """
        return self._writer.record((key, kind, canonical_json(body)))

    def put(self, key: str, kind: Kind, body: dict[str, Any]) -> None:
        """Records one finished result and waits; a key that is there already keeps its first result."""
        self.record(key, kind, body).result()

    def put_many(self, results: Iterable[tuple[str, Kind, dict[str, Any]]]) -> int:
        """Records results in one transaction; returns how many were new. Raises a UserError where that cannot be."""
        rows = [(key, kind, canonical_json(body)) for key, kind, body in results]
        with self._explained():
            return insert(self._connection, rows)

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


def body_of(kind: object, text: str | bytes) -> dict[str, Any]:
    """A row's body. Raises a ValueError for a row that is none of ours."""
    try:
        body = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not is_result(kind, body):
        raise ValueError("it is no result")
    if not isinstance(text, str) or "\\ud" in text.lower():
        json.dumps(body, ensure_ascii=False).encode()  # raises a ValueError for half of a surrogate pair
    return dict(body)


def is_result(kind: object, body: object) -> bool:
    """Whether a row is one of ours: a known kind, with the fields that its readers need."""
    return isinstance(kind, str) and isinstance(body, dict) and kind in FIELDS and FIELDS[kind] <= set(body)
