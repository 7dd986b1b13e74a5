"""What explains that two runs differ: settings, what validate found, and the files and code that stages depend on."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tuneproof.records.handovers import RESOLVED_DIRECTORY
from tuneproof.results.report.experiments import ABSENT, differing, flat, value_text
from tuneproof.results.words.figures import plain_name
from tuneproof.settings.reading import PARAMS_FILE, parse_settings

LOCK_FILE = Path("dvc.lock")
CODE = "scripts/"
ANSWERS, SCORES, VERDICTS, NOTHING_ELSE = "answers", "scores", "verdicts", "no result"
THE_GATE = "what the gate says"
TOUCHES = {  # what a section of params.yaml decides
    "embedded": ANSWERS, "dummy": ANSWERS, "questions": ANSWERS, "models": ANSWERS, "generate": ANSWERS,
    "judge": SCORES, "check": SCORES, "benchmark": SCORES, "evaluator": SCORES, "admission": SCORES,
    "baseline": VERDICTS, "compare": VERDICTS, "decision": VERDICTS, "people": VERDICTS,
    "gate": THE_GATE,
}  # fmt: skip
TOLD_OF_A_MODEL = ("engine", "prompt", "id", "sha", "content", "adapter", "tokenizer", "run")
SHOWN_OF_A_HASH = 12
CONTENT = "content"  # the hash of files


@dataclass(frozen=True)
class SettingChange:
    """A setting that differs, its value in both runs as text, and what it touches; `model` where it is one model's."""

    name: str
    before: str
    now: str
    touches: str
    model: str | None

    @property
    def told(self) -> str:
        """In a few words: `generate.sampling.seed 42 to 7`."""
        return f"{self.name} {self.before} to {self.now}"


@dataclass(frozen=True)
class Causes:
    """What differs between the two runs besides their results.

    `found` has by model what validate found otherwise, `inputs` and `code` by stage the files that are not the same:
    what people and models made, and the pipeline's own. Both are empty where one run has no record of its stages.
    """

    settings: list[SettingChange]
    found: dict[str, list[str]]
    inputs: dict[str, list[str]]
    code: dict[str, list[str]]
    recorded: bool

    def of_answers(self, model: str) -> list[str]:
        """What explains that a model's answers changed; its code last, and only where nothing else does."""
        said = [
            one.told for one in self.settings if one.touches == ANSWERS and (one.model is None or one.model == model)
        ]
        said += self.found.get(model, [])
        stage = f"generate@{model}"
        said += [path for path in self.inputs.get(stage, []) if not path.startswith(str(RESOLVED_DIRECTORY))]
        return said or [f"code: {path}" for path in self.code.get(stage, [])]

    def cannot_be_told_apart(self, model: str) -> bool:
        """Whether several things differ that could have changed a model's answers, code among them."""
        return len({*self.of_answers(model), *(f"code: {path}" for path in self.code.get(f"generate@{model}", []))}) > 1

    def touching(self, what: str) -> list[str]:
        """The settings that touch scores, verdicts or what the gate says."""
        return [one.told for one in self.settings if one.touches == what]


def explaining_files(models: Iterable[str]) -> list[Path]:
    """The files that causes are found in."""
    return [PARAMS_FILE, LOCK_FILE, *(RESOLVED_DIRECTORY / f"{model}.json" for model in models)]


def causes(here: Path, there: Path, models: Sequence[str]) -> Causes:
    """Compares params.yaml, data/resolved/ and dvc.lock of two projects' folders, as far as both have them."""
    locks = [stages_of(root) for root in (here, there)]
    differing = {
        name: sorted(path for path, content in stage.items() if locks[1][name].get(path, content) != content)
        for name, stage in locks[0].items()
        if name in locks[1]
    }
    return Causes(
        settings=list(setting_changes(settings_of(there), settings_of(here))),
        found={model: found_otherwise(here, there, model) for model in models},
        inputs={name: [path for path in paths if not path.startswith(CODE)] for name, paths in differing.items()},
        code={name: [path for path in paths if path.startswith(CODE)] for name, paths in differing.items()},
        recorded=all(locks),
    )


def settings_of(root: Path) -> dict[str, Any]:
    """Every setting by its dotted name; none where there is no params.yaml."""
    path = root / PARAMS_FILE
    return dict(flat(parse_settings(path.read_text(encoding="utf-8")))) if path.is_file() else {}


def setting_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[SettingChange]:
    """The settings that differ, by name; none where one side has no settings at all."""
    if not before or not now:
        return
    for name in differing(before, now):
        section, _, rest = name.partition(".")
        model = rest.partition(".")[0] if section == "models" else None
        values = before.get(name, ABSENT), now.get(name, ABSENT)
        before_text, now_text = ("left out" if value is ABSENT else value_text(value) for value in values)
        yield SettingChange(name[:200], before_text, now_text, TOUCHES.get(section, NOTHING_ELSE), model)


def found_otherwise(here: Path, there: Path, model: str) -> list[str]:
    """What validate found of a model that it had not found before; nothing where one run has not kept it."""
    place = RESOLVED_DIRECTORY / f"{model}.json"
    documents = [json_object(root / place) for root in (there, here)]
    if not all(documents):
        return []
    told = [{name: document.get(name) for name in TOLD_OF_A_MODEL} for document in documents]
    before, now = (dict(flat({name: value for name, value in one.items() if value is not None})) for one in told)
    changed = differing(before, now)
    return [
        f"{plain_name(model)}: {change_of(name, before, now)}"
        for name in changed
        if not (name.endswith(CONTENT) and name.removesuffix(CONTENT) + "sha" in changed)  # which says it already
    ]


def change_of(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """How one thing that validate found differs; files that are where they were and not as they were by their place."""
    place = name.removesuffix(CONTENT) + "id"
    if name.endswith(CONTENT) and place in now and before.get(place) == now[place]:
        return f"{short_value(now[place])} has other contents than before"
    values = (short_value(one[name]) if name in one else "none" for one in (before, now))
    return f"{name} {' to '.join(values)}"


def short_value(value: object) -> str:
    """A value of a document in a few characters; of a hash its beginning."""
    text = json.dumps(value, default=str) if not isinstance(value, str) else value
    return text[:SHOWN_OF_A_HASH] if len(text) >= 40 and " " not in text else text[:80]


def json_object(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no readable one."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def stages_of(root: Path) -> dict[str, dict[str, str]]:
    """By stage the files that it depended on, each with its hash, as DVC recorded them in dvc.lock."""
    try:
        value = yaml.safe_load((root / LOCK_FILE).read_bytes())
        stages = value["stages"]
        return {
            str(name): {str(one["path"]): str(one.get("md5")) for one in stage.get("deps") or ()}
            for name, stage in stages.items()
        }
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError):
        return {}
