"""Trained evaluators on the Hugging Face Hub: which commit is meant."""

from pathlib import Path

from tuneproof.common.errors import OutOfReachError, UserError, say
from tuneproof.common.files import file_sha256
from tuneproof.common.places import project_root
from tuneproof.sources.hub.calls import NotThereError, UnreachableError, ask, usable_token
from tuneproof.sources.hub.downloads import Resolved, download_evaluator
from tuneproof.sources.hub.pins import PINS_FILE, Pin, Pins

MANIFEST = "evaluator.json"
DEFAULT_REVISION = "main"


def bring_evaluator(name: str) -> Path:
    """The folder of an evaluator that is named `owner/name` or `owner/name@revision`, for use outside a run.

    The project's pin says which commit is meant, and nothing is pinned here: where there is none, the commit that is
    taken is told. Raises a UserError.
    """
    repository, _, revision = name.partition("@")
    pins = Pins.load(project_root() / PINS_FILE)
    pinned = pins.get("model", repository, revision or DEFAULT_REVISION)
    found, folder = resolve_hub_evaluator(repository, revision or DEFAULT_REVISION, pins)
    if not pinned and revision != found.sha:
        say(f"evaluator {repository}: {found.revision} is commit {found.sha}; {repository}@{found.sha} stays that one")
    return folder


def resolve_hub_evaluator(repository: str, revision: str, pins: Pins) -> tuple[Resolved, Path]:
    """Finds an evaluator, pins it and brings it here; gives its folder too.

    Takes the pin that is there, adds one that is not, and moves one only when `pins.update`. `content` is the SHA-256
    of its evaluator.json, as of a local folder. Raises a UserError.
    """
    token = usable_token()
    where = f"evaluator {repository}"
    pin = pins.get("model", repository, revision)
    try:
        sha = pin.sha if pin and not pins.update else commit_of(repository, revision, token)
    except NotThereError as error:
        remedy = "correct the path or the id, or set HF_TOKEN to a token that may read it"
        raise UserError(where, f"there is no such folder, and {error.found}", remedy) from None
    except UnreachableError as error:
        remedy = "try again later, or name a folder of this machine"
        raise OutOfReachError(where, str(error), remedy) from None
    folder = download_evaluator(Resolved("model", repository, repository, revision, sha, ""), token=token)
    if not (folder / MANIFEST).is_file():
        remedy = "name one that `python scripts/train.py` made"
        raise UserError(where, f"it holds no {MANIFEST}", remedy)
    content = file_sha256(folder / MANIFEST)
    pins.put("model", repository, revision, Pin(sha, content))
    return Resolved("model", repository, repository, revision, sha, content), folder


def commit_of(repository: str, revision: str, token: str | None) -> str:
    """The commit that a revision means now. Raises a UserError or UnreachableError."""
    from huggingface_hub import HfApi, constants

    def look() -> str:
        info = HfApi(token=token).model_info(repository, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        return str(info.sha)

    return ask(look, f"evaluator {repository}", revision, token)
