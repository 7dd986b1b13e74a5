"""Which judge is meant."""

import json
from pathlib import Path

from pydantic import ValidationError

from tuneproof.common.errors import UserError
from tuneproof.common.files import file_sha256
from tuneproof.common.places import local_path, project_root
from tuneproof.endpoint.access import endpoint_label
from tuneproof.records.documents.resolved import ResolvedJudge, ResolvedScorer
from tuneproof.records.handovers import EVALUATORS_DIRECTORY
from tuneproof.records.keys import content_key
from tuneproof.records.rows import Record, World
from tuneproof.settings.evidence.judging import Criterion, FrozenEvaluator
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import EMBEDDED_JUDGE_DIRECTORY
from tuneproof.sources.folders import is_hub_id
from tuneproof.sources.hub.evaluators import MANIFEST, resolve_hub_evaluator
from tuneproof.sources.hub.pins import Pins
from tuneproof.sources.weights.files import content_hash


class Card(Record):
    """What is asked of an evaluator.json before it may judge."""

    criterion: str
    steps: tuple[float, ...] | None


def resolve_judge(params: Params, world: World, pins: Pins) -> ResolvedJudge:
    """Who judges: every judge's model and its endpoint's label, or what needs no endpoint by the hash of its files.

    Raises a UserError for an evaluator that is not there, is not of the criterion's scale, or is what this run trains.
    """
    judge = params.judge
    if judge.backend == "embedded":
        files = sorted(EMBEDDED_JUDGE_DIRECTORY.rglob("*.json"))
        content = content_hash({str(file.relative_to(EMBEDDED_JUDGE_DIRECTORY)): file_sha256(file) for file in files})
        return ResolvedJudge(
            run=world, backend="embedded", judges=[{"model": "embedded", "endpoint": "embedded"}], content=content
        )
    if judge.backend == "evaluator":
        found = {
            name: find_evaluator(name, judge.evaluators[name], criterion, pins)
            for name, criterion in judge.criteria.items()
        }
        named = ", ".join(dict.fromkeys(one.id for one in found.values()))
        content = content_key({name: one.content for name, one in found.items()})
        judges = [{"model": "evaluator", "endpoint": named}]
        return ResolvedJudge(run=world, backend="evaluator", judges=judges, content=content, evaluators=found)
    asked = [
        (judge.model, judge.base_url, judge.served_as),
        *((one.model, one.base_url, one.served_as) for one in judge.panel),
    ]
    labels = [{"model": model, "endpoint": endpoint_label(url, label)} for model, url, label in asked]
    return ResolvedJudge(run=world, backend="openai", judges=labels)


def find_evaluator(name: str, evaluator: FrozenEvaluator, criterion: Criterion, pins: Pins) -> ResolvedScorer:
    """A frozen evaluator: the local folder of that name where there is one, else the Hub's repository at its pin."""
    where = f"judge.evaluators.{name}"
    if is_hub_id(evaluator.id):
        resolved, folder = resolve_hub_evaluator(evaluator.id, evaluator.revision, pins)
        found = ResolvedScorer(id=resolved.id, sha=resolved.sha, content=resolved.content)
    else:
        folder = local_path(evaluator.id)
        refuse_own_output(where, folder)
        found = ResolvedScorer(id=evaluator.id, sha=None, content=content_of(where, folder))
    check_card(f"{where} ({evaluator.id[:80]})", folder / MANIFEST, name, criterion)
    return found


def refuse_own_output(where: str, folder: Path) -> None:
    """Raises a UserError for what this run trains: it would score with what it learned from its own scores."""
    if folder.resolve().is_relative_to((project_root() / EVALUATORS_DIRECTORY).resolve()):
        found = f"{EVALUATORS_DIRECTORY} is what this run trains, and no run scores with that"
        remedy = f"copy it, such as `cp -r {EVALUATORS_DIRECTORY}/accuracy evaluators/accuracy`, and name the copy"
        raise UserError(where, found, remedy)


def content_of(where: str, folder: Path) -> str:
    """The SHA-256 of a folder's evaluator.json."""
    try:
        return file_sha256(folder / MANIFEST)
    except OSError as error:
        found = f"{folder / MANIFEST} cannot be read ({error.strerror})"
        raise UserError(where, found, "name a folder that `python scripts/train.py` made, or a Hub id") from None


def check_card(where: str, path: Path, name: str, criterion: Criterion) -> None:
    """Raises a UserError where an evaluator scores something else, or on another scale."""
    try:
        card = Card.model_validate(json.loads(path.read_bytes()))
    except (ValueError, ValidationError):
        raise UserError(where, f"its {MANIFEST} describes no evaluator", "restore the folder") from None
    steps = [float(step) for step in criterion.scale]
    if card.criterion != name:
        raise UserError(where, f"it scores {card.criterion[:40]}, not {name}", "name the evaluator of this criterion")
    if card.steps is None or list(card.steps) != steps:
        had = "classes without order" if card.steps is None else ", ".join(f"{step:g}" for step in card.steps)
        found = f"it knows {had}, and judge.criteria.{name} has {', '.join(f'{step:g}' for step in steps)}"
        raise UserError(where, found, "give the criterion that scale, or name an evaluator that was trained on it")
