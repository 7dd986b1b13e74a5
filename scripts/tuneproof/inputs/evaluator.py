"""What evaluators are trained from: which base is meant, and which file of labelled answers."""

from tuneproof.common.errors import UserError
from tuneproof.common.files import file_sha256
from tuneproof.common.places import local_path
from tuneproof.inputs.models import find_weights, look_into
from tuneproof.records.documents.resolved import ResolvedEvaluator
from tuneproof.records.rows import World
from tuneproof.settings.evidence.evaluator import EMBEDDED_BASE
from tuneproof.settings.params import Params
from tuneproof.sources.hub.pins import Pins
from tuneproof.sources.weights.small import read_json


def resolve_evaluator(params: Params, world: World, pins: Pins) -> ResolvedEvaluator | None:
    """The base and the file, each by its content; None where no evaluator is asked for. Raises a UserError."""
    settings = params.evaluator
    if not settings.criteria:
        return None
    data = content_of_data(settings.data) if settings.data else None
    if settings.base == EMBEDDED_BASE:
        return ResolvedEvaluator(run=world, id=EMBEDDED_BASE, sha=None, content=None, data=data)
    found = find_weights("evaluator.base", settings.base, settings.revision, None, pins)
    where = f"evaluator.base ({found.id})"
    config = read_json(where, look_into(where, found).folder / "config.json")
    if config.get("auto_map"):
        raise UserError(where, "it needs code of its own (auto_map)", "name an encoder that runs without foreign code")
    return ResolvedEvaluator(run=world, id=found.id, sha=found.sha, content=found.content, data=data)


def content_of_data(path: str) -> str:
    """The SHA-256 of a file of labelled answers. Raises a UserError where it is not there."""
    file = local_path(path)
    if not file.is_file():
        found = f"there is no file {path[:80]}"
        raise UserError("evaluator.data", found, "correct the path (it is relative to the project's root)")
    return file_sha256(file)
