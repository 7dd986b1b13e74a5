"""What stands on the local Hub after publishing, and publishing that must be refused."""

import pytest

import publish
from evaluation.errors import UserError
from tests.servers.hub_repositories import Commit
from tests.servers.hub_server import HubServer

TOKEN = "hf_plantedWriteToken0123456789"


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
