"""Files of the Hub in the local cache: only what matters, at the pinned commit, and without the Hub when it is away."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants, snapshot_download

from tests.servers.hub.repositories import Account, Fault
from tests.servers.hub.server import HubServer
from tests.servers.hub.team import FALLBACK, FILES, MODEL, TOKEN, team_hub
from tuneproof.common.errors import UserError
from tuneproof.sources.hub import repositories as hub
from tuneproof.sources.hub.downloads import cached_model, download_dataset, download_model, download_small_files
from tuneproof.sources.hub.pins import Pins


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with team_hub(monkeypatch, tmp_path) as running:
        yield running


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins.load(tmp_path / "pins.json")


# --- Files ---


def test_a_model_download_takes_what_matters_and_nothing_else(server: HubServer, pins: Pins) -> None:
    server.hub.add("model", MODEL, FILES | {"pytorch_model.bin": b"a pickle", "consolidated.safetensors": b"again"})
    folder = download_model(hub.resolve_model(MODEL, "main", None, pins))
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def test_small_files_come_without_weights(server: HubServer, pins: Pins) -> None:
    resolved = hub.resolve_model(MODEL, "main", None, pins)
    folder = download_small_files(resolved)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "tokenizer.json", "tokenizer_config.json"]
    assert cached_model(resolved) is None
    assert download_model(resolved) == folder
    assert cached_model(resolved) == folder


def test_the_token_goes_to_the_hub_and_not_to_its_storage(server: HubServer, pins: Pins) -> None:
    server.hub.add("model", MODEL, FILES, private=True)
    server.hub.accounts[TOKEN] = Account("team")
    download_model(hub.resolve_model(MODEL, "main", None, pins, token=TOKEN), token=TOKEN)
    to_storage = [request for request in server.requests if request.path.startswith("/storage/")]
    assert to_storage
    assert {request.token for request in to_storage} == {None}
    assert {request.token for request in server.requests if request not in to_storage} == {TOKEN}


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (Fault("/resolve/|/tree/", status=403, headers={"X-Error-Code": "GatedRepo"}), "it is gated"),
        (Fault("/resolve/|/tree/", status=404, headers={"X-Error-Code": "RepoNotFound"}), "it is not on the Hub"),
        (Fault("/tree/", status=404, headers={"X-Error-Code": "RevisionNotFound"}), "pinned commit .* is gone"),
        (Fault("/resolve/|/tree/", status=403), "may not read it"),
    ],
)
def test_a_download_that_is_refused_stops(plant: Fault, says: str, server: HubServer, pins: Pins) -> None:
    resolved = hub.resolve_model(MODEL, "main", None, pins)
    server.faults.append(plant)
    with pytest.raises(UserError, match=says):
        download_model(resolved, token=TOKEN)


# --- Without the Hub ---


def offline(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def down(server: HubServer, _: pytest.MonkeyPatch) -> None:
    server.faults.append(Fault("/", status=503))


@pytest.mark.parametrize("absence", [offline, down])
def test_what_is_pinned_and_cached_works_without_the_hub(
    absence: Callable[[HubServer, pytest.MonkeyPatch], None],
    server: HubServer,
    pins: Pins,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.hub.add("dataset", "team/data", {"test.jsonl": b'{"a": 1}\n', "README.md": b"# Data\n"})
    model, data = (hub.resolve_model(MODEL, "main", None, pins), hub.resolve_dataset("team/data", "main", None, pins))
    folders = (download_model(model), download_dataset(data))
    absence(server, monkeypatch)
    capsys.readouterr()

    again = (hub.resolve_model(MODEL, "main", None, pins), hub.resolve_dataset("team/data", "main", None, pins))
    assert [(each.sha, each.content) for each in again] == [(each.sha, each.content) for each in (model, data)]
    assert capsys.readouterr().err.count("is used unchecked") == 2
    if absence is offline:
        assert (download_model(again[0]), download_dataset(again[1])) == folders


def test_what_is_cached_but_not_pinned_works_offline_with_the_same_content(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot_download(MODEL)  # as `hf download` does, with a branch and not a commit
    online = hub.resolve_model(MODEL, "main", None, Pins(tmp_path / "online.json"))
    offline(server, monkeypatch)
    fresh = Pins(tmp_path / "offline.json")
    resolved = hub.resolve_model(MODEL, "main", None, fresh)
    assert (resolved.sha, resolved.content) == (online.sha, online.content)
    assert fresh.get("model", MODEL, "main") is not None


def test_offline_and_not_cached_stops(server: HubServer, pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.resolve_model(MODEL, "main", None, pins)  # pinned, its files never downloaded
    offline(server, monkeypatch)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE forbids asking the Hub, and it is not in the local cache"):
        hub.resolve_model(MODEL, "main", FALLBACK, pins)


def test_a_half_downloaded_model_is_not_taken_for_a_cached_one(
    server: HubServer, pins: Pins, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = {f"model-0000{number}-of-00002.safetensors": b"shard %d" % number for number in (1, 2)}
    server.hub.add("model", "team/large", {"config.json": b"{}", **shards})
    resolved = hub.resolve_model("team/large", "main", None, pins)
    folder = download_model(resolved)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert cached_model(resolved) is None
    offline(server, monkeypatch)
    with pytest.raises(UserError, match="not whole in the local cache"):
        download_model(resolved)


def test_a_pinned_model_that_left_the_hub_is_used_from_the_cache_with_a_warning(
    server: HubServer, pins: Pins, capsys: pytest.CaptureFixture[str]
) -> None:
    resolved = hub.resolve_model(MODEL, "main", None, pins)
    download_model(resolved)
    del server.hub.repositories["model", MODEL]
    again = hub.resolve_model(MODEL, "main", FALLBACK, pins)
    assert (again.id, again.sha) == (MODEL, resolved.sha)
    assert "not on the Hub" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_stops(
    server: HubServer, pins: Pins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    resolved = hub.resolve_model(MODEL, "main", None, pins)
    with pytest.raises(UserError, match=r"the download broke off .*HF_HOME"):
        download_model(resolved)


def test_a_file_of_the_wrong_length_stops_and_is_not_kept(server: HubServer, pins: Pins) -> None:
    resolved = hub.resolve_model(MODEL, "main", None, pins)
    server.faults.append(Fault("GET /storage/", status=200, body=b"half"))
    with pytest.raises(UserError, match="the download broke off"):
        download_model(resolved)
    server.faults.clear()
    assert (download_model(resolved) / "model.safetensors").read_bytes() == FILES["model.safetensors"]
