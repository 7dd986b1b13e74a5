"""The local Hub against the official client's own behaviour: what works on the real Hub works here, and fails alike."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, close_session, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.servers.hub.client import use_hub
from tests.servers.hub.repositories import Account, Fault
from tests.servers.hub.server import HubServer, running_hub

TOKEN = "hf_writer0123456789"
# The client hands httpx2 an upload in a form that httpx2 wants to be rid of.
UPLOAD_WARNING = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with running_hub() as running:
        use_hub(running, monkeypatch, tmp_path)
        running.hub.accounts[TOKEN] = Account("me", organisations=("team",))
        running.hub.add(
            "model", "team/model", {"config.json": b"{}", "model.safetensors": b"w" * 1000, "a/b.txt": b"b"}
        )
        yield running
        close_session()


def run_with_environment(server: HubServer, home: Path, script: str, **variables: str) -> str:
    """Runs a script as a user would: everything set in the environment before the first import."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": server.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"} | variables
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_information_names_files_sizes_and_git_ids(server: HubServer) -> None:
    info = HfApi().model_info("team/model", files_metadata=True)
    files = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    assert info.sha == server.hub.repositories["model", "team/model"].branches["main"]
    assert files["config.json"].blob_id == "9e26dfeeb6e641a33dae4961196235bdb965b21b"  # git hash-object of {}
    assert files["config.json"].lfs is None
    assert files["model.safetensors"].lfs is not None
    assert files["model.safetensors"].size == 1000


def test_tree_refs_and_paths_agree_with_the_information(server: HubServer) -> None:
    api = HfApi()
    tree = {entry.path: entry for entry in api.list_repo_tree("team/model", recursive=True)}
    assert sorted(tree) == ["a", "a/b.txt", "config.json", "model.safetensors"]
    assert sorted(entry.path for entry in api.list_repo_tree("team/model")) == ["a", "config.json", "model.safetensors"]
    assert [entry.path for entry in api.get_paths_info("team/model", ["a/b.txt", "no"])] == ["a/b.txt"]
    assert api.list_repo_refs("team/model").branches[0].target_commit == api.model_info("team/model").sha


def test_files_come_by_branch_commit_and_after_a_rename(server: HubServer) -> None:
    repository = server.hub.repositories["model", "team/model"]
    first = repository.branches["main"]
    repository.commit({"config.json": b'{"new": 1}', "model.safetensors": b"x" * 9})
    server.hub.renames["old/name"] = "team/model"
    assert Path(hf_hub_download("team/model", "config.json", revision=first)).read_bytes() == b"{}"
    assert Path(hf_hub_download("old/name", "model.safetensors")).read_bytes() == b"x" * 9
    folder = Path(snapshot_download("team/model"))
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        "a/b.txt", "config.json", "model.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "repository_id", "file", "revision"),
    [
        (GatedRepoError, "team/gated", "config.json", "main"),
        (RepositoryNotFoundError, "other/private", "config.json", "main"),
        (RepositoryNotFoundError, "no/where", "config.json", "main"),
        (DisabledRepoError, "team/disabled", "config.json", "main"),
        (RevisionNotFoundError, "team/model", "config.json", "v9"),
        (RemoteEntryNotFoundError, "team/model", "no.json", "main"),
    ],
)
def test_refusals_are_the_clients_own_errors(
    expected: type[Exception], repository_id: str, file: str, revision: str, server: HubServer
) -> None:
    server.hub.accounts["hf_stranger"] = Account("stranger")
    server.hub.add("model", "team/gated", {"config.json": b"{}"}, gated=True)
    server.hub.add("model", "other/private", {"config.json": b"{}"}, private=True)
    server.hub.add("model", "team/disabled", {"config.json": b"{}"}, disabled=True)
    url = f"{server.url}/{repository_id}/resolve/{revision}/{file}"
    for token in (False, "hf_stranger"):
        with pytest.raises(expected):
            HfApi().get_hf_file_metadata(url=url, token=token)


def test_a_wrong_token_is_not_taken_for_a_missing_repository(server: HubServer) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        HfApi().model_info("team/model", token="hf_wrong")
    assert refused.value.response.status_code == 401
    assert not isinstance(refused.value, RepositoryNotFoundError)


def test_a_broken_off_download_goes_on_where_it_was(server: HubServer) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", f"import urllib.request as r; q = r.Request('{server.url}/team/model/resolve/main/"
         "model.safetensors', headers={'Range': 'bytes=990-'}); a = r.urlopen(q); print(a.status, len(a.read()))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout.split() == ["206", "10"]


def test_a_commit_needs_a_token_that_may_write(server: HubServer) -> None:
    server.hub.accounts["hf_reader"] = Account("me", writes=False)
    for token, repository_id in ((None, "me/data"), ("hf_reader", "me/data"), (TOKEN, "strangers/data")):
        with pytest.raises(HfHubHTTPError):
            HfApi().create_repo(repository_id, repo_type="dataset", token=token or False)
    assert not [kind for kind, _ in server.hub.repositories if kind == "dataset"]


@UPLOAD_WARNING
def test_an_upload_is_one_commit_and_an_unchanged_one_is_none(server: HubServer) -> None:
    api = HfApi(token=TOKEN)
    api.create_repo("team/data", repo_type="dataset", private=True)
    files = {"README.md": b"---\nlicense: mit\n---\n# Data\n", "data/test.parquet": b"PAR1" * 100}
    for expected_commits in (2, 2):
        api.create_commit(
            "team/data", [CommitOperationAdd(path, content) for path, content in files.items()],
            commit_message="Results", repo_type="dataset",
        )  # fmt: skip
        repository = server.hub.repositories["dataset", "team/data"]
        assert len(repository.commits) == expected_commits
    assert repository.private
    assert {path: file.content for path, file in repository.commits[-1].files.items()} == files | {
        ".gitattributes": b"*.parquet filter=lfs\n"
    }
    assert repository.commits[-1].author == "me"


@UPLOAD_WARNING
def test_a_large_file_that_was_sent_is_not_sent_again(server: HubServer) -> None:
    api = HfApi(token=TOKEN)
    api.create_repo("team/data", repo_type="dataset")
    server.faults.append(Fault("POST /api/datasets/team/data/commit", status=403, times=1))
    for _ in range(2):
        operation = CommitOperationAdd("data.parquet", b"rows" * 1000)
        try:
            api.create_commit("team/data", [operation], commit_message="Results", repo_type="dataset")
        except HfHubHTTPError:
            continue
    assert sum(request.method == "PUT" for request in server.requests) == 1
    assert "data.parquet" in server.hub.repositories["dataset", "team/data"].commits[-1].files


def test_datasets_are_loaded_and_pushed_by_the_datasets_library(server: HubServer, tmp_path: Path) -> None:
    server.hub.add("dataset", "team/questions", {"test.jsonl": b'{"instruction": "a"}\n{"instruction": null}\n'})
    script = """
import json, datasets
table = datasets.load_dataset("team/questions", split="test")
table.push_to_hub("team/copy", split="test", private=True)
print(json.dumps(datasets.load_dataset("team/copy", split="test").to_list()))
"""
    printed = run_with_environment(server, tmp_path, script, HF_TOKEN=TOKEN)
    assert json.loads(printed.splitlines()[-1]) == [{"instruction": "a"}, {"instruction": None}]
    assert server.hub.repositories["dataset", "team/copy"].private


def test_a_resolved_model_is_the_same_through_the_environment_and_leaves_no_token(
    server: HubServer, tmp_path: Path
) -> None:
    server.hub.add("model", "me/private", {"config.json": b"{}", "model.safetensors": b"weights"}, private=True)
    script = """
from pathlib import Path
from tuneproof.sources.hub.repositories import resolve_model
from tuneproof.sources.hub.downloads import cached_model, download_model
from tuneproof.sources.hub.pins import Pins
resolved = resolve_model("me/private", "main", None, Pins(Path("unused.json")))
folder = download_model(resolved)
assert cached_model(resolved) == folder
print(resolved.sha, resolved.content)
"""
    scripts = str(Path(__file__).parents[3] / "scripts")
    online = run_with_environment(server, tmp_path, script, HF_TOKEN=TOKEN, PYTHONPATH=scripts)
    asked = len(server.requests)
    offline = run_with_environment(
        server, tmp_path, script.replace('"main"', f'"{online.split()[0]}"'), HF_HUB_OFFLINE="1", PYTHONPATH=scripts
    )
    assert offline == online
    assert len(server.requests) == asked
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes()
