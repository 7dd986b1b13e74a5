import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.processes import ended_with_test
from tuneproof.records.writing import timeline
from tuneproof.records.writing.timeline import Part, drawn, last_run, parts, plan, timed


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    yield


def part(began: float, seconds: float, stage: str = "generate sft", name: str = "answers", units: int = 10) -> Part:
    return Part(stage=stage, part=name, began=began, seconds=seconds, units=units)


def write(*rows: Part) -> None:
    timeline.timeline_path().parent.mkdir(exist_ok=True)
    timeline.timeline_path().write_text("".join(row.model_dump_json() + "\n" for row in rows))


def test_what_is_timed_is_a_line_also_where_it_fails_and_a_broken_line_is_left_out() -> None:
    with timed("generate sft", "start") as done:
        done.units = 1
    with timeline.timeline_path().open("a") as file:
        file.write("{half a li\n")
    with pytest.raises(KeyError), timed("generate sft", "answers"):
        raise KeyError
    assert [(one.part, one.units) for one in parts()] == [("start", 1), ("answers", 0)]


def test_what_cannot_be_written_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("a file")
    with timed("generate sft", "start"):
        pass
    assert parts() == []


def test_processes_at_the_same_time_append_whole_lines(tmp_path: Path) -> None:
    code = (
        "from tuneproof.records.writing.timeline import timed\n"
        "for number in range(50):\n    with timed('judge sft ' + 'x' * 500, 'verdicts'): pass"
    )
    started = [ended_with_test(subprocess.Popen([sys.executable, "-c", code], cwd=ROOT / "scripts")) for _ in range(4)]
    assert [one.wait() for one in started] == [0] * 4
    assert len(parts()) == 200 == len(timeline.timeline_path().read_text().splitlines())


def test_the_plan_goes_by_the_last_time_of_the_stage_or_of_its_kind() -> None:
    assert plan("generate dpo", {("generate dpo", "answers"): 5}) is None
    write(part(0, 100), part(200, 20), part(300, 70, "generate dpo", units=7), part(400, 4, "judge sft", "verdicts", 8))
    coming = {("generate sft", "answers"): 100, ("judge dpo", "verdicts"): 100, ("generate sft", "start"): 1}
    said = plan("generate sft", coming)
    assert said == "generate sft: by earlier runs here 100 answers 3 min, 100 verdicts 50 s: about 4 min in all"


def test_only_the_last_run_is_drawn_in_lines_that_a_pipe_takes() -> None:
    rows = [part(0, 10), part(10_000, 30), part(10_010, 40, "judge sft", "verdicts"), part(10_050, 0)]
    assert last_run(rows) == rows[1:]
    write(*rows)
    done = subprocess.run(
        [sys.executable, "-m", "tuneproof.records.writing.timeline"], cwd=ROOT / "scripts", capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and len({len(line) for line in lines[:3]}) == 1
    assert lines[0].index("#") < lines[1].index("#") and "50.0 s in all" in lines[3]


def test_without_anything_measured_it_says_so() -> None:
    assert list(drawn([])) == ["nothing was measured in this clone yet"]
