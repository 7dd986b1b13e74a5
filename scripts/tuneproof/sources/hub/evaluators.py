"""Trained evaluators on the Hugging Face Hub: which commit is meant."""

from pathlib import Path

from tuneproof.common.errors import OutOfReachError, UserError
from tuneproof.common.files import file_sha256
from tuneproof.sources.hub.calls import UnreachableError, ask, usable_token
from tuneproof.sources.hub.downloads import Resolved, download_evaluator
from tuneproof.sources.hub.pins import Pin, Pins

MANIFEST = "evaluator.json"


def resolve_hub_evaluator(repository: str, revision: str, pins: Pins) -> tuple[Resolved, Path]:
    """Finds an evaluator, pins it and brings it here; gives its folder too.

    Takes the pin that is there, adds one that is not, and moves one only when `pins.update`. `content` is the SHA-256
    of its evaluator.json, as of a local folder. Raises a UserError.
    """
    token = usable_token()
    pin = pins.get("model", repository, revision)
    try:
        sha = pin.sha if pin and not pins.update else commit_of(repository, revision, token)
    except UnreachableError as error:
        remedy = "try again later, or name a folder of this machine"
        raise OutOfReachError(f"evaluator {repository}", str(error), remedy) from None
    folder = download_evaluator(Resolved("model", repository, repository, revision, sha, ""), token=token)
    if not (folder / MANIFEST).is_file():
        remedy = "name one that `python scripts/train.py` made"
        raise UserError(f"evaluator {repository}", f"it holds no {MANIFEST}", remedy)
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
