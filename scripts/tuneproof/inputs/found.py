"""What validate found of a model or of questions, and whether a pin says that it is still the same."""

from dataclasses import dataclass

from tuneproof.common.errors import OutOfReachError, warn
from tuneproof.records.documents.resolved import ResolvedAdapter, ResolvedModel, ResolvedQuestions
from tuneproof.sources.hub import repositories
from tuneproof.sources.hub.pins import Kind, Pins


@dataclass(frozen=True)
class Found:
    """A model, adapter or file as found: the id really used, its commit (None: local) and the hash of its content."""

    id: str
    sha: str | None
    content: str
    fallback_reason: str | None = None


def is_pinned(
    kind: Kind,
    kept: ResolvedModel | ResolvedAdapter | ResolvedQuestions,
    identity: str | None,
    revision: str,
    fallback: str | None,
    pins: Pins,
) -> bool:
    """Whether this commit is the one that the settings and the pins mean now."""
    pin = pins.get(kind, kept.id, revision if kept.id == identity else repositories.FALLBACK_REVISION)
    return kept.id in (identity, fallback) and pin is not None and (pin.sha, pin.content) == (kept.sha, kept.content)


def say_kept(error: OutOfReachError) -> None:
    """Warns that nothing could be checked."""
    warn(f"{error.where}: {error.found}; what an earlier validate made of the same settings and pin is kept")
