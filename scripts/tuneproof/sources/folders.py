"""Where a resolved model's files are: its local folder, or the Hub's cache at the pinned commit."""

from pathlib import Path
from typing import TYPE_CHECKING

from tuneproof.common.places import local_path
from tuneproof.records.documents.resolved import ResolvedAdapter, ResolvedModel, ResolvedScorer

if TYPE_CHECKING:
    from tuneproof.sources.hub import downloads


def is_hub_id(name: str) -> bool:
    """Whether a name is a repository of the Hub: `owner/name`, where no such folder is here."""
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not local_path(name).exists()


def tokenizer_folder(resolved: ResolvedModel | ResolvedAdapter) -> Path:
    """A folder with at least the tokenizer and the configurations."""
    if resolved.sha is None:
        return local_path(resolved.id)
    from tuneproof.sources.hub.downloads import download_small_files

    return download_small_files(on_the_hub(resolved, resolved.sha))


def weights_folder(resolved: ResolvedModel | ResolvedAdapter) -> Path:
    """A folder with the whole model or adapter, downloaded at the pinned commit where it is not there yet."""
    if resolved.sha is None:
        return local_path(resolved.id)
    from tuneproof.sources.hub.ahead import finish_begun
    from tuneproof.sources.hub.downloads import download_model

    found = on_the_hub(resolved, resolved.sha)
    finish_begun(found)
    return download_model(found)


def not_here(resolved: ResolvedModel) -> "list[downloads.Resolved]":
    """Of a model and its adapter, what is not whole in the Hub's cache; the Hub is not asked."""
    from tuneproof.sources.hub.downloads import cached_model

    parts = [part for part in (resolved, resolved.adapter) if part is not None]
    found = [on_the_hub(part, part.sha) for part in parts if part.sha is not None]
    return [part for part in found if cached_model(part) is None]


def evaluator_folder(resolved: ResolvedScorer) -> Path:
    """A folder with a trained evaluator, downloaded at the pinned commit where it is not there yet."""
    if resolved.sha is None:
        return local_path(resolved.id)
    from tuneproof.sources.hub.downloads import Resolved, download_evaluator

    return download_evaluator(Resolved("model", resolved.id, resolved.id, resolved.sha, resolved.sha, resolved.content))


def on_the_hub(resolved: ResolvedModel | ResolvedAdapter, sha: str) -> "downloads.Resolved":
    """The same model in the words of the Hub's module."""
    from tuneproof.sources.hub.downloads import Resolved

    return Resolved("model", resolved.id, resolved.id, sha, sha, resolved.content)
