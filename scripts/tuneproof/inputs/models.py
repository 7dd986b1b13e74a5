"""From settings to what is really meant: a model's weights, the judge, the questions, each identified by content."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.common.errors import OutOfReachError, UserError, warn
from tuneproof.common.files import file_sha256
from tuneproof.common.places import local_path, project_root
from tuneproof.endpoint.access import endpoint_label
from tuneproof.inputs.found import Found, is_pinned, say_kept
from tuneproof.records.documents.resolved import ResolvedAdapter, ResolvedModel, ResolvedTokenizer
from tuneproof.records.handovers import resolved_model
from tuneproof.records.keys import content_key
from tuneproof.records.rows import World
from tuneproof.settings.generation import Model
from tuneproof.settings.params import Params
from tuneproof.sources import recorded
from tuneproof.sources.hub import repositories
from tuneproof.sources.hub.downloads import Resolved, download_small_files, file_names
from tuneproof.sources.hub.headers import weight_headers
from tuneproof.sources.hub.pins import Pins
from tuneproof.sources.weights.adapters import check_adapter, check_adapter_fits, differences, strange_modules
from tuneproof.sources.weights.checks import check_model, check_weights, local_headers
from tuneproof.sources.weights.files import content_hash, identify_local_folder, is_small
from tuneproof.sources.weights.safetensors import Header
from tuneproof.sources.weights.shards import check_shards


@dataclass(frozen=True)
class Weights:
    """A model or adapter as its small files and headers show it: no weight is read or downloaded for it.

    `headers` is empty where the Hub did not give them.
    """

    where: str
    folder: Path
    names: list[str]
    headers: dict[str, Header]


def resolve_model(key: str, params: Params, requested: str, world: World, pins: Pins) -> ResolvedModel:
    """One model in the world whose settings are given. `requested` is what the user's own settings name.

    Where the Hub is out of reach, what an earlier validate made of the same settings and pins is kept. Raises a
    UserError for a model that is not there, cannot be had, or would fail later.
    """
    model, engine = params.model(key), params.generation(key).engine
    asked: dict[str, Any] = {
        "model": key, "run": world, "dummy": params.dummy, "embedded": world == "embedded", "engine": engine,
        "prompt": model.prompt, "requested": requested,
    }  # fmt: skip
    try:
        found, adapter = find_model(key, model, engine, pins)
        tokenizer = find_tokenizer(key, model.tokenizer, pins) if model.tokenizer else None
    except OutOfReachError as error:
        kept = kept_model(model, asked, pins)
        if kept is None:
            raise
        say_kept(error)
        return kept
    return ResolvedModel(
        **asked, id=found.id, sha=found.sha, content=found.content, fallback_reason=found.fallback_reason,
        adapter=adapter, tokenizer=tokenizer,
    )  # fmt: skip


def find_model(key: str, model: Model, engine: str, pins: Pins) -> tuple[Found, ResolvedAdapter | None]:
    """A model as it is found, checked, and its adapter where it has one."""
    if engine == "endpoint":
        return endpoint_model(key, model), None
    if engine == "recorded":
        return recorded_file(f"models.{key}.path", model), None
    found = find_weights(f"model {key}", model.id or "", model.revision, model.fallback, pins)
    base = look_into(f"model {key} ({found.id})", found)
    check_shards(base.where, base.folder, base.names, base.headers, engine)
    for warning in check_model(base.where, base.folder, model.prompt, model.stop, base.headers):
        warn(warning)
    return found, find_adapter(key, model, model.adapter, base, pins) if model.adapter else None


def find_adapter(key: str, model: Model, adapter: str, base: Weights, pins: Pins) -> ResolvedAdapter:
    """A model's adapter as it is found, held against its base."""
    found = find_weights(f"adapter of {key}", adapter, model.adapter_revision, None, pins)
    lora = look_into(f"adapter of {key} ({found.id})", found)
    check_adapter(lora.where, lora.folder, lora.headers)
    check_adapter_fits(lora.where, lora.headers, base.headers)
    for module in strange_modules(lora.headers, base.headers):
        warn(f"{lora.where}: it changes {module[:60]}, and no weight of the model is called so")
    for warning in differences(lora.where, lora.folder, base.folder, model.id or "", model.prompt):
        warn(warning)
    return ResolvedAdapter(id=found.id, sha=found.sha, content=found.content)


def endpoint_model(key: str, model: Model) -> Found:
    """A served model: its content cannot be seen, so its place and name stand for it."""
    if model.prompt != "chat":
        found = f"an endpoint is asked in chat messages, and the prompt format is {model.prompt}"
        raise UserError(f"model {key}", found, "set `prompt: chat`, or run the model's weights with engine vllm")
    label = endpoint_label(model.base_url, model.served_as)
    return Found(model.id or "", None, content_key({"endpoint": label, "model": model.id}))


def find_tokenizer(key: str, tokenizer: str, pins: Pins) -> ResolvedTokenizer:
    """A served model's tokenizer: a folder here, or a model's repository on the Hub at its pin."""
    where, folder = f"models.{key}.tokenizer", local_path(tokenizer)
    if folder.exists() or tokenizer.startswith((".", "/", "~")):
        names = sorted(path.name for path in folder.iterdir() if is_small(path.name)) if folder.is_dir() else []
        found = Found(tokenizer, None, content_hash({name: file_sha256(folder / name) for name in names}))
    else:
        found = find_weights(where, tokenizer, "main", None, pins)
        sha = str(found.sha)
        small = download_small_files(Resolved("model", found.id, found.id, sha, sha, found.content))
        names = [path.name for path in small.iterdir()]
    if not any(name.startswith("tokenizer") for name in names):
        raise UserError(where, f"there is no tokenizer in {tokenizer[:80]}", "name a model's folder, or its Hub id")
    return ResolvedTokenizer(id=found.id, sha=found.sha, content=found.content)


def recorded_file(where: str, model: Model) -> Found:
    """A file of answers that were made elsewhere."""
    path = model.path or ""
    file = local_path(path)
    if not file.is_file():
        raise UserError(where, f"there is no file {path}", "correct the path (it is relative to the project's root)")
    # a broken file is told now, not when the models before it have been generated
    recorded.read_rows(path, model.answer_column, model.instruction_column)
    return Found(path, None, file_sha256(file))


def find_weights(where: str, identity: str, revision: str, fallback: str | None, pins: Pins) -> Found:
    """A model or adapter: a local folder where there is one of that name, else the Hub's repository at its pin."""
    folder = local_path(identity)
    if folder.exists() or identity.startswith((".", "/", "~")):
        content = identify_local_folder(folder, project_root() / ".cache" / "files.json")
        check_weights(f"{where} ({identity})", [file.name for file in folder.iterdir()])
        return Found(identity, None, content)
    if identity.count("/") != 1:
        remedy = "give `organisation/name` of the Hub or the path of a folder"
        raise UserError(where, f"'{identity[:80]}' is neither a folder here nor a Hub id", remedy)
    resolved = repositories.resolve_model(identity, revision, fallback, pins)
    return Found(resolved.id, resolved.sha, resolved.content, resolved.fallback_reason)


def look_into(where: str, found: Found) -> Weights:
    """Reads what is small of a found model. Raises a UserError for weights that are pickles, cut or none."""
    if found.sha is None:
        folder = local_path(found.id)
        names = [file.name for file in folder.iterdir() if file.is_file()]
        return Weights(where, folder, names, local_headers(where, folder))
    resolved = Resolved("model", found.id, found.id, found.sha, found.sha, found.content)
    folder, names = download_small_files(resolved), file_names(resolved)
    check_weights(where, names)
    return Weights(where, folder, names, weight_headers(where, resolved))


def kept_model(model: Model, asked: dict[str, Any], pins: Pins) -> ResolvedModel | None:
    """What the workspace has of a model, where it was made from the same settings and the pins still say the same."""
    try:
        kept = resolved_model(asked["model"])
    except UserError:
        return None
    lora, tokenizer = kept.adapter, kept.tokenizer
    named = (lora.id if lora else None, tokenizer.id if tokenizer else None)
    same = kept == kept.model_copy(update=asked) and named == (model.adapter, model.tokenizer)
    if tokenizer:
        served = endpoint_model(asked["model"], model)
        pinned = is_pinned("model", tokenizer, model.tokenizer, "main", None, pins)
        return kept if same and pinned and (kept.id, kept.content) == (served.id, served.content) else None
    pinned = is_pinned("model", kept, model.id, model.revision, model.fallback, pins)
    if lora:
        pinned = pinned and is_pinned("model", lora, model.adapter, model.adapter_revision, None, pins)
    return kept if same and pinned else None
