"""Results out to a Hub and back: typed, private, in one commit, and only when there is something to commit."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import close_session

import publish
from evaluation import published_rows
from evaluation.details import read_one
from evaluation.errors import UserError
from evaluation.summaries import model_sentence
from tests.finished_run import SHA, FinishedRun, finished_run
from tests.servers.hub_client import use_hub
from tests.servers.hub_repositories import Account, Commit, Fault
from tests.servers.hub_server import HubServer, running_hub

TOKEN = "hf_plantedWriteToken0123456789"
PROJECT = Path(__file__).parents[1]
# The client hands httpx2 an upload in a form that httpx2 wants to be rid of.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


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


def commits(server: HubServer, dataset: str = "me/Llama-SFT-results") -> list[Commit]:
    """The commits with results; the first one of a repository is the Hub's own."""
    return server.hub.repositories["dataset", dataset].commits[1:]


def datasets_on(server: HubServer) -> list[str]:
    return sorted(name for kind, name in server.hub.repositories if kind == "dataset")


def card(server: HubServer, dataset: str = "me/Llama-SFT-results") -> str:
    return commits(server, dataset)[-1].files["README.md"].content.decode()


# --- The round trip ---


def test_published_results_load_with_the_values_of_the_judgements(server: HubServer, workspace: FinishedRun) -> None:
    """As users do it: the script and `load_dataset`, each in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": server.url, "HF_HOME": str(workspace.root.parent / "home"), "HF_TOKEN": TOKEN}
    environment["HF_HUB_DISABLE_XET"] = "1"
    load = """
import datasets, json
loaded = {name: datasets.load_dataset(f"me/{name}-results", split="test") for name in NAMES}
print(json.dumps({name: {"rows": table.to_list(), "types": {column: kind.dtype for column, kind
      in table.features.items()}} for name, table in loaded.items()}))
""".replace("NAMES", "('Llama-SFT', 'Llama-DPO', 'Llama-Instruct')")
    for command in ([str(PROJECT / "scripts" / "publish.py")], ["-c", load]):
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    for key, name in (("sft", "Llama-SFT"), ("dpo", "Llama-DPO"), ("baseline", "Llama-Instruct")):
        rows, types = loaded[name]["rows"], loaded[name]["types"]
        assert [types[column] for column in ("accuracy", "style", "sample", "instruction")] == [
            "int64", "int64", "int64", "string",
        ]  # fmt: skip
        read = (workspace.root / f"data/judgements/{key}.jsonl").read_text().splitlines()
        for row, line in zip(rows, read, strict=True):
            judgement = json.loads(line)
            scores = judgement["scores"] or {"accuracy": None, "style": None}
            assert (row["id"], row["status"]) == (judgement["id"], judgement["status"])
            assert (row["accuracy"], row["style"]) == (scores["accuracy"], scores["style"])
            assert json.loads(row["replies"])[0]["reply"] == judgement["replies"][0]["reply"]
            assert row["answers"] == f"{key} says {row['id'][1:]}"
            assert (row["evaluation"] is None) == (judgement["status"] != "ok")
        assert rows[3]["reference"] is None
        assert json.loads(rows[0]["evaluation"])["style"] == {"analysis": "stiff | dry", "score": 1}


def test_unchanged_results_make_no_commit_and_one_changed_score_makes_one(
    server: HubServer, workspace: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    publish.main()
    first = workspace.published()
    assert [len(commits(server, dataset)) for dataset in datasets_on(server)] == [1, 1, 1]
    publish.main()
    assert workspace.published() == first
    assert [len(commits(server, dataset)) for dataset in datasets_on(server)] == [1, 1, 1]
    assert capsys.readouterr().err.count("is unchanged") == 3

    workspace.change_a_score("sft", 1)
    publish.main()
    assert [len(commits(server, dataset)) for dataset in datasets_on(server)] == [1, 1, 2]
    assert workspace.published()["sft"]["commit"] == commits(server)[-1].sha

    workspace.change_a_score("sft", 3)  # back to the earlier result: the Hub has to follow
    publish.main()
    assert len(commits(server)) == 3


def test_another_commit_of_the_project_alone_is_no_reason_for_a_commit(
    server: HubServer, workspace: FinishedRun
) -> None:
    publish.main()
    workspace.put("dvc.lock", "schema: '2.0'\n")
    publish.main()
    assert len(commits(server)) == 1


def test_a_changed_rubric_changes_the_card(server: HubServer, workspace: FinishedRun) -> None:
    publish.main()
    text = (workspace.root / "params.yaml").read_text()
    workspace.put("params.yaml", text.replace("Is it right?", "Is it quite right?"))
    workspace.aggregate()
    publish.main()
    assert len(commits(server)) == 2
    assert "Is it quite right?" in card(server)


def test_rows_that_were_changed_on_the_hub_are_mended(server: HubServer, workspace: FinishedRun) -> None:
    publish.main()
    repository = server.hub.repositories["dataset", "me/Llama-SFT-results"]
    data = next(path for path in commits(server)[-1].files if path.endswith(".parquet"))
    repository.commit({data: b"tampered"})
    publish.main()
    files = commits(server)[-1].files
    assert files[data].content != b"tampered"


@pytest.mark.parametrize(("scores", "kind"), [([3, None], "int64"), ([3.0, 1], "int64"), ([2.5, 3], "double")])
def test_whole_scores_are_integers_and_means_of_several_replies_are_fractions(
    scores: list[float | None], kind: str
) -> None:
    rows = [dict.fromkeys(published_rows.COLUMNS) | {"accuracy": score} for score in scores]
    (content,) = published_rows.parquet_files(rows, ["accuracy"]).values()
    table = pq.read_table(io.BytesIO(content))
    assert str(table.schema.field("accuracy").type) == kind
    assert table.column("accuracy").to_pylist() == scores


def test_a_longer_run_fills_several_files_and_a_shorter_one_removes_them(
    server: HubServer, workspace: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_rows, "ROWS_PER_FILE", 2)
    publish.main()
    assert sum(path.endswith(".parquet") for path in commits(server)[-1].files) == 2
    monkeypatch.setattr(published_rows, "ROWS_PER_FILE", 100)
    workspace.change_a_score("sft", 1)
    publish.main()
    assert [path for path in commits(server)[-1].files if path.endswith(".parquet")] == [
        "data/test-00000-of-00001.parquet"
    ]


def test_what_else_lies_in_the_dataset_stays(server: HubServer, workspace: FinishedRun) -> None:
    publish.main()
    server.hub.repositories["dataset", "me/Llama-SFT-results"].commit({"figures/scores.png": b"a picture"})
    publish.main()
    assert len(commits(server)) == 2  # the results, the picture
    workspace.change_a_score("sft", 1)
    publish.main()
    assert "figures/scores.png" in commits(server)[-1].files


# --- The card ---


def test_the_card_holds_what_is_needed_to_trust_the_numbers(server: HubServer, workspace: FinishedRun) -> None:
    publish.main()
    text = card(server)
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["configs"][0]["data_files"] == [{"split": "test", "path": "data/test-*"}]
    for needed in (
        "| criterion | scale | mean | gain over baseline | verdict |", "| accuracy | 1 to 3 | 3.00 [", "| undecided |",
        "Coverage 75.0%", model_sentence(read_one(Path("data/details/sft.json"))), "Is it right?", "- 3: Right.",
        f"`lab/Llama-SFT` at commit `{SHA}`", f"`lab/data` at commit `{SHA}`", "gpt-4o-mini", "temperature 0.8",
        "seed 42", 'load_dataset("me/Llama-SFT-results", split="test")', "Git commit", "Each keeps the terms",
    ):  # fmt: skip
        assert needed in text
    assert "gain over" not in card(server, "me/Llama-Instruct-results")


def test_a_local_model_is_shown_by_name_and_not_by_path(server: HubServer, workspace: FinishedRun) -> None:
    workspace.ids["sft"] = "/home/somebody/secret-project/my model"
    workspace.write()
    publish.main()
    text = card(server, "me/my-model-results")
    assert "answers of `my model`" in text
    assert "somebody" not in text


def test_the_token_is_nowhere_in_what_was_sent_or_written(
    server: HubServer, workspace: FinishedRun, capfd: pytest.CaptureFixture[str]
) -> None:
    publish.main()
    for repository in server.hub.repositories.values():
        for commit in repository.commits:
            assert all(TOKEN.encode() not in file.content for file in commit.files.values())
    for path in workspace.root.parent.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
    assert TOKEN not in "".join(capfd.readouterr())


# --- When nothing is published ---


@pytest.mark.parametrize(
    ("settings", "run", "variable", "because"),
    [
        ({"enabled": False}, "real", "", "publish.enabled is false"),
        ({}, "real", "brave-cat", "this is an experiment"),
        ({}, "dummy", "", "the results are of a run that is dummy"),
        ({}, "embedded", "", "the results are of a run that is embedded"),
    ],
)
def test_some_runs_are_never_published(
    settings: dict[str, Any],
    run: str,
    variable: str,
    because: str,
    server: HubServer,
    workspace: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace.run = run
    workspace.write(**settings)
    if variable:
        monkeypatch.setenv("DVC_EXP_NAME", variable)
    publish.main()
    assert f"nothing is published, because {because}" in capsys.readouterr().err
    assert workspace.published() == {}
    assert server.requests == []


@pytest.mark.parametrize("setting", ["dummy", "embedded"])
def test_a_rehearsal_that_is_only_set_is_not_published_either(
    setting: str, server: HubServer, workspace: FinishedRun
) -> None:
    text = (workspace.root / "params.yaml").read_text()
    workspace.put("params.yaml", text.replace(f"{setting}: false", f"{setting}: true", 1))
    publish.main()
    assert server.requests == []


def test_the_record_goes_on_saying_what_was_published_last(server: HubServer, workspace: FinishedRun) -> None:
    publish.main()
    record = workspace.published()
    workspace.write(enabled=False)
    publish.main()
    assert workspace.published() == record


# --- Refusals ---


def refused(match: str) -> str:
    with pytest.raises(UserError, match=match) as stopped:
        publish.main()
    assert str(stopped.value).isprintable()
    assert TOKEN not in str(stopped.value)
    return str(stopped.value)


def test_no_token_stops(server: HubServer, workspace: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    refused("HF_TOKEN: publishing needs a token, and none is set; set HF_TOKEN")


def test_a_wrong_token_stops(server: HubServer, workspace: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    server.hub.accounts.clear()
    refused("the Hub refuses the token")


def test_a_token_that_may_only_read_stops(server: HubServer, workspace: FinishedRun) -> None:
    server.hub.accounts[TOKEN] = Account("me", writes=False)
    refused("this token may only read; set HF_TOKEN to a token with write access")
    assert datasets_on(server) == []


def test_a_workspace_that_is_not_there_stops(server: HubServer, workspace: FinishedRun) -> None:
    workspace.write(workspace="mee")
    refused("workspace mee: the token's account has no such user or organisation, only me, team; correct")


def test_an_organisation_is_a_workspace(server: HubServer, workspace: FinishedRun) -> None:
    workspace.write(workspace="team")
    publish.main()
    assert "team/Llama-SFT-results" in datasets_on(server)


@pytest.mark.parametrize("step", ["POST /api/repos/create", "POST /api/datasets/.*/commit", "POST .*/preupload"])
def test_a_refused_write_stops_and_is_no_fallback(step: str, server: HubServer, workspace: FinishedRun) -> None:
    server.faults.append(Fault(step, status=403, headers={"X-Error-Message": f"no rights for {TOKEN}"}))
    refused(r"dataset me/Llama-SFT-results: the Hub refuses the write: 403 \(no rights for \*\*\*")
    assert not (workspace.root / "data/published.json").exists()


def test_a_dataset_of_another_kind_is_not_written_over(server: HubServer, workspace: FinishedRun) -> None:
    mine = server.hub.add(
        "dataset", "me/Llama-SFT-results", {"README.md": b"# Mine\n", "precious.csv": b"a\n"}, private=True
    )
    refused("a dataset of another kind has this name; rename or delete that dataset")
    assert len(mine.commits) == 1


def test_private_results_do_not_go_where_all_can_read(server: HubServer, workspace: FinishedRun) -> None:
    publish.main()
    assert server.hub.repositories["dataset", "me/Llama-SFT-results"].private
    server.hub.repositories["dataset", "me/Llama-SFT-results"].private = False
    refused("it is public, and `publish.private` is true")


def test_public_results_are_public(server: HubServer, workspace: FinishedRun) -> None:
    workspace.write(private=False)
    publish.main()
    assert not server.hub.repositories["dataset", "me/Llama-SFT-results"].private


def test_an_empty_dataset_from_an_earlier_attempt_is_used(server: HubServer, workspace: FinishedRun) -> None:
    server.hub.add("dataset", "me/Llama-SFT-results", {".gitattributes": b""}, private=True)
    publish.main()
    assert len(commits(server)) == 1


def test_models_that_share_a_name_are_told_apart_by_their_keys(
    server: HubServer, workspace: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.ids |= {"sft": "one/Same", "dpo": "two/same"}
    workspace.write()
    publish.main()
    assert datasets_on(server) == ["me/Llama-Instruct-results", "me/Same-sft-results", "me/same-dpo-results"]
    assert "several models would be Same-results; sft becomes Same-sft-results" in capsys.readouterr().err


def test_a_criterion_called_like_a_column_stops(server: HubServer, workspace: FinishedRun) -> None:
    text = (workspace.root / "params.yaml").read_text()
    workspace.put("params.yaml", text.replace("    style:", "    prompt:"))
    refused("the criterion prompt is called like a column")


def test_files_that_do_not_belong_together_stop(server: HubServer, workspace: FinishedRun) -> None:
    workspace.put_rows("data/judgements/sft.jsonl", [workspace.judgement(0)])
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
    fault: Fault, left: int, server: HubServer, workspace: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_rows, "ROWS_PER_FILE", 2)
    server.faults.append(fault)
    refused("dataset me/Llama-SFT-results: the upload broke off .*; run this again; what was sent is kept")
    assert commits(server) == []
    sent = sum(request.method == "PUT" for request in server.requests)
    kept = len(server.hub.sent)
    assert kept == sent - left  # both files are sent at once; one may fail before the other begins
    publish.main()
    again = sum(request.method == "PUT" for request in server.requests) - sent
    assert len(commits(server)) == 1
    assert again == 2 - kept + 4  # what had not arrived, and the two files of each of the other models


def test_a_hub_that_is_down_stops(server: HubServer, workspace: FinishedRun) -> None:
    server.faults.append(Fault("GET /api/whoami", status=503))
    refused("HF_TOKEN: 127.0.0.1 answers 503; try again later")


def test_somebody_elses_commit_in_between_is_not_lost(server: HubServer, workspace: FinishedRun) -> None:
    server.faults.append(Fault("POST .*/commit/", status=412, headers={"X-Error-Message": "A commit has happened"}))
    refused("it changed on the Hub while this ran")
