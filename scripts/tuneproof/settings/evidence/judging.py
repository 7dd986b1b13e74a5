"""The sections of params.yaml that decide who judges, and by which rubric: judge, compare."""

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from tuneproof.settings.base import (
    Address,
    ApiVersion,
    NotNegative,
    Positive,
    Settings,
    Share,
    Text,
    as_tuple,
    check_extra,
    nearest,
    shown_name,
)
from tuneproof.settings.evidence.decision import RESERVED_CRITERIA

ASK_ONCE = "name it once, and set judge.samples to ask every judge several times"


OF_THE_REQUEST = {  # field of a request to a judge -> the setting to use instead
    "model": "judge.model", "messages": None, "stream": None, "n": "judge.samples",
    "temperature": "judge.temperature", "max_tokens": "judge.max_tokens", "response_format": "judge.format",
    "logprobs": "judge.logprobs", "top_logprobs": "judge.logprobs",
}  # fmt: skip


def check_extra_body(values: dict[str, Any]) -> dict[str, Any]:
    """What a judge's server wants beyond the settings."""
    return check_extra("its values", values, OF_THE_REQUEST)


ExtraBody = Annotated[dict[str, Any], AfterValidator(check_extra_body)]


def as_number(value: str | float) -> int | float:
    """A number as it is written in results: 3, not 3.0."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("it is not a finite number")
    return int(number) if number.is_integer() else number


def criterion_name(name: str) -> str:
    """A criterion's name, which becomes a metric column and a JSON key; raises a ValueError for one that cannot."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in RESERVED_CRITERIA:
        raise ValueError(f"{shown_name(name)} cannot name a criterion; use small letters, not a metrics column's name")
    return name


NO_NUMBER = (
    "every step of a scale is a number with its meaning, such as `1: Wrong.`, and YAML read these as {steps} "
    "(a yes/no criterion: 0 and 1, `0: No.` and `1: Yes.`)"
)


class Criterion(Settings):
    """One criterion of the rubric: a question and what each step of its scale means."""

    question: str = Field(min_length=1)
    scale: dict[int | float, str]

    @field_validator("scale", mode="before")
    @classmethod
    def read_steps(cls, scale: object) -> object:
        """Steps are numbers; DVC and JSON hand them on as strings."""
        if not isinstance(scale, dict):
            return scale
        try:
            if any(isinstance(step, bool) for step in scale):
                raise TypeError
            steps = {as_number(step): text for step, text in scale.items()}
        except (TypeError, ValueError, OverflowError):
            raise ValueError(NO_NUMBER.format(steps=", ".join(repr(step)[:20] for step in scale))) from None
        if len(steps) != len(scale) or len(steps) < 2:
            raise ValueError("a scale has at least two different steps (a yes/no criterion: 0 and 1)")
        return dict(sorted(steps.items()))

    @property
    def lowest(self) -> float:
        """The worst score."""
        return min(self.scale)

    @property
    def highest(self) -> float:
        """The best score."""
        return max(self.scale)


class FurtherJudge(Settings):
    """A further judge."""

    model: str = Field(min_length=1)
    base_url: Address | None = None
    served_as: str | None = None
    api_version: ApiVersion | None = None
    extra_body: ExtraBody = Field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """The name of where it is asked."""
        return self.served_as or self.base_url or "openai"


class FrozenEvaluator(Settings):
    """A trained evaluator that scores in the judge's place: a Hub id, or a folder that this run does not write."""

    id: Text
    revision: Text = "main"


def as_evaluator(value: object) -> object:
    """An evaluator that is only named."""
    return {"id": value} if isinstance(value, str) else value


class Judge(Settings):
    """Who judges, by which rubric and how."""

    backend: Literal["openai", "evaluator", "embedded"] = "openai"
    evaluators: dict[str, Annotated[FrozenEvaluator, BeforeValidator(as_evaluator)]] = Field(default_factory=dict)
    model: str = Field(default="gpt-4o-mini", min_length=1)
    base_url: Address | None = None
    served_as: str | None = None
    api_version: ApiVersion | None = None
    extra_body: ExtraBody = Field(default_factory=dict)
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0
    max_tokens: Positive | None = 1000
    attempts: Positive = 3
    samples: Positive = 1
    logprobs: bool = False
    score_first: bool = False
    format: Literal["json_schema", "json_object", "text"] = "json_schema"
    panel: Annotated[tuple[FurtherJudge, ...], BeforeValidator(as_tuple)] = ()
    per: Literal["turn", "conversation"] = "turn"
    max_answer_characters: Positive = 20_000
    min_coverage: Share = 0.95
    repeat: NotNegative = 0
    criteria: dict[str, Criterion] = Field(min_length=1)

    @property
    def first(self) -> FurtherJudge:
        """The judge that these settings themselves name, as one of the panel."""
        return FurtherJudge(
            model=self.model, base_url=self.base_url, served_as=self.served_as, api_version=self.api_version,
            extra_body=self.extra_body,
        )  # fmt: skip

    @field_validator("criteria")
    @classmethod
    def check_names(cls, criteria: dict[str, Criterion]) -> dict[str, Criterion]:
        """Names become metric columns and JSON keys."""
        for name in criteria:
            criterion_name(name)
        return criteria

    @model_validator(mode="after")
    def check_evaluators(self) -> Self:
        """With backend evaluator every criterion has one, and nothing is asked of other judges besides."""
        if self.backend != "evaluator":
            return self
        for name in self.criteria:
            if name not in self.evaluators:
                raise ValueError(
                    f"evaluators: there is none for {name}; name a folder or Hub id, or drop the criterion"
                )
        for name in self.evaluators:
            if name not in self.criteria:
                raise ValueError(
                    f"evaluators: there is no criterion {shown_name(name)}; {nearest(name, self.criteria)}"
                )
        if self.panel or self.samples > 1:
            raise ValueError("panel, samples: an evaluator always says the same; leave them out with backend evaluator")
        return self

    @model_validator(mode="after")
    def check_panel(self) -> Self:
        """One model at one endpoint has one set of replies in the ledger, so it cannot be two judges."""
        judges = [(one.model, one.endpoint) for one in (self.first, *self.panel)]
        for model, endpoint in judges:
            if judges.count((model, endpoint)) > 1:
                raise ValueError(f"panel: {model[:100]} at {endpoint[:100]} is asked twice; {ASK_ONCE}")
        return self


class Compare(Settings):
    """The pairwise comparison with the baseline."""

    enabled: bool = True
    criteria: str = Field(min_length=1)
