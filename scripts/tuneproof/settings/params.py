"""All of params.yaml as typed, frozen settings."""

import re
from collections.abc import Collection
from typing import Annotated, Self, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator

from tuneproof.settings.base import Settings, first_problem, nearest, shown_name
from tuneproof.settings.evidence.admission import Admission
from tuneproof.settings.evidence.benchmarks import Benchmarks
from tuneproof.settings.evidence.checks import Checks
from tuneproof.settings.evidence.decision import WIN_RATE, Decision
from tuneproof.settings.evidence.evaluator import EvaluatorSettings
from tuneproof.settings.evidence.judging import Compare, Judge
from tuneproof.settings.evidence.people import People
from tuneproof.settings.execution import Execution
from tuneproof.settings.generation import WITH_WEIGHTS, Generate, Model
from tuneproof.settings.inputs import Questions

# A key is a file's name, a command's argument, and a YAML key that every reader must take for a text.
MODEL_KEY = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
MODEL_KEY_RULE = (
    "rename it: up to 64 of a-z, 0-9, _ and -, no - first, no number, not evaluator, judge, plan or questions"
)
RESERVED_MODEL_KEYS = {"evaluator", "judge", "plan", "questions"}  # their files lie beside the models' in data/resolved


def is_number(text: str) -> bool:
    """Whether some reader could take a text for a number, such as '1e5' where its quotes are lost."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def require_known(where: str, name: str, known: Collection[str]) -> None:
    """Raises a ValueError for what is set for something that is not there, with the nearest name that is."""
    if name not in known:
        raise ValueError(f"{where}: there is no {shown_name(name)}; {nearest(name, known)}")


def check_nulls(generation: Generate) -> None:
    """Raises a ValueError for sampling that is null where the engine itself samples."""
    nulls = generation.sampling.not_sent
    if nulls and generation.engine in WITH_WEIGHTS:
        found = f"sampling.{nulls[0]} is null, which is for engine endpoint only (not sent)"
        raise ValueError(f"{found}; engine {generation.engine} needs a number")


Drop = Annotated[float, Field(ge=0)]


class Gate(Settings):
    """What `scripts/gate.py` lets pass; `max_drops` holds what is different for some criteria, by name."""

    max_drop: Drop = 0.1
    max_drops: dict[str, Drop] = Field(default_factory=dict)

    def of(self, criterion: str) -> float:
        """The drop of one criterion's mean that passes, in points of its scale."""
        return self.max_drops.get(criterion, self.max_drop)


class Publish(Settings):
    """Whether and where results are published."""

    enabled: bool = False
    workspace: str | None = None
    private: bool = True
    evaluators: bool = False

    @model_validator(mode="after")
    def check_workspace(self) -> Self:
        """A place is needed to publish to."""
        if self.enabled and not self.workspace:
            raise ValueError("`workspace` is missing: your user or organisation on the Hub")
        return self


class GenerationParams(Settings):
    """What generate reads of params.yaml: all of it but judge and results."""

    dummy: bool = False
    embedded: bool = False
    baseline: str
    questions: Questions
    models: dict[str, Model] = Field(min_length=1)
    generate: Generate = Generate()
    execution: Execution = Execution()

    @field_validator("models", mode="before")
    @classmethod
    def check_keys(cls, models: object) -> object:
        """YAML reads a bare `true`, `null` or `123` as no text."""
        if isinstance(models, dict):
            for key in models:
                if not isinstance(key, str):
                    raise ValueError(f"the key {key!r} cannot name a model; {MODEL_KEY_RULE}")
        return models

    @model_validator(mode="after")
    def check_models(self) -> Self:
        """Keys name files; the baseline is one of the models; each model fits its engine."""
        for key, model in self.models.items():
            if not MODEL_KEY.fullmatch(key) or key in RESERVED_MODEL_KEYS or is_number(key):
                raise ValueError(f"{shown_name(key)} cannot name a model; {MODEL_KEY_RULE}")
            try:
                generation = self.generation(key)
                model.check_for_engine(generation.engine)
                check_nulls(generation)
            except ValidationError as error:
                place, problem = first_problem(error)
                raise ValueError(f"models.{key}.{place}: {problem}") from None
            except ValueError as error:
                raise ValueError(f"models.{key}: {error}") from None
        if self.baseline not in self.models:
            raise ValueError(f"the baseline '{self.baseline[:40]}' is not one of the models: {', '.join(self.models)}")
        return self

    @model_validator(mode="after")
    def check_execution(self) -> Self:
        """What `execution` holds for some models is for models that there are, and of their engine."""
        for key, execution in self.execution.generate.models.items():
            require_known("execution.generate.models", key, self.models)
            try:
                execution.check_for_engine(self.generation(key).engine)
            except ValueError as error:
                raise ValueError(f"execution.generate.models.{key}: {error}") from None
        return self

    def model(self, key: str) -> Model:
        """A model's settings; recorded answers name the column of instructions as the questions do, by default."""
        model = self.models[key]
        if self.generation(key).engine != "recorded" or model.instruction_column is not None:
            return model
        return model.model_copy(update={"instruction_column": self.questions.instruction_column})

    def generation(self, key: str) -> Generate:
        """The settings of `generate` for one model, its own overrides applied."""
        model, values = self.models[key], self.generate.model_dump()
        if model.engine:
            values["engine"] = model.engine
        for section in ("sampling", "vllm", "transformers"):
            values[section] |= getattr(model, section)
        return Generate.model_validate(values)


class Params(GenerationParams):
    """All of params.yaml."""

    judge: Judge
    compare: Compare
    admission: Admission = Admission()
    check: Checks = Checks()
    benchmark: Benchmarks = Benchmarks()
    people: People = People()
    evaluator: EvaluatorSettings = EvaluatorSettings()
    decision: Decision = Decision()
    gate: Gate = Gate()
    publish: Publish = Publish()

    @model_validator(mode="after")
    def check_judge(self) -> Self:
        """Judge, engines and world fit together, and keys are named for judges that there are."""
        if self.judge.max_tokens is None and self.execution.judge.budget_usd is not None:
            found = "execution.judge.budget_usd: with judge.max_tokens null nothing bounds what a reply may cost"
            raise ValueError(f"{found}; set judge.max_tokens, or no budget")
        if self.dummy or not self.embedded:
            self.check_own_world()
        for column in self.generate.temperature_by_tag if self.dummy or not self.embedded else ():
            require_known("generate.temperature_by_tag", column, self.questions.tag_columns)
        for endpoint in self.execution.judge.key_variables:
            require_known("execution.judge.key_variables", endpoint, [one.endpoint for one in self.judge.panel])
        return self

    @model_validator(mode="after")
    def check_criteria(self) -> Self:
        """Every criterion has one source, and the plan names only what some source gives scores for."""
        taken = dict.fromkeys(self.judge.criteria, "judge.criteria")
        for section, names in (("check", self.check.root), ("benchmark.tasks", self.benchmark.tasks)):
            for name in names:
                if name in taken:
                    raise ValueError(f"{section}.{name}: {taken[name]} has this name already; rename one of the two")
            taken |= dict.fromkeys(names, section)
        try:
            self.decision.check_known(self.criteria)
        except ValueError as error:
            raise ValueError(f"decision.{error}") from None
        for name in self.gate.max_drops:
            require_known("gate.max_drops", name, self.criteria)
        return self

    @model_validator(mode="after")
    def check_evaluator(self) -> Self:
        """A criterion to be learned has labels: the judge's, or those of a file."""
        for name in self.evaluator.criteria if self.evaluator.data is None and not self.embedded else ():
            try:
                require_known("evaluator.criteria", name, self.judge.criteria)
            except ValueError as error:
                raise ValueError(
                    f"{error} Name one of the judge's, or a file with its labels in evaluator.data"
                ) from None
        return self

    @property
    def scales(self) -> dict[str, dict[str, tuple[float, float]]]:
        """By source of scores, the lowest and the highest score of each of its criteria."""
        judged = {name: (one.lowest, one.highest) for name, one in self.judge.criteria.items()}
        compared = {WIN_RATE: (0.0, 1.0)} if self.compare.enabled else {}
        programs, benchmarks = dict(self.check.ranges), dict(self.benchmark.ranges)
        return {"judge": judged, "check": programs, "benchmark": benchmarks, "compare": compared}

    @property
    def instructions(self) -> str:
        """What names the words that people have who rate (`People.instructions`)."""
        return self.people.instructions(self.judge.criteria, self.compare.criteria)

    @property
    def criteria(self) -> list[str]:
        """Every criterion of every source."""
        return [name for scales in self.scales.values() for name in scales]

    def check_own_world(self) -> None:
        """Raises a ValueError where a part of the embedded world is asked of the user's own world or its rehearsal."""
        if self.judge.backend == "embedded":
            found = "judge.backend: the embedded judge knows only the embedded demonstration world"
            raise ValueError(f"{found}; set judge.backend: openai, or embedded: true")
        for key in self.models:
            if self.generation(key).engine == "embedded":
                found = f"models.{key}: the embedded engine plays only the small models of the embedded world"
                raise ValueError(f"{found}; set engine: vllm or another, or embedded: true")


AnyParams = TypeVar("AnyParams", bound=GenerationParams)
