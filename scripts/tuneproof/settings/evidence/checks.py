"""The section of params.yaml that decides what programs check of an answer: check."""

from typing import Annotated, Any, TypeAlias, get_args

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, ValidationError, field_validator

from tuneproof.settings.base import first_problem, nearest
from tuneproof.settings.evidence.check_kinds import (
    CheckSettings,
    Contains,
    Edge,
    Function,
    Instructions,
    Json,
    Language,
    Length,
    OfQuestion,
    Plain,
    Reference,
    Refusal,
    Regex,
    Repetition,
    Rouge,
    SacreBleu,
)
from tuneproof.settings.evidence.judging import criterion_name

FromDataset: TypeAlias = (
    Json | Regex | Contains | Edge | Plain | Length | Language | Repetition | Refusal | Reference | Rouge | SacreBleu
)
AnyCheck: TypeAlias = FromDataset | Instructions | OfQuestion | Function


def kinds(classes: tuple[type[Any], ...]) -> dict[str, type[CheckSettings]]:
    """The settings of each kind, by its name."""
    return {kind: each for each in classes for kind in get_args(each.model_fields["kind"].annotation)}


KINDS = kinds(get_args(AnyCheck))
# A dataset may say what is checked, never which code runs.
KINDS_IN_DATASETS = kinds(get_args(FromDataset))


def read_check(value: object, known: dict[str, type[CheckSettings]] = KINDS) -> Any:
    """One check's settings, typed by its kind. Raises a ValueError that names the setting that is wrong."""
    if isinstance(value, CheckSettings):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise ValueError("a check is a section with a kind, such as {kind: json}")
    if value["kind"] not in known:
        raise ValueError(f"there is no kind '{value['kind'][:40]}' here; {nearest(value['kind'], known)}")
    try:
        return known[value["kind"]].model_validate(value)
    except ValidationError as error:
        place, problem = first_problem(error)
        raise ValueError(f"{place}: {problem}" if place else problem) from None


class Checks(RootModel[dict[str, Annotated[AnyCheck, BeforeValidator(read_check)]]]):
    """The section `check`: every check by the name of its criterion."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
    root: dict[str, Annotated[AnyCheck, BeforeValidator(read_check)]] = Field(default_factory=dict)

    def __repr__(self) -> str:
        return repr({name: check.model_dump(by_alias=True) for name, check in self.root.items()})

    @field_validator("root")
    @classmethod
    def check_names(cls, checks: dict[str, AnyCheck]) -> dict[str, AnyCheck]:
        """Names become metric columns and JSON keys."""
        for name in checks:
            criterion_name(name)
        return checks

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest value of every criterion."""
        return {name: check.range for name, check in self.root.items()}

    @property
    def cautions(self) -> dict[str, str]:
        """What must be read beside the figures, by criterion; those without a caution are left out."""
        return {name: check.caution for name, check in self.root.items() if check.caution}
