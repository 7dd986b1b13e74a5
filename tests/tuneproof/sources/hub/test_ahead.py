"""Weights fetched ahead: whole in the client's own cache, resumed by a range, at a pace, one process at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.servers.hub.repositories import Account, Fault, File
from tests.servers.hub.server import HubServer
from tests.servers.hub.team import FILES, MODEL, TOKEN, team_hub
from tuneproof.common.errors import UserError
from tuneproof.records.documents.resolved import ResolvedAdapter, ResolvedModel
from tuneproof.sources.folders import not_here
from tuneproof.sources.hub import repositories as hub
from tuneproof.sources.hub.ahead import BEGUN, Pace, fetch_weights, finish_begun, repository_folder
from tuneproof.sources.hub.downloads import Resolved, cached_model, download_model
from tuneproof.sources.hub.pins import Pins

WEIGHTS = bytes(range(256)) * 100_000  # more than two parts as the client takes them
ROOM = 10**12


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with team_hub(monkeypatch, tmp_path) as running:
        running.hub.add("model", MODEL, FILES | {"model.safetensors": WEIGHTS})
        yield running


@pytest.fixture
def resolved(server: HubServer, tmp_path: Path) -> Resolved:
    return hub.resolve_model(MODEL, "main", None, Pins.load(tmp_path / "pins.json"))


def begun(resolved: Resolved) -> Path:
    return repository_folder(resolved) / "blobs" / (File(WEIGHTS, large=True).sha256 + BEGUN)


def begin(resolved: Resolved, content: bytes) -> None:
    begun(resolved).parent.mkdir(parents=True, exist_ok=True)
    begun(resolved).write_bytes(content)


def transfers(server: HubServer) -> list[str | None]:
    """The ranges that were asked of the storage."""
    return [request.range for request in server.requests if request.path.startswith("/storage/")]


def fetch(resolved: Resolved, pace: Pace | None = None, room: int = ROOM) -> None:
    fetch_weights(resolved, pace or Pace(None), lambda folder: room)


def test_what_was_fetched_is_what_the_client_would_have_and_is_fetched_once(
    server: HubServer, resolved: Resolved
) -> None:
    pace = Pace(None)
    fetch(resolved, pace)
    folder = cached_model(resolved)
    assert folder and (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    assert pace.bytes == len(WEIGHTS) and not begun(resolved).exists()
    fetch(resolved)
    assert download_model(resolved) == folder
    assert transfers(server) == [None]


def test_what_was_begun_is_finished_by_a_range_also_when_its_turn_has_come(
    server: HubServer, resolved: Resolved
) -> None:
    begin(resolved, WEIGHTS[:7_000_000])
    finish_begun(resolved)
    folder = download_model(resolved)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert transfers(server) == ["bytes=7000000-"]
    finish_begun(resolved)
    assert len(transfers(server)) == 1


@pytest.mark.parametrize("spoiled", [b"x" * 5_000_000, b"x" * len(WEIGHTS), b"x" * (len(WEIGHTS) + 1)])
def test_what_was_begun_and_spoiled_is_found_and_fetched_anew(
    server: HubServer, resolved: Resolved, spoiled: bytes
) -> None:
    begin(resolved, spoiled)
    fetch(resolved)
    assert (download_model(resolved) / "model.safetensors").read_bytes() == WEIGHTS


def test_weights_that_are_not_what_the_hub_names_are_not_taken(server: HubServer, resolved: Resolved) -> None:
    server.faults.append(Fault("GET /storage", status=200, body=bytes(len(WEIGHTS)), times=1))
    with pytest.raises(
        UserError, match=r"broke off \(model.safetensors arrived with other contents than the Hub names"
    ):
        fetch(resolved)
    assert cached_model(resolved) is None and not begun(resolved).exists()
    fetch(resolved)
    assert (download_model(resolved) / "model.safetensors").read_bytes() == WEIGHTS


def test_where_there_is_no_room_nothing_is_begun(server: HubServer, resolved: Resolved) -> None:
    with pytest.raises(UserError, match="26 MB are to come and 1,010 MB are left"):
        fetch(resolved, room=1_010_000_000)
    assert transfers(server) == [] and not begun(resolved).exists()
    begin(resolved, WEIGHTS[:20_000_000])
    fetch(resolved, room=1_010_000_000)
    assert transfers(server) == ["bytes=20000000-"]


def test_a_file_that_plain_http_does_not_give_is_left_to_the_client(
    server: HubServer, resolved: Resolved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "MAX_HTTP_DOWNLOAD_SIZE", len(WEIGHTS) - 1)
    with pytest.raises(UserError, match="which plain HTTP does not give; it is downloaded when its turn comes"):
        fetch(resolved)
    assert transfers(server) == []


def test_a_pace_is_kept_from_the_first_part_to_the_last_of_each_file(server: HubServer, resolved: Resolved) -> None:
    now = [0.0]
    fetch(resolved, Pace(1_000_000, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds)))
    assert now[0] == pytest.approx(len(WEIGHTS) / 1_000_000)


def test_a_pause_is_not_made_up_for() -> None:
    now = [0.0]
    pace = Pace(10, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    now[0] = 100.0
    pace.begin()
    pace.came(50)
    assert now[0] == 105.0


def test_the_client_and_a_fetch_at_the_same_time_transfer_a_file_once(server: HubServer, resolved: Resolved) -> None:
    server.bytes_per_second = 40e6
    with ThreadPoolExecutor(3) as threads:
        fetching = [threads.submit(fetch, resolved) for _ in range(2)]
        threads.submit(download_model, resolved).result()
        assert [done.result() for done in fetching] == [None, None]
    folder = cached_model(resolved)
    assert folder and (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert len(transfers(server)) == 1


def test_the_token_goes_to_the_hub_alone_and_into_no_error(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server.hub.add("model", MODEL, FILES | {"model.safetensors": WEIGHTS}, private=True)
    server.hub.accounts[TOKEN] = Account("team")
    private = hub.resolve_model(MODEL, "main", None, Pins.load(tmp_path / "pins.json"))
    server.faults.append(Fault("GET /storage", status=403, headers={"X-Error-Message": f"{TOKEN} may not"}, times=1))
    with pytest.raises(UserError) as refused:
        fetch(private)
    assert TOKEN not in str(refused.value)
    fetch(private)
    assert {request.token for request in server.requests if request.path.startswith("/storage/")} == {None}
    assert {request.token for request in server.requests if "/resolve/" in request.path} == {TOKEN}


def test_a_connection_that_is_cut_is_tried_again(server: HubServer, resolved: Resolved) -> None:
    server.faults.append(Fault("GET /storage", cut=True, times=1))
    fetch(resolved)
    assert len(transfers(server)) == 2
    assert (download_model(resolved) / "model.safetensors").read_bytes() == WEIGHTS


def test_an_adapter_is_missing_apart_from_its_base_model(server: HubServer, resolved: Resolved, tmp_path: Path) -> None:
    server.hub.add("model", "team/adapter", {"adapter_config.json": b"{}", "adapter_model.safetensors": WEIGHTS[:999]})
    adapter = hub.resolve_model("team/adapter", "main", None, Pins.load(tmp_path / "pins.json"))
    model = ResolvedModel(
        model="sft", run="real", dummy=False, embedded=False, engine="vllm", prompt="chat", requested=MODEL, id=MODEL,
        sha=resolved.sha, content=resolved.content,
        adapter=ResolvedAdapter(id=adapter.id, sha=adapter.sha, content=adapter.content),
    )  # fmt: skip
    assert [part.id for part in not_here(model)] == [MODEL, "team/adapter"]
    fetch(resolved)
    (part,) = not_here(model)
    fetch(part)
    assert not_here(model) == []
    folder = cached_model(adapter)
    assert folder and (folder / "adapter_model.safetensors").read_bytes() == WEIGHTS[:999]
    assert not_here(model.model_copy(update={"sha": None, "adapter": None})) == []
