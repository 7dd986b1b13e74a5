import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ended_with_test
from tuneproof.common.logs import output_to, reason_in


def test_what_is_printed_within_goes_to_the_file_and_afterwards_where_it_went_before(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "new" / "engine.log"
    with output_to(log):
        print("from print")
        print("to stderr", file=sys.stderr)
        os.write(1, b"from a library in C\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    print("after")
    assert capfd.readouterr() == ("after\n", "")
    assert set(log.read_text().splitlines()) == {"from print", "to stderr", "from a library in C", "from a child"}


def test_a_child_that_lives_on_keeps_writing_to_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "engine.log"
    with output_to(log):
        child = ended_with_test(
            subprocess.Popen([sys.executable, "-c", "input(); print('later')"], stdin=subprocess.PIPE)
        )
    child.communicate(b"\n")
    assert log.read_text() == "later\n"
    assert capfd.readouterr().out == ""


def test_output_comes_back_after_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), output_to(tmp_path / "engine.log"):
        raise KeyError
    print("after")
    assert capfd.readouterr().out == "after\n"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["INFO started", "Traceback (most recent call last):", "ValueError: bad dtype"], "ValueError: bad dtype"),
        (
            [
                "(EngineCore pid=7) ERROR 11-21 07:12:26 torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB",
                "(Main) ERROR RuntimeError: Engine core initialization failed. See root cause above.",
            ],
            "torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB",
        ),
        (
            [
                "(EngineCore pid=7) ERROR [executor.py:3] Worker proc VllmWorker-0 died unexpectedly (exit code: None)",
                "(EngineCore pid=7) ERROR [core.py:1512] RuntimeError: cancelled",
                "(Main) ERROR vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.",
            ],
            "Worker proc VllmWorker-0 died unexpectedly",
        ),
        (["INFO all is well", "WARNING no Error here"], None),
        ([], None),
    ],
)
def test_the_reason_of_a_failure_is_the_last_exception_that_says_one(
    tmp_path: Path, lines: list[str], reason: str | None
) -> None:
    log = tmp_path / "engine.log"
    log.write_text("\n".join(lines))
    assert reason_in(log) == reason


def test_a_reason_is_short_and_printable_whatever_the_log_holds(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_bytes(b"\xff\xfe\0" * 100_000 + b"\nValueError: \x1b[31mred\xff " + b"x" * 1000 + b"\n")
    reason = reason_in(log) or ""
    assert reason.startswith("ValueError: [31mred")
    assert reason.isprintable()
    assert len(reason) == 300


def test_without_a_log_there_is_no_reason(tmp_path: Path) -> None:
    assert reason_in(tmp_path / "engine.log") is None
