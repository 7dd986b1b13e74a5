"""The thread that writes the ledger: many results, one sync. What the ledger cannot take now is held until it can.

Whoever asks an endpoint hands a reply over as soon as it is there; no lock and no disk makes that wait. Who waits for
the commit before asking further stops asking by that where the ledger cannot be written.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from tuneproof.common.errors import UserError, say, warn
from tuneproof.records.writing.spill import Row, Spill

BUSY_SECONDS = 1.0  # of waiting for another writer before results are kept elsewhere, which no kill can take
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
PATIENCE_SECONDS = 900.0  # for a ledger that cannot be written, where the results are safe elsewhere
LAST_TRIES_SECONDS = 3.0  # at the end of a run that was interrupted
NEXT_START = "the next start takes them into the ledger"


def connected(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Opens the file. A commit is on disk when it returns, also where the power goes (synchronous = FULL)."""
    # The time-out comes first: switching to WAL itself takes a lock.
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """Adds results in one transaction; a key that is there keeps its first result. Gives how many were new."""
    before = connection.total_changes
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise
    return connection.total_changes - before


@dataclass(frozen=True)
class Entry:
    """A result that was handed over; `saved` is done when it is on disk in the ledger."""

    row: Row
    saved: Future[None] = field(default_factory=Future)


class Writer:
    """One ledger's thread; it begins with the first result."""

    def __init__(self, path: Path, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._path, self._patience_seconds = path, patience_seconds
        self._spill = Spill(path)
        self._queue = queue.SimpleQueue[Entry | None]()
        self._thread: threading.Thread | None = None
        self._hurried, self._tries_until, self._ended = threading.Event(), 0.0, False
        self._connection: sqlite3.Connection | None = None
        self._trouble_since: float | None = None

    def record(self, row: Row) -> Future[None]:
        """Hands a result over, without waiting; what it gives is done once the ledger has it.

        That ends with a UserError where the ledger could not be written for long, and the result is kept elsewhere.
        """
        entry = Entry(row)
        entry.saved.set_running_or_notify_cancel()  # whoever waits may go; the result is written
        self._queue.put(entry)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
            self._thread.start()
        return entry.saved

    def close(self, hurried: bool) -> None:
        """Waits until everything is written; in a hurry, what cannot be written now is left to the next start."""
        if hurried:
            self._tries_until = time.monotonic() + LAST_TRIES_SECONDS
            self._hurried.set()
        if self._thread:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._ended:
            if group := self._waiting(wait=True):
                self._write(group)
        self._spill.close()
        self._disconnect()

    def _waiting(self, wait: bool) -> list[Entry]:
        """All that was handed over and not taken yet; waits for a first one, or gives none."""
        found: list[Entry] = []
        while not self._ended:
            try:
                entry = self._queue.get(block=wait and not found)
            except queue.Empty:
                break
            self._ended = entry is None
            found += [entry] if entry else []
        return found

    def _write(self, group: list[Entry]) -> None:
        """Writes a group, trying for as long as there is patience; what comes meanwhile joins it."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                self._connection = self._connection or connected(self._path, BUSY_SECONDS)
                insert(self._connection, [entry.row for entry in group])
            except (sqlite3.DatabaseError, OSError) as error:
                self._disconnect()
                group += self._waiting(wait=False)
                kept = self._keep(group, error)
                if self._is_over(error, kept):
                    self._give_up(group, error, kept)
                    return
                if self._hurried.wait(pause):
                    time.sleep(FIRST_PAUSE_SECONDS)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                break
        if self._trouble_since is not None:
            say("the ledger can be written again; everything that was held is in it")
            self._trouble_since = None
            self._spill.remove()
        for entry in group:
            entry.saved.set_result(None)

    def _keep(self, group: list[Entry], error: Exception) -> bool:
        """Keeps what the ledger does not take, told once; gives whether it lies on a disk."""
        kept = self._spill.add(entry.row for entry in group)
        if self._trouble_since is None:
            self._trouble_since = time.monotonic()
            where = f"in {self._spill.path}" if kept else "in memory only: free space, or they are lost"
            warn(f"the ledger cannot be written now ({error}); no more is asked, {len(group)} results are held {where}")
        return kept

    def _is_over(self, error: Exception, kept: bool) -> bool:
        """Whether to try no further. What lies in memory only is held for as long as nobody ends the run."""
        if not isinstance(error, sqlite3.OperationalError | OSError):
            return kept  # no ledger any more: it does not become one by waiting
        now = time.monotonic()
        if self._hurried.is_set():
            return kept or now > self._tries_until
        return kept and now - (self._trouble_since or now) > self._patience_seconds

    def _give_up(self, group: Sequence[Entry], error: Exception, kept: bool) -> None:
        """Ends the waiting for a group; its results, where a disk took them, stay for the next start."""
        if kept:
            found = f"the ledger cannot be written ({error}); {len(group)} results are kept in {self._spill.path}"
            remedy = f"free space, check permissions or let the other process finish, then run again: {NEXT_START}"
        else:
            found = f"the ledger cannot be written ({error}), nor can anything else; {len(group)} results are lost"
            remedy = "free space, then run again"
        if self._hurried.is_set():
            warn(found + (f"; {NEXT_START}" if kept else ""))  # an interrupted run tells of no error
        for entry in group:
            entry.saved.set_exception(UserError(str(self._path), found, remedy))

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None
