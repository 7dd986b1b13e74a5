"""Every answer of the Hub leads to its outcome: found, the fallback and what it says, or stop and what to do."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.conftest import ROOT
from tests.servers.hub.repositories import Account, Fault
from tests.servers.hub.server import HubServer
from tests.servers.hub.team import FALLBACK, FILES, MODEL, TOKEN, team_hub
from tuneproof.common.errors import UserError
from tuneproof.sources.hub import repositories as hub
from tuneproof.sources.hub.downloads import download_model
from tuneproof.sources.hub.pins import Pins


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with team_hub(monkeypatch, tmp_path) as running:
        yield running


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins.load(tmp_path / "pins.json")


# --- The table ---


@dataclass(frozen=True)
class Case:
    name: str
    plant: Callable[[HubServer], object]
    outcome: str  # found | fallback | stop
    says: tuple[str, ...] = ()
    id: str = MODEL
    revision: str = "main"
    token: str | None = None


def fault(**what: object) -> Callable[[HubServer], object]:
    return lambda server: server.faults.append(Fault(f"/api/models/{MODEL}", **what))  # type: ignore[arg-type] # a Fault's own fields


def repository(**what: bool) -> Callable[[HubServer], object]:
    return lambda server: server.hub.add("model", MODEL, FILES, **what)


def branch(name: str) -> Callable[[HubServer], object]:
    return lambda server: server.hub.repositories["model", MODEL].commit({"model.safetensors": b"other"}, branch=name)


def account(**what: object) -> Callable[[HubServer], object]:
    def plant(server: HubServer) -> None:
        server.hub.accounts[TOKEN] = Account("someone", **what)  # type: ignore[arg-type] # an Account's own fields

    return plant


def both(*plants: Callable[[HubServer], object]) -> Callable[[HubServer], object]:
    return lambda server: [plant(server) for plant in plants]


def nothing(_: HubServer) -> None: ...


def renamed(server: HubServer) -> None:
    server.hub.renames["old/name"] = MODEL


def expire(server: HubServer) -> None:
    server.hub.expired_tokens.add(TOKEN)


def only_a_card(server: HubServer) -> None:
    server.hub.add("model", MODEL, {"README.md": b"soon", "training_args.bin": b"a pickle"})


def only_pickles(server: HubServer) -> None:
    server.hub.add("model", MODEL, {"config.json": b"{}", "pytorch_model.bin": b"pickle"})


def only_a_dataset(server: HubServer) -> None:
    server.hub.add("dataset", "team/data", {"data.jsonl": b"{}"})


TWICE = {"times": 2}
HTML = {"body": b"<html>Sign in to this network</html>", "headers": {"Content-Type": "text/html"}}

CASES = [
    Case("a public model", nothing, "found"),
    Case("a public model with a token", nothing, "found", token=TOKEN),
    Case("another branch", branch("v2"), "found", revision="v2"),
    Case("a branch with a slash", branch("refs/pr/1"), "found", revision="refs/pr/1"),
    Case("renamed", renamed, "found", ("is called team/model on the Hub now", "write the new name"), id="old/name"),
    Case("private, a token that may", both(repository(private=True), account(organisations=("team",))), "found",
         token=TOKEN),
    Case("gated, access granted", both(repository(gated=True), account(granted=(MODEL,))), "found", token=TOKEN),
    Case("rate-limited, then fine", fault(status=429, headers={"Retry-After": "0"}, **TWICE), "found"),
    Case("overloaded, then fine", fault(status=503, **TWICE), "found"),
    Case("cut off, then fine", fault(cut=True, **TWICE), "found"),
    Case("not there, no token", nothing, "fallback", ("not on the Hub", "private and no token is set"), id="no/where"),
    Case("not there, with a token", nothing, "fallback", ("not on the Hub", "may not read it"), id="no/where",
         token=TOKEN),
    Case("private, no token", repository(private=True), "fallback", ("private and no token is set",)),
    Case("private, a stranger's token", repository(private=True), "fallback", ("may not read it",), token=TOKEN),
    Case("a dataset's id for a model", only_a_dataset, "fallback", ("model team/data: it is not on the Hub",),
         id="team/data"),
    Case("gated, no token", repository(gated=True), "stop", ("gated", "no token is set", "accept its terms")),
    Case("gated, no access", repository(gated=True), "stop", ("gated", "no access", "accept its terms"), token=TOKEN),
    Case("a wrong token", nothing, "stop", ("refuses the token", "valid token"), token="hf_wrong"),
    Case("an expired token", expire, "stop", ("refuses the token", "expired"), token=TOKEN),
    Case("a wrong token, not there", nothing, "stop", ("refuses the token",), id="no/where", token="hf_wrong"),
    Case("forbidden", fault(status=403), "stop", ("may not read it", "read access"), token=TOKEN),
    Case("disabled", repository(disabled=True), "stop", ("has disabled it", "another repository")),
    Case("no such revision", nothing, "stop", ("no revision v9", "branch, tag or commit"), revision="v9"),
    Case("weights in pickles only", only_pickles, "stop", ("its weights are pickles", "with safetensors")),
    Case("no weights", only_a_card, "stop", ("no weights", "transformers model")),
    Case("rate-limited", fault(status=429), "stop", ("answers 429", "try again later")),
    Case("down", fault(status=500), "stop", ("answers 500", "try again later")),
    Case("overloaded", fault(status=503), "stop", ("answers 503", "try again later")),
    Case("a gateway's time-out", fault(status=504), "stop", ("answers 504", "try again later")),
    Case("cut off", fault(cut=True), "stop", ("cannot be reached", "try again later")),
    Case("gated, access granted, then too slow",
         both(repository(gated=True), account(granted=(MODEL,)), lambda server: server.faults.append(
             Fault(f"HEAD /{MODEL}/resolve", stall=True))), "stop", ("cannot be reached",), token=TOKEN),
    Case("too slow", fault(stall=True), "stop", ("cannot be reached", "try again later")),
    Case("gone for legal reasons", fault(status=451, body=b"blocked"), "stop", ("answers 451 (blocked)",)),
    Case("a sign-in page", fault(status=200, **HTML), "stop", ("does not answer as the Hub does", "proxy")),
    Case("JSON of something else", fault(status=200, body=b'{"ok": 1}'), "stop", ("does not answer as the Hub does",)),
    Case("not an id", nothing, "stop", ("neither the id of a repository nor a path", "owner/name"), id="a/b/c"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_answer_of_the_hub_leads_to_its_outcome(
    case: Case, server: HubServer, pins: Pins, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.5)
    case.plant(server)
    if case.outcome == "stop":
        with pytest.raises(UserError) as stopped:
            hub.resolve_model(case.id, case.revision, FALLBACK, pins, token=case.token)
        said = str(stopped.value)
        assert "\n" not in said
    else:
        resolved = hub.resolve_model(case.id, case.revision, FALLBACK, pins, token=case.token)
        said = capsys.readouterr().err
        assert resolved.requested == case.id
        assert resolved.id == (FALLBACK if case.outcome == "fallback" else case.id)
        assert (resolved.fallback_reason is not None) == (case.outcome == "fallback")
        assert len(resolved.sha) == 40
    for words in case.says:
        assert words in said
    assert (FALLBACK in said) == (case.outcome == "fallback")
    assert (said == "") == (case.outcome == "found" and not case.says)
    assert not case.token or case.token not in said


def test_the_table_is_long_enough() -> None:
    assert len(CASES) >= 20
    assert {case.outcome for case in CASES} == {"found", "fallback", "stop"}


def test_the_documented_table_is_the_tested_one() -> None:
    text = (ROOT / "docs" / "hub.md").read_text().split("## Every answer of the Hub")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    assert [row[:2] for row in rows[1:]] == [[case.name, case.outcome] for case in CASES]
    for (name, _, said), case in zip(rows[1:], CASES, strict=True):
        assert bool(said) == bool(case.says), name
        assert all(words in said for words in case.says), name


def test_without_a_fallback_a_missing_repository_stops(server: HubServer, pins: Pins) -> None:
    with pytest.raises(UserError, match="not on the Hub, or it is private and no token is set; correct the id"):
        hub.resolve_model("no/where", "main", None, pins)


def test_a_fallback_that_is_missing_too_stops(server: HubServer, pins: Pins) -> None:
    with pytest.raises(UserError, match="model no/spare: it is not on the Hub"):
        hub.resolve_model("no/where", "main", "no/spare", pins)


def test_a_fallback_that_is_gated_stops(server: HubServer, pins: Pins) -> None:
    server.hub.add("model", "team/gated", FILES, gated=True)
    with pytest.raises(UserError, match="model team/gated: it is gated"):
        hub.resolve_model("no/where", "main", "team/gated", pins)


def test_the_recorded_reason_is_the_same_with_and_without_a_token(server: HubServer, pins: Pins) -> None:
    reasons = {
        hub.resolve_model("no/where", "main", FALLBACK, pins, token=token).fallback_reason for token in (None, TOKEN)
    }
    assert len(reasons) == 1


def test_a_refused_connection_stops(server: HubServer, pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(UserError, match=r"127\.0\.0\.1 cannot be reached .*not in the local cache"):
            hub.resolve_model(MODEL, "main", FALLBACK, pins)


def test_an_endpoint_that_is_no_address_stops(server: HubServer, pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "huggingface.co")
    with pytest.raises(UserError, match="HF_ENDPOINT: this is no address of a web server; write HF_ENDPOINT as"):
        hub.resolve_model(MODEL, "main", FALLBACK, pins)


def test_credentials_in_the_endpoint_are_not_shown(
    server: HubServer, pins: Pins, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults.append(Fault("/api/", status=503))
    monkeypatch.setattr(constants, "ENDPOINT", server.url.replace("http://", "http://user:planted@"))
    with pytest.raises(UserError) as stopped:
        hub.resolve_model(MODEL, "main", None, pins)
    assert "planted" not in str(stopped.value)


def test_a_server_that_echoes_the_token_cannot_make_it_show(server: HubServer, pins: Pins) -> None:
    message = f"\x1b[31mno rights\r\nfor Bearer {TOKEN}"
    body = json.dumps({"error": message}).encode()
    server.faults.append(Fault(f"/api/models/{MODEL}", status=403, body=body))
    with pytest.raises(UserError) as stopped:
        hub.resolve_model(MODEL, "main", FALLBACK, pins, token=TOKEN)
    assert "no rights for Bearer ***" in str(stopped.value)
    assert str(stopped.value).isprintable()


def test_a_passing_fault_is_tried_three_times_and_a_refusal_once(server: HubServer, pins: Pins) -> None:
    server.faults.append(Fault(f"/api/models/{MODEL}", status=503))
    server.faults.append(Fault(f"/api/models/{FALLBACK}", status=403))
    for repository_id, attempts in ((MODEL, 3), (FALLBACK, 1)):
        with pytest.raises(UserError):
            hub.resolve_model(repository_id, "main", None, pins)
        assert sum(repository_id in request.path for request in server.requests) == attempts


# --- Pins ---


def test_a_pin_is_added_the_first_time(server: HubServer, pins: Pins) -> None:
    resolved = hub.resolve_model(MODEL, "main", None, pins)
    pin = pins.get("model", MODEL, "main")
    assert pin is not None
    assert (pin.sha, pin.content) == (resolved.sha, resolved.content)
    assert pin.sha == server.hub.repositories["model", MODEL].branches["main"]


def test_a_moved_branch_is_said_and_changes_nothing_until_update(
    server: HubServer, pins: Pins, capsys: pytest.CaptureFixture[str]
) -> None:
    first = hub.resolve_model(MODEL, "main", None, pins)
    moved = server.hub.repositories["model", MODEL].commit({"model.safetensors": b"trained longer"})
    capsys.readouterr()

    second = hub.resolve_model(MODEL, "main", None, pins)
    assert (second.sha, second.content) == (first.sha, first.content)
    assert f"main has moved on the Hub, from {first.sha[:12]} to {moved[:12]}" in capsys.readouterr().err
    assert "validate.py --update" in second.notes[0]

    pins.update = True
    third = hub.resolve_model(MODEL, "main", None, pins)
    assert third.sha == moved
    assert third.content != first.content
    assert "moves from" in capsys.readouterr().err


def test_a_commit_that_touches_only_the_readme_changes_nothing_even_with_update(
    server: HubServer, pins: Pins, capsys: pytest.CaptureFixture[str]
) -> None:
    first = hub.resolve_model(MODEL, "main", None, pins)
    server.hub.repositories["model", MODEL].commit({"README.md": b"# A better card\n", "logo.png": b"png"})
    assert hub.resolve_model(MODEL, "main", None, pins) == first
    pins.update = True
    assert hub.resolve_model(MODEL, "main", None, pins) == first
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["tokenizer.json", "generation_config.json", "chat_template.jinja", "merges.txt"])
def test_a_commit_that_touches_tokenizer_or_configuration_is_a_new_content(
    name: str, server: HubServer, pins: Pins
) -> None:
    first = hub.resolve_model(MODEL, "main", None, pins)
    server.hub.repositories["model", MODEL].commit({name: b"changed"})
    pins.update = True
    assert hub.resolve_model(MODEL, "main", None, pins).content != first.content


def test_the_pinned_commit_is_downloaded_after_the_branch_has_moved(server: HubServer, pins: Pins) -> None:
    hub.resolve_model(MODEL, "main", None, pins)
    server.hub.repositories["model", MODEL].commit({"model.safetensors": b"trained longer"})
    folder = download_model(hub.resolve_model(MODEL, "main", None, pins))
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_fallback_is_pinned_under_its_own_name(server: HubServer, pins: Pins) -> None:
    hub.resolve_model("no/where", "v2", FALLBACK, pins)
    assert pins.get("model", "no/where", "v2") is None
    assert pins.get("model", FALLBACK, "main") is not None


def test_a_dataset_is_pinned_by_its_rows_not_its_card(server: HubServer, pins: Pins) -> None:
    data = server.hub.add("dataset", "team/data", {"data/test.parquet": b"rows", "README.md": b"# Data\n"})
    first = hub.resolve_dataset("team/data", "main", None, pins)
    data.commit({"README.md": b"# Better\n"})
    pins.update = True
    assert hub.resolve_dataset("team/data", "main", None, pins) == first
    data.commit({"data/test.parquet": b"more rows"})
    assert hub.resolve_dataset("team/data", "main", None, pins).content != first.content


def test_a_dataset_without_rows_stops(server: HubServer, pins: Pins) -> None:
    server.hub.add("dataset", "team/empty", {"README.md": b"# Soon\n"})
    with pytest.raises(UserError, match="dataset team/empty: it holds no parquet, JSON or CSV file"):
        hub.resolve_dataset("team/empty", "main", None, pins)


def test_a_pinned_commit_that_is_gone_is_said_and_update_moves_the_pin(server: HubServer, pins: Pins) -> None:
    first = hub.resolve_model(MODEL, "main", None, pins)
    repository = server.hub.repositories["model", MODEL]
    squashed = repository.commit({"README.md": b"# Squashed\n"})
    del repository.commits[0]
    with pytest.raises(UserError, match=r"the pinned commit .* is gone from the Hub; .*--update"):
        download_model(hub.resolve_model(MODEL, "main", None, pins))
    pins.update = True
    second = hub.resolve_model(MODEL, "main", None, pins)
    assert (second.sha, second.content) == (squashed, first.content)


@pytest.mark.parametrize("token", ["hf_with space", "hf_gr\u00fc\u00dfe", "hf_two\nlines"])
def test_what_cannot_be_a_token_stops_without_showing_it(token: str, server: HubServer, pins: Pins) -> None:
    with pytest.raises(UserError, match="HF_TOKEN: it holds characters that no token has") as stopped:
        hub.resolve_model(MODEL, "main", FALLBACK, pins, token=token)
    assert token not in str(stopped.value)
    assert server.requests == []
