"""A Hub to publish to, and a finished run to publish."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session

from tests.finished_run import FinishedRun, finished_run
from tests.publish.results import TOKEN
from tests.servers.hub_client import use_hub
from tests.servers.hub_repositories import Account
from tests.servers.hub_server import HubServer, running_hub


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with running_hub() as running:
        use_hub(running, monkeypatch, tmp_path / "home")
        running.hub.accounts[TOKEN] = Account("me", organisations=("team",))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield running
        close_session()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    monkeypatch.setattr(sys, "argv", ["publish.py"])
    return finished_run(tmp_path / "project", monkeypatch)
