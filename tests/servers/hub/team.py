"""A local Hub with a team's model and a spare one, for the tests of everything that asks the Hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import close_session

from tests.servers.hub.client import use_hub
from tests.servers.hub.repositories import Account
from tests.servers.hub.server import HubServer, running_hub

TOKEN = "hf_plantedSecretToken0123456789"
MODEL = "team/model"
FALLBACK = "team/spare"
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "model.safetensors": b"weights" * 100,
    "README.md": b"# A model\n",
    "original/consolidated.00.pth": b"the same weights for another program",
}


@contextmanager
def team_hub(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[HubServer]:
    """The Hub, used by this process until the end, with its caches below `folder`."""
    with running_hub() as running:
        use_hub(running, monkeypatch, folder)
        running.hub.accounts[TOKEN] = Account("someone")
        running.hub.add("model", MODEL, FILES)
        running.hub.add("model", FALLBACK, FILES | {"model.safetensors": b"spare"})
        yield running
        close_session()
