import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from tests.conftest import ROOT
from tuneproof.common.progress import Progress, with_progress


def test_in_a_pipe_there_are_plain_lines_with_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter([100.0, 110.0, 120.0, 130.0, 140.0])
    with Progress("generate sft", 8, "answers", lambda: "20 tokens/s", clock=lambda: next(seconds)) as progress:
        for _ in range(4):
            progress.advance()
    assert capsys.readouterr().err.splitlines() == [
        "generate sft: 2 of 8 answers, 0.1 a second, about 60 s left, 20 tokens/s",
        "generate sft: 4 of 8 answers, 0.1 a second, about 40 s left, 20 tokens/s",
    ]


def test_quick_work_in_a_pipe_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("generate sft", 1000, "answers") as progress:
        for _ in range(1000):
            progress.advance()
    assert capsys.readouterr().err == ""
    assert progress.seconds >= 0


def test_what_is_made_one_by_one_passes_on_and_is_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneproof.common.progress.SECONDS_BETWEEN_LINES", 0)
    assert list(with_progress("abc", "judge sft", 3, "judgements")) == ["a", "b", "c"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["judge sft: 1 of 3 judgements", "judge sft: 2 of 3 judgements"]


def test_on_a_terminal_there_is_a_bar_with_count_and_facts() -> None:
    code = (
        "from tuneproof.common.progress import Progress\n"
        "with Progress('generate sft', 3, 'answers', lambda: '20 tokens/s') as progress:\n"
        "    progress.advance(3)\n"
    )
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TQDM_")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "scripts", stderr=follower, env=environment, check=True)
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert "generate sft: 100%" in shown
    assert "3/3" in shown
    assert "20 tokens/s" in shown
