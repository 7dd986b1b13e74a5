"""Writing a dataset on the Hugging Face Hub: who may, what lies there already, and one commit when it differs."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof.common.errors import UserError, say
from tuneproof.records.keys import canonical_json, content_key
from tuneproof.results.publishing.rows import BENCHMARKS, SPLIT
from tuneproof.sources.hub.calls import NotThereError
from tuneproof.sources.hub.downloads import quiet_progress
from tuneproof.sources.hub.writing import asked, writing

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = "README.md"
NOT_DATA = {CARD, ".gitattributes"}
ROWS_FILE = re.compile(rf"(data|{BENCHMARKS})/{SPLIT}-\d+-of-\d+\.parquet")
MARK = re.compile(r"^<!-- tuneproof (?P<mark>\{.*\}) -->$", re.MULTILINE)
MAX_NAME_CHARACTERS = 96  # of a repository's name on the Hub


@dataclass(frozen=True)
class Card:
    """A dataset card. `revision` is what names the code's commit: on its own it is no reason for a new commit."""

    text: str
    revision: str


@dataclass(frozen=True)
class _There:
    """A dataset as it lies on the Hub: its commit, its files by large-file hash, and the mark in its card."""

    sha: str
    private: bool
    files: dict[str, str | None]
    mark: dict[str, Any] | None


def repository_name(name: str) -> str:
    """A model's name as the Hub allows it in a repository's name, ending in -results."""
    allowed = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    allowed = re.sub(r"([.-])[.-]+", r"\1", allowed).strip("-.")
    ending = "-results"
    return (allowed[: MAX_NAME_CHARACTERS - len(ending)].rstrip("-.") or "model") + ending


def publish_dataset(
    dataset: str, files: Mapping[str, bytes], rows_key: str, card: Card, private: bool, token: str
) -> str:
    """Makes the Hub's dataset hold these files and this card, in one commit, or in none when it does already.

    `rows_key` identifies the rows whatever wrote them. Returns the commit on the Hub. Raises a UserError; then the
    dataset is as it was, and what was sent is not sent again.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    quiet_progress()
    content = content_key({"rows": rows_key, "card": card.text})
    there = _look(api, dataset, token)
    if there is None:
        with writing(f"dataset {dataset}", token):
            api.create_repo(dataset, repo_type="dataset", private=private)
        there = _look(api, dataset, token)
    if there is None:
        raise UserError(f"dataset {dataset}", "it was created and is not there", "try again")
    _check_ours(dataset, there, private)
    if there.mark and there.mark.get("content") == content and there.mark.get("files") == _rows(there):
        say(f"publish: {dataset} is unchanged")
        return there.sha
    sha = _commit(api, dataset, there, files, card, content, token)
    say(f"publish: wrote {dataset}, commit {sha[:12]}")
    return sha


def _look(api: "HfApi", dataset: str, token: str) -> _There | None:
    from huggingface_hub import constants

    where = f"dataset {dataset}"
    try:
        info = asked(
            lambda: api.dataset_info(dataset, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT), where, token
        )
    except NotThereError:
        return None
    files = {sibling.rfilename: sibling.lfs.sha256 if sibling.lfs else None for sibling in info.siblings or ()}
    mark = None
    if CARD in files:
        path = asked(lambda: api.hf_hub_download(dataset, CARD, repo_type="dataset", revision=info.sha), where, token)
        mark = _read_mark(Path(path).read_text(encoding="utf-8", errors="replace"))
    return _There(str(info.sha), bool(info.private), files, mark)


def _read_mark(text: str) -> dict[str, Any] | None:
    found = MARK.findall(text)
    try:
        mark = json.loads(found[-1]) if found else None
    except ValueError:
        return None
    return mark if isinstance(mark, dict) else None


def _rows(there: _There) -> dict[str, str | None]:
    """The files that hold rows. What else somebody put beside them stays, and is no reason for a commit."""
    return {path: sha256 for path, sha256 in there.files.items() if ROWS_FILE.fullmatch(path)}


def _check_ours(dataset: str, there: _There, private: bool) -> None:
    """Refuses to write over somebody's own data, and to put private results where all can read them."""
    if there.mark is None and set(there.files) - NOT_DATA:
        remedy = "rename or delete that dataset on the Hub, or publish to another workspace"
        raise UserError(f"dataset {dataset}", "a dataset of another kind has this name", remedy)
    if private and not there.private:
        remedy = "make it private in its settings on the Hub, or set `publish.private: false`"
        raise UserError(f"dataset {dataset}", "it is public, and `publish.private` is true", remedy)


def _commit(
    api: "HfApi", dataset: str, there: _There, files: Mapping[str, bytes], card: Card, content: str, token: str
) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    additions = [CommitOperationAdd(path, content_of_file) for path, content_of_file in files.items()]
    mark = {"content": content, "files": {each.path_in_repo: each.upload_info.sha256.hex() for each in additions}}
    text = f"{card.text}\n{card.revision}\n\n<!-- tuneproof {canonical_json(mark)} -->\n"
    stale = [CommitOperationDelete(path) for path in _rows(there) if path not in files]
    with writing(f"dataset {dataset}", token):
        commit = api.create_commit(
            dataset, [*additions, CommitOperationAdd(CARD, text.encode()), *stale], repo_type="dataset",
            commit_message="Results of an evaluation with Tuneproof", parent_commit=there.sha,
        )  # fmt: skip
    return str(commit.oid)
