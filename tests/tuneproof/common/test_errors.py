"""How foreign text becomes part of an error line."""

import os
import subprocess
import sys

from tests.conftest import ROOT
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.processes import ended_with_test
from tuneproof.common.errors import one_line, shortened


def test_short_text_is_kept_on_one_line_without_control_characters() -> None:
    assert one_line(" a \n b\x1b[31m ") == "a b [31m"


def test_long_text_is_cut() -> None:
    assert one_line("x" * 500, 10) == "xxxxxxx..."


def test_a_secret_is_hidden_before_anything_is_cut() -> None:
    assert one_line("x" * 98 + "secret", 10, secret="secret") == "xxxxxxx..."
    assert one_line("Bearer secret", secret="secret") == "Bearer ***"


def test_whatever_it_is_it_is_one_printable_line() -> None:
    for text in HOSTILE_TEXTS:
        assert one_line(text).isprintable()
        assert len(one_line(text)) <= 200


def test_a_librarys_message_becomes_one_short_printable_line() -> None:
    line = shortened(ValueError("first\nsecond \x1b[31m" + "x" * 500))
    assert line.startswith("ValueError: first second [31mxxx")
    assert len(line) == 160
    assert line.isprintable()


def test_a_reader_that_is_gone_ends_a_command_without_a_traceback() -> None:
    for rows in (1, 100_000):  # less and more than what is held back until the end
        program = f"from tuneproof.common.errors import run\nrun(lambda: print('row\\n' * {rows}))"
        command = ended_with_test(subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        ))  # fmt: skip
        assert command.stdout
        command.stdout.close()
        command.stdout = None
        assert command.communicate()[1] == ""
        assert command.returncode == 141
