"""All of params.yaml as typed, frozen settings, and how it is read."""

import re
from collections.abc import Hashable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from evaluation.errors import UserError, one_line
from evaluation.generate_settings import Generate, Model, Questions
from evaluation.judge_settings import Compare, Judge
from evaluation.sagemaker_settings import SageMaker
from evaluation.settings import Settings

PARAMS_FILE = Path("params.yaml")
DVC_FILE = Path("dvc.yaml")
# A key is a file's name, a command's argument, and a YAML key that every reader must take for a text.
MODEL_KEY = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
MODEL_KEY_RULE = "rename it: up to 64 of a-z, 0-9, _ and -, no - first, no number, not judge or questions"
RESERVED_MODEL_KEYS = {"judge", "questions"}  # their files lie beside the models' in data/resolved


def is_number(text: str) -> bool:
    """Whether some reader could take a text for a number: 1e5 is a text to PyYAML and a number to DVC."""
    try:
        float(text)
    except ValueError:
        return False
    return True


class Decision(Settings):
    """When a difference counts."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    min_questions: Annotated[int, Field(ge=2)] = 30


class Gate(Settings):
    """What `scripts/gate.py` lets pass."""

    max_drop: Annotated[float, Field(ge=0)] = 0.1


class Publish(Settings):
    """Whether and where results are published."""

    enabled: bool = False
    workspace: str | None = None
    private: bool = True

    @model_validator(mode="after")
    def check_workspace(self) -> Self:
        """A place is needed to publish to."""
        if self.enabled and not self.workspace:
            raise ValueError("`workspace` is missing: your user or organisation on the Hub")
        return self


class Params(Settings):
    """All of params.yaml."""

    dummy: bool = False
    embedded: bool = False
    baseline: str
    questions: Questions
    models: dict[str, Model] = Field(min_length=1)
    generate: Generate = Generate()
    sagemaker: SageMaker = SageMaker()
    judge: Judge
    compare: Compare
    decision: Decision = Decision()
    gate: Gate = Gate()
    publish: Publish = Publish()

    @field_validator("models", mode="before")
    @classmethod
    def check_keys(cls, models: object) -> object:
        """YAML reads a bare `on`, `null` or `123` as no text."""
        if isinstance(models, dict):
            for key in models:
                if not isinstance(key, str):
                    raise ValueError(f"the key {key!r} cannot name a model; {MODEL_KEY_RULE}")
        return models

    @model_validator(mode="after")
    def check_models(self) -> Self:
        """Keys name files; the baseline is one of the models; models, judge and world fit together."""
        for key, model in self.models.items():
            if not MODEL_KEY.fullmatch(key) or key in RESERVED_MODEL_KEYS or is_number(key):
                raise ValueError(f"'{key[:40]}' cannot name a model; {MODEL_KEY_RULE}")
            try:
                model.check_for_engine(self.generation(key).engine)
            except ValidationError as error:
                place, problem = first_problem(error)
                raise ValueError(f"models.{key}.{place}: {problem}") from None
            except ValueError as error:
                raise ValueError(f"models.{key}: {error}") from None
        self.check_world()
        if self.baseline not in self.models:
            raise ValueError(f"the baseline '{self.baseline[:40]}' is not one of the models: {', '.join(self.models)}")
        return self

    def check_world(self) -> None:
        """Raises a ValueError where a part of the embedded world is asked of the user's own world or its rehearsal."""
        if self.embedded and not self.dummy:
            return
        if self.judge.backend == "embedded":
            found = "judge.backend: the embedded judge knows only the embedded demonstration world"
            raise ValueError(f"{found}; set judge.backend: openai, or embedded: true")
        for key in self.models:
            if self.generation(key).engine == "embedded":
                found = f"models.{key}: the embedded engine plays only the small models of the embedded world"
                raise ValueError(f"{found}; set engine: vllm or another, or embedded: true")

    def generation(self, key: str) -> Generate:
        """The settings of `generate` for one model, its own overrides applied."""
        model, values = self.models[key], self.generate.model_dump()
        if model.engine:
            values["engine"] = model.engine
        for section in ("sampling", "vllm", "transformers", "endpoint"):
            values[section] |= getattr(model, section)
        return Generate.model_validate(values)


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, but a key given twice is an error instead of the last one winning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuses repeated keys, except for merge keys."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen and key_node.tag != "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(problem=f"'{key}' is given twice", problem_mark=key_node.start_mark)
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


PLAIN_WORDS = {  # pydantic's type of a complaint -> what is meant in YAML
    "tuple_type": "input should be a list, such as [a, b]",
    "dict_type": "input should be a section of settings",
    "model_type": "input should be a section of settings",
}
NUMBER_AS_TEXT = re.compile(r"[-+]?[0-9]{1,3}(\.[0-9]{0,9})?[eE][-+]?[0-9]")  # to YAML, not to people


def first_problem(error: ValidationError) -> tuple[str, str]:
    """The place and the message of the first of pydantic's complaints."""
    first = error.errors(include_url=False, include_context=False)[0]
    message = PLAIN_WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
    if first["type"] in ("float_type", "int_type") and NUMBER_AS_TEXT.fullmatch(str(first["input"])):
        message += f"; to YAML {first['input']} is a text, write {Decimal(first['input']):f}"
    return ".".join(str(part) for part in first["loc"]), message[:1].lower() + message[1:]


def require_tracked_settings(params: Params) -> None:
    """Raises a UserError for a setting that DVC tracks and that params.yaml leaves to its default.

    The stages could do without it, but DVC would stop at the first of them that tracks it, after hours of generating.
    """
    if not DVC_FILE.is_file():
        return
    stages = yaml.safe_load(DVC_FILE.read_text(encoding="utf-8"))["stages"].values()
    tracked = {path for stage in stages for path in stage.get("do", stage).get("params", []) if "$" not in path}
    settings = yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))
    for path in sorted(tracked):
        written, used = settings, params
        for name in path.split("."):
            if not isinstance(written, dict) or name not in written:
                remedy = f"write it out; its default is {getattr(used, name)!r}"
                raise UserError(f"{PARAMS_FILE}, {path}", "it is missing, and DVC wants to see it there", remedy)
            written, used = written[name], getattr(used, name)


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Reads and checks params.yaml; raises a UserError that names the setting that is wrong."""
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise UserError(str(path), "there is no such file here", "run this in the project's root") from None
    except OSError as error:
        found = f"it cannot be read ({error.strerror or error})"
        raise UserError(str(path), found, "restore it from Git") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 2024-99-99 is no date
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        found = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else one_line(error)
        found = getattr(error, "problem", None) or found
        raise UserError(where, f"this is not valid YAML: {found}", "correct it") from None
    if not isinstance(values, dict):
        raise UserError(str(path), "it holds no settings", "restore it from Git")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        place, problem = first_problem(error)
        raise UserError(f"{path}, {place}" if place else str(path), problem, "correct the setting") from None
