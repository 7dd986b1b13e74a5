"""The comparison that `make results` prints."""

import re
import subprocess
import sys
from pathlib import Path

from tests.made_up.aggregated_run import SHAPE, details
from tests.made_up.run import write_run
from tests.running import SCRIPTS
from tuneproof.results.report.terminal import plain_text
from tuneproof.results.summary import summary_markdown


def compare(copied: Path) -> "subprocess.CompletedProcess[str]":
    """`make results` in a pipe."""
    command = [sys.executable, "-m", "tuneproof.results.report.terminal"]
    environment = {"PYTHONPATH": str(SCRIPTS), "PATH": ""}
    return subprocess.run(command, cwd=copied, capture_output=True, text=True, check=False, env=environment)


def test_the_comparison_in_a_pipe_is_plain_aligned_text(aggregated: Path) -> None:
    done = compare(aggregated)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    header, *rows = done.stdout.splitlines()[:9]
    assert header.split("  ")[0] == "model"
    place = header.index("verdict")
    assert all(row[place - 1] == " " and row[place] != " " for row in rows)
    assert re.search(r"^sft +accuracy +\d\.\d\d \[\d\.\d\d, \d\.\d\d\] +[+-]\d\.\d\d \[", done.stdout, re.MULTILINE)
    assert "sft +win rate" in done.stdout or re.search(r"^sft +win rate +\d+%", done.stdout, re.MULTILINE)


def test_the_comparison_on_a_terminal_is_a_table(aggregated: Path) -> None:
    import os
    import pty

    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "tuneproof.results.report.terminal"]
    environment = {"PYTHONPATH": str(SCRIPTS), "TERM": "xterm", "COLUMNS": "120"}
    subprocess.run(command, cwd=aggregated, stdout=terminal, check=True, env=environment)
    os.close(terminal)
    shown = b""
    while chunk := read_terminal(controller):
        shown += chunk
    os.close(controller)
    text = shown.decode()
    assert "\x1b[" in text and "─" in text
    assert text.count("baseline is the baseline") == 1


def read_terminal(controller: int) -> bytes:
    """What is left in a pseudo-terminal; nothing once its other end is closed."""
    import os

    try:
        return os.read(controller, 65_536)
    except OSError:
        return b""


def test_the_comparison_before_aggregate_says_what_to_run(tmp_path: Path) -> None:
    write_run(tmp_path, SHAPE)
    done = compare(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: data/details/sft.json: there is no such file; run `dvc repro`")


def test_hostile_names_do_not_break_the_table(aggregated: Path) -> None:
    hostile = "[red]x[/] | <b> \x1b[31m\n" + "w" * 200
    model = details(aggregated, "sft")
    run = model.run.model_copy(update={"criteria": {hostile: model.run.criteria["style"]}})
    renamed = model.model_copy(update={"model": hostile, "criteria": {hostile: model.criteria["style"]}, "run": run})
    text, markdown = plain_text([renamed]), summary_markdown([renamed])
    assert "\x1b" not in text + markdown
    assert "<b>" not in markdown
    rows = [line.replace("\\|", "") for line in markdown.splitlines() if line.startswith("| ")]
    assert {row.count("|") for row in rows} == {8}
    assert max(len(line) for line in text.splitlines()[:3]) < 240
