"""One rater's labels: read, healed, changed, and on disk before anybody is told that they are saved."""

import fcntl
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tuneproof.common.errors import UserError, warn
from tuneproof.common.files import write_lines
from tuneproof.common.places import project_root
from tuneproof.records.handovers import LABELS, raters
from tuneproof.records.rows import Label, problem_in

Place = tuple[str, str | None]  # a key, and the instructions that the rater had
Stamp = tuple[int, int, int]


class RaterLabels:
    """The labels of one rater, of all rounds, in the order in which they were first given.

    The file is replaced whole at each change, so that a kill leaves the one before or the one after. It is read anew
    where somebody else changed it, such as `git pull`. Safe to use from several threads.
    """

    def __init__(self, rater: str) -> None:
        """Reads the rater's file. Raises a UserError for a broken line, unless it is a last one that was cut off."""
        self.rater = rater
        self.path = LABELS.path(rater)
        self._changing = threading.Lock()
        self._labels: dict[Place, Label] = {}
        self._lines: dict[Place, str] = {}
        self._stamp: Stamp | None = None
        self._refresh()

    def __iter__(self) -> Iterator[Label]:
        with self._changing:
            self._refresh()
            return iter(list(self._labels.values()))

    def find(self, keys: Sequence[str], instructions: str) -> Label | None:
        """The label under one of these keys, with these instructions or with ones that are not known."""
        with self._changing:
            self._refresh()
            places = [(key, words) for key in keys for words in (instructions, None)]
            return next((self._labels[place] for place in places if place in self._labels), None)

    def save(self, labels: Iterable[Label]) -> None:
        """Puts labels in the place of those with the same key and instructions. On disk when it returns.

        Raises a UserError where that cannot be, and then nothing has changed.
        """
        with self._changing:
            self._refresh()
            changed = {(label.key, label.instructions): label for label in labels}
            lines = self._lines | {place: label.model_dump_json() + "\n" for place, label in changed.items()}
            write_lines(self.path, lines.values())
            self._labels |= changed
            self._lines, self._stamp = lines, stamp_of(self.path)

    def _refresh(self) -> None:
        stamp = stamp_of(self.path)
        if stamp != self._stamp:
            labels = read_and_heal(self.path) if stamp else []
            self._labels = {(label.key, label.instructions): label for label in labels}
            self._lines = {place: label.model_dump_json() + "\n" for place, label in self._labels.items()}
            self._stamp = stamp

    @classmethod
    @contextmanager
    def opened(cls, rater: str) -> Iterator[Self]:
        """A rater's labels, held by this process alone. Raises a UserError where another one has them open."""
        folder = project_root() / ".cache" / "labels"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{rater}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                found = "annotate.py is open for this rater already"
                raise UserError(f"--rater {rater}", found, "go on there, end it, or give another name") from None
            yield cls(rater)


def stamp_of(path: Path) -> Stamp | None:
    """What changes when a file does; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_and_heal(path: Path) -> list[Label]:
    """The labels of a file; a last line without an end that is no label was cut off by a crash, and is left out.

    Raises a UserError for any other line that is no label, and where the file cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(str(path), f"it cannot be read ({error.strerror})", "restore it from Git") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(Label.model_validate_json(line))
        except ValueError as error:
            where = f"{path}, line {number}"
            if number < len(lines):
                remedy = "correct the line, or restore the file from Git"
                raise UserError(where, f"this is no label: {problem_in(error)}", remedy) from None
            warn(f"{where}: it was cut off, and is left out")
    return found


class Others:
    """What the other raters have rated, read anew where their files changed."""

    def __init__(self, rater: str) -> None:
        """Takes who they are the others of."""
        self._rater = rater
        self._labels: dict[str, RaterLabels] = {}

    def count(self, keys: Sequence[str], instructions: str) -> int:
        """How many of them rated what is labelled under one of these keys."""
        labels = [found.find(keys, instructions) for found in self._found()]
        return sum(label is not None and label.rated for label in labels)

    def _found(self) -> Iterator[RaterLabels]:
        for rater in raters():
            if rater != self._rater:
                if rater not in self._labels:
                    self._labels[rater] = RaterLabels(rater)
                yield self._labels[rater]


def round_of(instructions: str) -> int:
    """The round that labels with these instructions are of: theirs where somebody has some, else the next one."""
    rounds = {label.instructions: label.round for rater in raters() for label in read_and_heal(LABELS.path(rater))}
    return rounds.get(instructions) or max(rounds.values(), default=0) + 1
