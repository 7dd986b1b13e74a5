"""Writing to the Hugging Face Hub: who may, what lies there already, and one commit when it differs."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof.common.errors import UserError, say
from tuneproof.records.keys import canonical_json, content_key
from tuneproof.results.publishing.rows import BENCHMARKS, SPLIT
from tuneproof.sources.hub.calls import NotThereError
from tuneproof.sources.hub.downloads import quiet_progress
from tuneproof.sources.hub.pins import Kind
from tuneproof.sources.hub.writing import asked, writing

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = "README.md"
NOT_DATA = {CARD, ".gitattributes"}
ROWS_FILE = re.compile(rf"(data|{BENCHMARKS})/{SPLIT}-\d+-of-\d+\.parquet")
MARK = re.compile(r"^<!-- tuneproof (?P<mark>\{.*\}) -->$", re.MULTILINE)
MAX_NAME_CHARACTERS = 96  # of a repository's name on the Hub


@dataclass(frozen=True)
class Owner:
    """Whose results a dataset holds: the model's key in params.yaml, and its id as cards show it."""

    key: str
    id: str


@dataclass(frozen=True)
class Card:
    """A repository's card. `revision` is what names the code's commit: on its own it is no reason for a new commit.

    `owner` is whose results the repository holds, where they are a model's.
    """

    text: str
    revision: str
    owner: Owner | None = None


@dataclass(frozen=True)
class There:
    """A repository as it lies on the Hub: its commit, its files by large-file hash, its card and the mark in that."""

    kind: Kind
    sha: str
    private: bool
    files: dict[str, str | None]
    card: str
    mark: dict[str, Any] | None

    @property
    def owner(self) -> Owner | None:
        """Whose results it holds, None where its card does not say so: it is no dataset of ours, or an older one."""
        said = (self.mark or {}).get("model")
        return Owner(str(said.get("key")), str(said.get("id"))) if isinstance(said, dict) else None


def repository_name(name: str, ending: str = "-results") -> str:
    """A name as the Hub allows it in a repository's name, with the ending."""
    allowed = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    allowed = re.sub(r"([.-])[.-]+", r"\1", allowed).strip("-.")
    return (allowed[: MAX_NAME_CHARACTERS - len(ending)].rstrip("-.") or "model") + ending


def publish_files(
    name: str, kind: Kind, files: Mapping[str, bytes], rows_key: str, card: Card, private: bool, token: str
) -> str:
    """Makes the Hub's dataset or model hold these files and this card, in one commit, or in none when it does already.

    `rows_key` identifies their content whatever wrote them. Returns the commit on the Hub. Raises a UserError; then the
    repository is as it was, and what was sent is not sent again.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    quiet_progress()
    content = content_key({"rows": rows_key, "card": card.text})
    there = look(name, kind, token)
    if there is None:
        with writing(f"{kind} {name}", token):
            api.create_repo(name, repo_type=kind, private=private)
        there = look(name, kind, token)
    if there is None:
        raise UserError(f"{kind} {name}", "it was created and is not there", "try again")
    _check_ours(name, there, private)
    is_same = there.mark is not None and there.mark.get("content") == content and there.owner == card.owner
    if is_same and _has_all(there):
        say(f"publish: {name} is unchanged")
        return there.sha
    sha = _commit(api, name, there, files, card, content, token)
    say(f"publish: wrote {name}, commit {sha[:12]}")
    return sha


def look(name: str, kind: Kind, token: str) -> There | None:
    """A repository on the Hub, None where there is none. Raises a UserError."""
    from huggingface_hub import HfApi, constants

    api = HfApi(token=token)
    where, read = f"{kind} {name}", api.model_info if kind == "model" else api.dataset_info
    try:
        info = asked(lambda: read(name, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT), where, token)
    except NotThereError:
        return None
    files = {sibling.rfilename: sibling.lfs.sha256 if sibling.lfs else None for sibling in info.siblings or ()}
    card = ""
    if CARD in files:
        path = asked(lambda: api.hf_hub_download(name, CARD, repo_type=kind, revision=info.sha), where, token)
        card = Path(path).read_text(encoding="utf-8", errors="replace")
    return There(kind, str(info.sha), bool(info.private), files, card, _read_mark(card))


def _read_mark(text: str) -> dict[str, Any] | None:
    found = MARK.findall(text)
    try:
        mark = json.loads(found[-1]) if found else None
    except ValueError:
        return None
    return mark if isinstance(mark, dict) else None


def _ours(there: There) -> dict[str, str | None]:
    """The files that were published. What else somebody put beside them stays, and is no reason for a commit."""
    marked = (there.mark or {}).get("files") or {}
    names = marked if there.kind == "model" else [path for path in there.files if ROWS_FILE.fullmatch(path)]
    return {path: there.files[path] for path in names if path in there.files}


def _has_all(there: There) -> bool:
    """Whether all that was published still lies there; of a large file, the same one."""
    marked = (there.mark or {}).get("files") or {}
    ours = _ours(there)
    return ours.keys() == marked.keys() and all(ours[path] in (None, marked[path]) for path in ours)


def _check_ours(name: str, there: There, private: bool) -> None:
    """Refuses to write over somebody's own data, and to put private results where all can read them."""
    if there.mark is None and set(there.files) - NOT_DATA:
        remedy = f"rename or delete that {there.kind} on the Hub, or publish to another workspace"
        raise UserError(f"{there.kind} {name}", f"a {there.kind} of another kind has this name", remedy)
    if private and not there.private:
        remedy = "make it private in its settings on the Hub, or set `publish.private: false`"
        raise UserError(f"{there.kind} {name}", "it is public, and `publish.private` is true", remedy)


def _commit(
    api: "HfApi", name: str, there: There, files: Mapping[str, bytes], card: Card, content: str, token: str
) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    additions = [CommitOperationAdd(path, content_of_file) for path, content_of_file in files.items()]
    mark = {"content": content, "files": {each.path_in_repo: each.upload_info.sha256.hex() for each in additions}}
    if card.owner:
        mark["model"] = asdict(card.owner)
    text = f"{card.text}\n{card.revision}\n\n<!-- tuneproof {canonical_json(mark)} -->\n"
    stale = [CommitOperationDelete(path) for path in _ours(there) if path not in files]
    with writing(f"{there.kind} {name}", token):
        commit = api.create_commit(
            name, [*additions, CommitOperationAdd(CARD, text.encode()), *stale], repo_type=there.kind,
            commit_message="Results of an evaluation with Tuneproof", parent_commit=there.sha,
        )  # fmt: skip
    return str(commit.oid)
