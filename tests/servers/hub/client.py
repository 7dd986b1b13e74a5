"""Points the official client, in this process, at the local Hub and at a cache of the test's own."""

from pathlib import Path

import huggingface_hub
from huggingface_hub import constants
from pytest import MonkeyPatch

from tests.servers.hub.server import HubServer
from tuneproof.sources.hub import calls as hub_answers


def use_hub(server: HubServer, monkeypatch: MonkeyPatch, home: Path) -> None:
    """Replaces what the client read from the environment when it was imported; no token, no waiting before a retry."""
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_answers, "RETRY_DELAYS_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(hub_answers, "_silent", set())
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    huggingface_hub.close_session()  # connections of an earlier test lead to a server that is gone
