"""What stands on the local Hub after publishing, and publishing that must be refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import close_session

import publish
from tests.servers.hub.client import use_hub
from tests.servers.hub.repositories import Account, Commit
from tests.servers.hub.server import HubServer, running_hub
from tuneproof.common.errors import UserError

TOKEN = "hf_plantedWriteToken0123456789"


@contextmanager
def own_hub(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[HubServer]:
    """A Hub that this process may write to as `me` until the end, with its caches below `folder`."""
    with running_hub() as running:
        use_hub(running, monkeypatch, folder)
        running.hub.accounts[TOKEN] = Account("me", organisations=("team",))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield running
        close_session()


def commits(server: HubServer, dataset: str = "me/Llama-SFT-results") -> list[Commit]:
    """The commits with results; the first one of a repository is the Hub's own."""
    return server.hub.repositories["dataset", dataset].commits[1:]


def datasets_on(server: HubServer) -> list[str]:
    return sorted(name for kind, name in server.hub.repositories if kind == "dataset")


def card(server: HubServer, dataset: str = "me/Llama-SFT-results") -> str:
    return commits(server, dataset)[-1].files["README.md"].content.decode()


def refused(match: str) -> str:
    with pytest.raises(UserError, match=match) as stopped:
        publish.main()
    assert str(stopped.value).isprintable()
    assert TOKEN not in str(stopped.value)
    return str(stopped.value)
