"""Models and datasets on the Hugging Face Hub: which repository and which commit is meant.

Everything goes through the official client (https://huggingface.co/docs/huggingface_hub), which honours HF_ENDPOINT,
HF_HUB_OFFLINE, HF_HOME and, where no token is given, HF_TOKEN or a saved login.
"""

from dataclasses import dataclass, replace

from tuneproof.common.errors import OutOfReachError, one_line, warn
from tuneproof.sources.hub.calls import NotThereError, UnreachableError, ask, usable_token
from tuneproof.sources.hub.downloads import Resolved, cached_dataset, cached_model, no_files
from tuneproof.sources.hub.pins import UPDATE_COMMAND, Kind, Pin, Pins
from tuneproof.sources.weights.checks import check_weights
from tuneproof.sources.weights.files import content_hash, data_files, model_files, weights_of

FALLBACK_REVISION = "main"


@dataclass(frozen=True)
class _Found:
    """What the Hub says of a repository now. `identifiers` maps each file that matters to its Git object id."""

    sha: str
    identifiers: dict[str, str]
    name: str

    @property
    def content(self) -> str:
        return content_hash(self.identifiers)


def resolve_model(
    repository: str, revision: str, fallback: str | None, pins: Pins, *, token: str | None = None
) -> Resolved:
    """Finds a model (or adapter) on the Hub and pins it.

    Takes the pin that is there; adds one that is not; moves one only when `pins.update`. A repository that is not there
    takes its fallback with a warning. Raises a UserError for everything a person must mend: no fallback, a gated
    repository, a token refused, a missing revision, no weights, a Hub out of reach with nothing cached.
    """
    return _resolve("model", repository, revision, fallback, pins, token)


def resolve_dataset(
    repository: str, revision: str, fallback: str | None, pins: Pins, *, token: str | None = None
) -> Resolved:
    """Finds a dataset on the Hub and pins it, as `resolve_model` does."""
    return _resolve("dataset", repository, revision, fallback, pins, token)


def _resolve(
    kind: Kind, requested: str, revision: str, fallback: str | None, pins: Pins, token: str | None
) -> Resolved:
    token = usable_token(token)
    try:
        return _resolve_one(kind, requested, revision, pins, token)
    except NotThereError as error:
        if fallback is None:
            raise
        # The same words with and without a token: they are recorded, and must not change from one machine to the next.
        reason = f"{requested} is not on the Hub, or it is private and this token (or no token) may not see it"
        warn(f"{error.where}: {error.found}; the fallback {fallback} is used instead")
    resolved = _resolve_one(kind, fallback, FALLBACK_REVISION, pins, token)
    return replace(resolved, requested=requested, revision=revision, fallback_reason=reason)


def _resolve_one(kind: Kind, repository: str, revision: str, pins: Pins, token: str | None) -> Resolved:
    pin = pins.get(kind, repository, revision)
    try:
        found = _look(kind, repository, revision, token)
    except (UnreachableError, NotThereError) as error:
        return _without_the_hub(kind, repository, revision, pins, error)
    notes = _renamed(kind, repository, found)
    if pin is None or (pins.update and _is_outdated(kind, repository, pin, found, token)):
        if not found.identifiers:
            raise no_files(kind, repository)
        if kind == "model":
            check_weights(f"model {repository}", found.identifiers)
        if pin is not None:
            notes.append(f"{kind} {repository}: the pin of {revision} moves from {pin.sha[:12]} to {found.sha[:12]}")
        pin = Pin(found.sha, found.content)
        pins.put(kind, repository, revision, pin)
    elif pin.content != found.content:  # a commit that touches only a README is not worth a word
        notes.append(
            f"{kind} {repository}: {revision} has moved on the Hub, from {pin.sha[:12]} to {found.sha[:12]}; "
            f"the pinned commit is used until `{UPDATE_COMMAND}`"
        )
    for note in notes:
        warn(note)
    return Resolved(kind, repository, repository, revision, pin.sha, pin.content, notes=tuple(notes))


def _is_outdated(kind: Kind, repository: str, pin: Pin, found: _Found, token: str | None) -> bool:
    """Whether an update moves a pin: to other content, or because history was rewritten and its commit is gone."""
    from huggingface_hub import HfApi

    if pin.content != found.content or pin.sha == found.sha:
        return pin.content != found.content
    try:
        there = HfApi(token=token).revision_exists
        return not ask(lambda: there(repository, pin.sha, repo_type=kind), f"{kind} {repository}", pin.sha, token)
    except UnreachableError:
        return False


def _renamed(kind: Kind, repository: str, found: _Found) -> list[str]:
    if found.name == repository:
        return []
    return [f"{kind} {repository} is called {one_line(found.name)} on the Hub now; write the new name in params.yaml"]


def _without_the_hub(
    kind: Kind, repository: str, revision: str, pins: Pins, error: UnreachableError | NotThereError
) -> Resolved:
    """Goes on with what is in the local cache, with a warning, or raises."""
    pin = pins.get(kind, repository, revision)
    if pin is None and isinstance(error, UnreachableError):
        pin = _pin_from_cache(kind, repository, revision)
    if pin is not None:
        resolved = Resolved(kind, repository, repository, revision, pin.sha, pin.content)
        if (cached_model if kind == "model" else cached_dataset)(resolved) is not None:
            reason = error.found if isinstance(error, NotThereError) else str(error)
            note = f"{kind} {repository}: {reason}; the cached commit {pin.sha[:12]} is used unchecked"
            warn(note)
            pins.put(kind, repository, revision, pin)
            return replace(resolved, notes=(note,))
    if isinstance(error, NotThereError):
        raise error
    remedy = "try again later, or run once with a connection so that its files are in the local cache"
    raise OutOfReachError(f"{kind} {repository}", f"{error}, and it is not in the local cache", remedy) from None


def _pin_from_cache(kind: Kind, repository: str, revision: str) -> Pin | None:
    """The commit that a revision meant when something else on this machine downloaded it."""
    from huggingface_hub import HfApi, get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError, RevisionResolutionError

    try:
        commit = HfApi().resolve_revision(repository, repo_type=kind, revision=revision, local_files_only=True)
        files = get_cached_repo_tree(repository, repo_type=kind, revision=commit.resolved)
    except (CachedRepoTreeNotFoundError, RevisionResolutionError):
        return None
    return Pin(commit.resolved, content_hash(_identifiers(kind, {file.path: file.blob_id for file in files})))


def _identifiers(kind: Kind, blobs: dict[str, str]) -> dict[str, str]:
    """The Git object ids of the files that matter; a large file has that of its pointer, which holds its SHA-256."""
    chosen = model_files(blobs) if kind == "model" else data_files(blobs)
    if kind == "model" and not weights_of(chosen):
        return {}
    return {name: blobs[name] for name in chosen}


def _look(kind: Kind, repository: str, revision: str, token: str | None) -> _Found:
    from huggingface_hub import HfApi, constants, hf_hub_url

    api = HfApi(token=token)

    def look() -> _Found:
        read = api.model_info if kind == "model" else api.dataset_info
        info = read(repository, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        blobs = {sibling.rfilename: str(sibling.blob_id) for sibling in info.siblings or ()}
        if info.gated and blobs:  # what it is and which files it has is public, the files are not
            url = hf_hub_url(repository, min(blobs), repo_type=kind, revision=info.sha)
            api.get_hf_file_metadata(url=url, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        return _Found(str(info.sha), _identifiers(kind, blobs), info.id)

    return ask(look, f"{kind} {repository}", revision, token)
