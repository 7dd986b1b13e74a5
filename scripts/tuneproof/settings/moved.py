"""Settings that stood elsewhere in params.yaml once, before all that changes no result came to stand in `execution`."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tuneproof.common.errors import SeveralMistakesError, UserError
from tuneproof.settings.execution import JudgeExecution, TransformersExecution, VllmExecution

SHARED_SECTIONS = {  # these hold settings of both kinds; of each the ones that moved
    "vllm": VllmExecution.model_fields, "transformers": TransformersExecution.model_fields,
}  # fmt: skip


def require_no_moved_settings(where: str, values: Mapping[Any, Any]) -> None:
    """Raises a UserError with a line for every setting that stands where it once stood."""
    moved = list(moved_settings(values))
    if moved:
        raise SeveralMistakesError([UserError(where, f"{old} is {new} now", "move it") for old, new in moved])


def moved_settings(values: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Where settings stand and where they belong, of params.yaml as plain data."""
    yield from found(values, "", "execution", ["sagemaker"])
    generate, judge, models = (section(values, name) for name in ("generate", "judge", "models"))
    yield from found(generate, "generate", "execution.generate", ["run_on", "endpoint"])
    yield from found_below(generate, "generate", "execution.generate")
    yield from found(judge, "judge", "execution.judge", JudgeExecution.model_fields)
    panel = judge.get("panel")
    for number, one in enumerate(panel if isinstance(panel, list) else []):
        if isinstance(one, dict) and "key_variable" in one:
            yield f"judge.panel.{number}.key_variable", "execution.judge.key_variables"
    for key in models:
        model, old, new = section(models, key), f"models.{key}", f"execution.generate.models.{key}"
        yield from found(model, old, new, ["key_variable", "endpoint"])
        yield from found_below(model, old, new)


def found_below(values: Mapping[Any, Any], old: str, new: str) -> Iterator[tuple[str, str]]:
    """The settings that moved out of sections that are still there."""
    for name, names in SHARED_SECTIONS.items():
        yield from found(section(values, name), f"{old}.{name}", f"{new}.{name}", names)


def found(values: Mapping[Any, Any], old: str, new: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Those of the names that stand in a section, with their old and new places."""
    for name in values:
        if name in names:
            yield f"{old}.{name}".lstrip("."), f"{new}.{name}"


def section(values: Mapping[Any, Any], name: object) -> Mapping[Any, Any]:
    """A section, empty where there is none."""
    inner = values.get(name)
    return inner if isinstance(inner, dict) else {}
