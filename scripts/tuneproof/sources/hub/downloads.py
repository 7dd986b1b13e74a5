"""The files of a Hub repository at one commit, in the official client's own cache."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from tuneproof.common.errors import OutOfReachError, UserError, one_line
from tuneproof.sources.hub.calls import PASSING_STATUSES, explained, hub_host, usable_token
from tuneproof.sources.hub.pins import UPDATE_COMMAND, Kind
from tuneproof.sources.weights.files import (
    COMPRESSION_SUFFIXES,
    DATA_SUFFIXES,
    SMALL_FILES,
    data_files,
    model_files,
    weights_of,
)
from tuneproof.sources.weights.shards import INDEX_FILE


@dataclass(frozen=True)
class Resolved:
    """A repository as found, at one commit.

    `id` is the repository really used, `requested` the one asked for; `content` is the hash of the files that matter.
    `notes` is what was said on the way: it tells of the Hub as it is today, so it never goes into a tracked file.
    """

    kind: Kind
    id: str
    requested: str
    revision: str
    sha: str
    content: str
    fallback_reason: str | None = None
    notes: tuple[str, ...] = ()


def download_model(resolved: Resolved, *, token: str | None = None) -> Path:
    """Brings the weights, tokenizer and configuration of a model into the client's cache; returns their folder.

    Safetensors where there are any, never a pickle beside them, nothing from sub-folders. Raises a UserError.
    """
    download_small_files(resolved, token=token)  # the client keeps the list of files with them
    names = model_files(file_names(resolved))
    if not weights_of(names):
        raise no_files(resolved.kind, resolved.id)
    return _snapshot(resolved, [escape(name) for name in names], token)


def download_small_files(resolved: Resolved, *, token: str | None = None) -> Path:
    """Brings only a model's tokenizer, configuration and index of weights; returns their folder. Raises a UserError."""
    return _snapshot(resolved, [*SMALL_FILES, INDEX_FILE], token)


def download_dataset(resolved: Resolved, *, token: str | None = None) -> Path:
    """Brings a dataset's files of rows, and the card that says which of them is which split. Raises a UserError."""
    return _snapshot(resolved, _dataset_patterns(), token)


def download_evaluator(resolved: Resolved, *, token: str | None = None) -> Path:
    """Brings the files that a trained evaluator scores with; returns their folder. Raises a UserError."""
    return _snapshot(resolved, ["*.json", "*.onnx"], token)


def cached_model(resolved: Resolved) -> Path | None:
    """The folder of a model that is whole in the local cache, without asking the Hub; else None."""
    names = model_files(file_names(resolved))
    return _local_snapshot(resolved, [escape(name) for name in names]) if weights_of(names) else None


def cached_dataset(resolved: Resolved) -> Path | None:
    """The folder of a dataset that is whole in the local cache, without asking the Hub; else None."""
    return _local_snapshot(resolved, _dataset_patterns()) if data_files(file_names(resolved)) else None


def no_files(kind: Kind, repository: str) -> UserError:
    """The error for a repository that holds nothing of use here."""
    if kind == "model":
        remedy = "name a repository that holds a transformers model, or the adapter as `adapter` beside its base model"
        return UserError(f"model {repository}", "it holds no weights (*.safetensors)", remedy)
    remedy = "name a dataset that does, or give a local .jsonl, .csv or .parquet file"
    return UserError(f"dataset {repository}", "it holds no parquet, JSON or CSV file", remedy)


def quiet_progress() -> None:
    """Switches the client's progress bars off where nobody watches a terminal."""
    if not sys.stderr.isatty():
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()


def _dataset_patterns() -> list[str]:
    endings = sorted(("", *COMPRESSION_SUFFIXES))
    return ["README.md", *(f"*{suffix}{ending}" for suffix in sorted(DATA_SUFFIXES) for ending in endings)]


def _ignored(kind: Kind) -> list[str] | None:
    return ["*/*"] if kind == "model" else None  # only the top folder of a model is loaded


def _snapshot(resolved: Resolved, patterns: list[str], token: str | None) -> Path:
    from huggingface_hub import snapshot_download

    quiet_progress()
    token = usable_token(token)
    with told(resolved, token):
        folder = snapshot_download(
            resolved.id, repo_type=resolved.kind, revision=resolved.sha, token=token,
            allow_patterns=patterns, ignore_patterns=_ignored(resolved.kind),
        )  # fmt: skip
    return Path(folder)


@contextmanager
def told(resolved: Resolved, token: str | None) -> Iterator[None]:
    """Tells what goes wrong in a download within as a UserError, without the token."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RevisionNotFoundError
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # another package before release 2

    where = f"{resolved.kind} {resolved.id}"
    commit = resolved.sha[:12]
    try:
        yield
    except LocalEntryNotFoundError as error:
        cause = error.__cause__
        if isinstance(cause, HfHubHTTPError) and cause.response.status_code not in PASSING_STATUSES:
            raise explained(cause, where, resolved.sha, token) from None
        found = f"commit {commit} is not whole in the local cache, and {hub_host()} cannot be reached"
        raise OutOfReachError(where, found, "try again with a connection; what was downloaded is kept") from None
    except RevisionNotFoundError:
        remedy = f"`{UPDATE_COMMAND}` pins the commit that is there now"
        raise UserError(where, f"the pinned commit {commit} is gone from the Hub", remedy) from None
    except HfHubHTTPError as error:
        raise explained(error, where, resolved.sha, token) from None
    except (httpx.HTTPError, RuntimeError, OSError) as error:
        # A full or read-only disk, a file of the wrong length, a connection lost at last: the cause says which.
        reason = one_line(str(error) or type(error).__name__, secret=token)
        remedy = "check the connection and the room in HF_HOME, then run this again; what was downloaded is kept"
        raise UserError(where, f"the download broke off ({reason})", remedy) from None


def _local_snapshot(resolved: Resolved, patterns: list[str]) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            resolved.id, repo_type=resolved.kind, revision=resolved.sha, local_files_only=True,
            allow_patterns=patterns, ignore_patterns=_ignored(resolved.kind),
        )  # fmt: skip
    except LocalEntryNotFoundError:
        return None
    return Path(folder)


def file_names(resolved: Resolved) -> list[str]:
    """The names of a commit's files as the client's cache lists them, none where it has no list."""
    return list(file_sizes(resolved))


def file_sizes(resolved: Resolved) -> dict[str, int]:
    """The files of a commit with their bytes, as `file_names` lists them."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        files = get_cached_repo_tree(resolved.id, repo_type=resolved.kind, revision=resolved.sha)
    except CachedRepoTreeNotFoundError:
        return {}
    return {file.path: file.size for file in files}
