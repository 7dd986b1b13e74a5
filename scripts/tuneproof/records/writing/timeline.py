"""How long the parts of stages took in this clone: kept beside the ledger, and what coming ones will take by it.

Nothing of it is in what DVC tracks. Prints the last run as bars:   python -m tuneproof.records.writing.timeline
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from tuneproof.common.errors import run
from tuneproof.common.places import project_root
from tuneproof.records.rows import Row

COLUMNS = 60  # of the longest bar
SECONDS_BETWEEN_RUNS = 600  # without anything: what comes after is another run
READ_BYTES = 1_000_000  # of the file's end: some thousand parts
NotNegative = Annotated[float, Field(ge=0)]


class Part(Row):
    """A part of a stage: when it began (seconds since 1970), how long it took, and how many units of it were done."""

    stage: str  # such as "generate sft"
    part: str  # such as "start", "answers", "verdicts"
    began: NotNegative
    seconds: NotNegative
    units: Annotated[int, Field(ge=0)]

    @property
    def ended(self) -> float:
        """When it ended."""
        return self.began + self.seconds


def timeline_path() -> Path:
    """Where the measured times of this clone lie."""
    return project_root() / ".cache" / "timeline.jsonl"


class Count:
    """How many units of a part are done."""

    units = 0


@contextmanager
def timed(stage: str, part: str) -> Iterator[Count]:
    """Measures what is done within, also where it fails; set `units` of what it gives.

    A line is one write at the file's end, so that stages at the same time spoil none. Where it cannot be written, it
    is left out: no run ends for it.
    """
    count, began, clock = Count(), time.time(), time.monotonic()
    try:
        yield count
    finally:
        row = Part(stage=stage, part=part, began=began, seconds=time.monotonic() - clock, units=count.units)
        with suppress(OSError):
            timeline_path().parent.mkdir(parents=True, exist_ok=True)
            file = os.open(timeline_path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(file, (row.model_dump_json() + "\n").encode())
            finally:
                os.close(file)


def parts() -> list[Part]:
    """What was measured, the oldest first; a line that is broken is left out."""
    found = []
    with suppress(OSError), timeline_path().open("rb") as file:
        file.seek(max(0, timeline_path().stat().st_size - READ_BYTES))
        for line in file:
            with suppress(ValidationError, UnicodeDecodeError):
                found.append(Part.model_validate_json(line))
    return sorted(found, key=lambda one: one.began)


def plan(stage: str, coming: Mapping[tuple[str, str], int]) -> str | None:
    """What so many units of each (stage, part) will take by earlier runs; None where nothing like it was measured.

    It goes by the last time of the same stage, else of the same kind of stage (its first word).
    """
    known, words, whole = parts(), list[str](), 0.0
    for (name, part), units in coming.items():
        alike = [one for one in known if one.part == part and one.units and one.stage.split()[0] == name.split()[0]]
        same = [one for one in alike if one.stage == name] or alike
        if same:
            per_unit = same[-1].seconds / same[-1].units
            whole += units * per_unit
            amount = part if units == 1 else f"{units} {part}"
            words.append(f"{amount} {in_words(units * per_unit)}")
    return f"{stage}: by earlier runs here {', '.join(words)}: about {in_words(whole)} in all" if words else None


def in_words(seconds: float) -> str:
    """A time for a person."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def last_run(known: list[Part]) -> list[Part]:
    """The parts since the last time that nothing was done for long."""
    began, ended = 0, 0.0
    for place, one in enumerate(known):
        if one.began > ended + SECONDS_BETWEEN_RUNS:
            began = place
        ended = max(ended, one.ended)
    return known[began:]


def drawn(shown: list[Part]) -> Iterator[str]:
    """A line for each part: what it is, when it began and how long it took, and its place in the run as a bar."""
    if not shown:
        yield "nothing was measured in this clone yet"
        return
    start, end = shown[0].began, max(one.ended for one in shown)
    scale = COLUMNS / max(end - start, 1e-9)
    width = max(len(f"{one.stage} {one.part}") for one in shown)
    for one in shown:
        first = min(int((one.began - start) * scale), COLUMNS - 1)
        bar = " " * first + "#" * max(1, min(round(one.seconds * scale), COLUMNS - first))
        name = f"{one.stage} {one.part}"
        yield f"{name:{width}}  {one.began - start:7.1f} s {one.seconds:7.1f} s  |{bar:{COLUMNS}}|"
    yield f"{end - start:.1f} s in all; the parts alone take {sum(one.seconds for one in shown):.1f} s"


def main() -> None:
    """Prints the last run."""
    for line in drawn(last_run(parts())):
        print(line)


if __name__ == "__main__":
    run(main)
