"""What keeps results from being published, and uploads that are cut: one line, and nothing lost."""

import pytest

import publish
from tests.made_up.finished_run import FinishedRun
from tests.made_up.publishing import TOKEN, commits, datasets_on, refused
from tests.servers.hub.repositories import Account, Fault
from tests.servers.hub.server import HubServer
from tuneproof.results.publishing import rows as published_rows

# The client hands httpx2 an upload in a form that httpx2 wants to be rid of.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_no_token_stops(hub_server: HubServer, finished: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    refused("HF_TOKEN: publishing needs a token, and none is set; set HF_TOKEN")


def test_a_wrong_token_stops(hub_server: HubServer, finished: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_server.hub.accounts.clear()
    refused("the Hub refuses the token")


def test_a_token_that_may_only_read_stops(hub_server: HubServer, finished: FinishedRun) -> None:
    hub_server.hub.accounts[TOKEN] = Account("me", writes=False)
    refused("this token may only read; set HF_TOKEN to a token with write access")
    assert datasets_on(hub_server) == []


def test_a_workspace_that_is_not_there_stops(hub_server: HubServer, finished: FinishedRun) -> None:
    finished.write(workspace="mee")
    refused("workspace mee: the token's account has no such user or organisation, only me, team; correct")


def test_an_organisation_is_a_workspace(hub_server: HubServer, finished: FinishedRun) -> None:
    finished.write(workspace="team")
    publish.main()
    assert "team/Llama-SFT-results" in datasets_on(hub_server)


@pytest.mark.parametrize("step", ["POST /api/repos/create", "POST /api/datasets/.*/commit", "POST .*/preupload"])
def test_a_refused_write_stops_and_is_no_fallback(step: str, hub_server: HubServer, finished: FinishedRun) -> None:
    hub_server.faults.append(Fault(step, status=403, headers={"X-Error-Message": f"no rights for {TOKEN}"}))
    refused(r"dataset me/Llama-SFT-results: the Hub refuses the write: 403 \(no rights for \*\*\*")
    assert not (finished.root / "data/published.json").exists()


def test_a_dataset_of_another_kind_is_not_written_over(hub_server: HubServer, finished: FinishedRun) -> None:
    mine = hub_server.hub.add(
        "dataset", "me/Llama-SFT-results", {"README.md": b"# Mine\n", "precious.csv": b"a\n"}, private=True
    )
    refused("a dataset of another kind has this name; rename or delete that dataset")
    assert len(mine.commits) == 1


def test_private_results_do_not_go_where_all_can_read(hub_server: HubServer, finished: FinishedRun) -> None:
    publish.main()
    assert hub_server.hub.repositories["dataset", "me/Llama-SFT-results"].private
    hub_server.hub.repositories["dataset", "me/Llama-SFT-results"].private = False
    refused("it is public, and `publish.private` is true")


def test_public_results_are_public(hub_server: HubServer, finished: FinishedRun) -> None:
    finished.write(private=False)
    publish.main()
    assert not hub_server.hub.repositories["dataset", "me/Llama-SFT-results"].private


def test_an_empty_dataset_from_an_earlier_attempt_is_used(hub_server: HubServer, finished: FinishedRun) -> None:
    hub_server.hub.add("dataset", "me/Llama-SFT-results", {".gitattributes": b""}, private=True)
    publish.main()
    assert len(commits(hub_server)) == 1


def test_a_model_that_shares_anothers_name_has_its_key_in_it_and_renames_nothing(
    hub_server: HubServer, finished: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    finished.ids = {"dpo": "two/same", "baseline": "meta/Llama-Instruct"}
    finished.write()
    publish.main()
    before = datasets_on(hub_server)
    finished.ids = {"sft": "one/Same"} | finished.ids  # it joins, and stands first
    finished.write()
    publish.main()
    assert before == ["me/Llama-Instruct-results", "me/same-results"]
    assert datasets_on(hub_server) == sorted([*before, "me/Same-sft-results"])
    assert "me/Same-results is another model's; sft becomes me/Same-sft-results" in capsys.readouterr().err
    finished.ids["dpo"] = "two/another"
    finished.write()
    publish.main()
    assert "me/another-results" in datasets_on(hub_server), "another model under the same key has another dataset"


def test_a_criterion_called_like_a_column_stops(hub_server: HubServer, finished: FinishedRun) -> None:
    text = (finished.root / "params.yaml").read_text()
    finished.put("params.yaml", text.replace("    style:", "    prompt:"))
    refused("the criterion prompt is called like a column")


def test_files_that_do_not_belong_together_stop(hub_server: HubServer, finished: FinishedRun) -> None:
    finished.put_rows("data/judgements/sft.jsonl", [finished.judgement(0)])
    refused("model sft: its answers, judgements and questions do not belong together; run `dvc repro`")


# --- A cut upload ---


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (Fault("POST .*/me/Llama-SFT-results/commit", cut=True, times=1), 0),
        (Fault("PUT /storage/", status=400, times=1), 1),
    ],
    ids=["cut at the commit", "cut between two files"],
)
def test_a_cut_upload_goes_on_where_it_was(
    fault: Fault, left: int, hub_server: HubServer, finished: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_rows, "ROWS_PER_FILE", 2)
    hub_server.faults.append(fault)
    refused("dataset me/Llama-SFT-results: the upload broke off .*; run this again; what was sent is kept")
    assert commits(hub_server) == []
    sent = sum(request.method == "PUT" for request in hub_server.requests)
    kept = len(hub_server.hub.sent)
    assert kept == sent - left  # both files are sent at once; one may fail before the other begins
    publish.main()
    again = sum(request.method == "PUT" for request in hub_server.requests) - sent
    assert len(commits(hub_server)) == 1
    assert again == 2 - kept + 4  # what had not arrived, and the two files of each of the other models


def test_a_hub_that_is_down_stops(hub_server: HubServer, finished: FinishedRun) -> None:
    hub_server.faults.append(Fault("GET /api/whoami", status=503))
    refused("HF_TOKEN: 127.0.0.1 answers 503; try again later")


def test_somebody_elses_commit_in_between_is_not_lost(hub_server: HubServer, finished: FinishedRun) -> None:
    hub_server.faults.append(Fault("POST .*/commit/", status=412, headers={"X-Error-Message": "A commit has happened"}))
    refused("it changed on the Hub while this ran")
