"""The container's entry: secrets, what is passed on, and the message of a failure."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.processes import ended_with_test
from tests.waiting import PATIENCE_SECONDS
from tuneproof.common.errors import UserError
from tuneproof.generation.sagemaker.container import hub_token, leave_message, run_child, token_in

TOKEN = "hf_planted0123456789"


@pytest.mark.parametrize("secret", [TOKEN, f" {TOKEN}\n", json.dumps({"HF_TOKEN": TOKEN, "other": "x"})])
def test_a_secret_holds_the_token_alone_or_as_the_console_writes_it(secret: str) -> None:
    assert token_in("the-hub", secret) == TOKEN


@pytest.mark.parametrize("secret", ["", "{}", '{"HF_TOKEN": 3}', "two words", "a\nb"])
def test_a_secret_without_a_token_is_one_line_that_does_not_show_it(secret: str) -> None:
    with pytest.raises(UserError, match="hf_token_secret the-hub: it holds no token") as refused:
        token_in("the-hub", secret)
    assert not secret or secret not in str(refused.value)


def test_without_a_named_secret_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNEPROOF_HF_TOKEN_SECRET", raising=False)
    assert hub_token() is None


def test_an_image_without_botocore_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEPROOF_HF_TOKEN_SECRET", "the-hub")
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(UserError, match="it has no botocore to fetch the Hub's token with"):
        hub_token()


def test_the_token_is_in_the_childs_environment_alone_and_never_in_what_is_passed_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = "import os, sys; print('it is', os.environ['HF_TOKEN']); print('error: here: no; do', file=sys.stderr)"
    assert run_child([sys.executable, "-c", f"{code}; print('after'); sys.exit(3)"], TOKEN)[0] == 3
    shown = capfd.readouterr().out
    assert "it is <the token>" in shown
    assert TOKEN not in shown
    assert "HF_TOKEN" not in os.environ


def test_the_reason_is_the_error_line_or_else_the_last_line() -> None:
    script = "import sys; print('error: here: no; do', file=sys.stderr, flush=True); print('after')"
    assert run_child([sys.executable, "-c", script], None) == (0, "error: here: no; do")
    assert run_child([sys.executable, "-c", "print('a'); print('b'); print()"], None) == (0, "b")


def test_the_message_is_as_long_as_sagemaker_keeps_it(tmp_path: Path) -> None:
    leave_message(tmp_path / "output" / "message", "ü" * 2000)
    assert len((tmp_path / "output" / "message").read_bytes()) == 1024


@pytest.mark.parametrize("seen_by", ["the waiting thread", "another thread, as when it comes just before a wait"])
def test_a_stop_interrupts_the_child_which_may_finish(seen_by: str) -> None:
    child = (
        "import time\ntry:\n    print('ready', flush=True)\n    while True:\n        time.sleep(0.1)\n"
        "except KeyboardInterrupt:\n    print('handed over', flush=True)\n"
    )
    script = "import signal, sys, threading, time; from tuneproof.generation.sagemaker.container import run_child; "
    if seen_by != "the waiting thread":
        script += "threading.Thread(target=time.sleep, args=[600], daemon=True).start(); "
        script += "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); "
    script += f"run_child([sys.executable, '-c', {child!r}], None)"
    entry = ended_with_test(subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")}, text=True,
        stdout=subprocess.PIPE,
    ))  # fmt: skip
    assert entry.stdout and entry.stdout.readline() == "ready\n"
    entry.send_signal(signal.SIGTERM)
    assert entry.stdout.read() == "handed over\n"
    entry.wait(PATIENCE_SECONDS)
