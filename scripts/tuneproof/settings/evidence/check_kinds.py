"""The settings of each kind of check, its range, and what it warns of."""

import importlib.util
import json
import re
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from tuneproof.settings.base import Settings, Text, Texts

FUNCTIONS_FOLDER = "checks"  # a dependency of the stage, so that a changed function runs it again
REFUSALS = (
    "i can't help", "i cannot help", "i can't assist", "i cannot assist", "i'm sorry, but", "i am sorry, but",
    "i'm unable to", "i am unable to", "i'm not able to", "i am not able to", "i can't provide", "i cannot provide",
    "i can't fulfill", "i cannot fulfill", "i must decline", "as an ai language model",
)  # fmt: skip
OVERLAP_CAUTION = "it counts shared words: a good answer in other words scores low, a wrong one in the same words high"
MATCH_CAUTION = "it wants the reference's own words: a good answer that says more, or says it otherwise, scores 0"


def as_json(value: object) -> object:
    """A value of YAML as JSON text, which cannot change and can be a key."""
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError(
            "it is no JSON Schema: only texts, numbers, booleans, lists and objects can stand in one"
        ) from None


def check_schema(text: str) -> str:
    """A JSON Schema as text; refuses what is none."""
    import jsonschema

    schema = json.loads(text)
    if not isinstance(schema, dict | bool):
        raise ValueError("a JSON Schema is an object, such as {type: object, required: [name]}")
    try:
        jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator).check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"it is no JSON Schema: {error.message[:200]}") from None
    return text


def check_pattern(pattern: str) -> str:
    """A regular expression as Python's `re` reads them."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"it is no regular expression: {error}") from None
    return pattern


class CheckSettings(Settings):
    """Base of every kind of check: the range of its values, what it warns of, and the packages that it needs."""

    packages: ClassVar[tuple[str, ...]] = ()  # besides the base: requirements/checks.txt

    def missing_packages(self) -> list[str]:
        """Those that are not installed here."""
        return [package for package in self.packages if importlib.util.find_spec(package) is None]

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest value that the check can give."""
        return 0.0, 1.0

    @property
    def caution(self) -> str | None:
        """What a reader must know before believing the figure, None where it means what it says."""
        return None


class Json(CheckSettings):
    """The answer is one JSON document, and what the schema asks for."""

    kind: Literal["json"]
    # Kept as text. The field's own name would hide a method of pydantic's.
    schema_text: Annotated[str, BeforeValidator(as_json), AfterValidator(check_schema)] | None = Field(
        default=None, alias="schema"
    )
    allow_fence: bool = False  # a Markdown fence around the document is no fault


class Regex(CheckSettings):
    """A pattern of Python's `re` is found in the answer."""

    kind: Literal["regex"]
    pattern: Annotated[Text, AfterValidator(check_pattern)]


class Contains(CheckSettings):
    """All of the texts stand in the answer, one of them at least, or none."""

    kind: Literal["contains", "contains_any", "not_contains"]
    texts: Texts = Field(min_length=1)
    ignore_case: bool = False


class Edge(CheckSettings):
    """The answer begins or ends with a text, white space left aside."""

    kind: Literal["starts_with", "ends_with"]
    text: Text
    ignore_case: bool = False


class Length(CheckSettings):
    """The answer has so many words, sentences or characters."""

    kind: Literal["words", "sentences", "characters"]
    at_least: Annotated[int, Field(ge=0)] | None = None
    at_most: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def check_limits(self) -> Self:
        """A check without a limit would say nothing."""
        if self.at_least is None and self.at_most is None:
            raise ValueError("set at_least, at_most, or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least is {self.at_least} and at_most {self.at_most}: no answer can be both")
        return self


class Language(CheckSettings):
    """The answer is in a language, by its code: en, de, zh-cn, ..."""

    kind: Literal["language"]
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]{2})?$")]
    packages: ClassVar[tuple[str, ...]] = ("langdetect",)


class Plain(CheckSettings):
    """The answer is Python that parses (it is never run); the model ended it itself and was not cut."""

    kind: Literal["python_parses", "finish"]


class Repetition(CheckSettings):
    """The answer does not fall into a loop of the same words."""

    kind: Literal["repetition"]
    times: Annotated[int, Field(ge=2, le=1_000)] = 4  # the same run of words, one after the other


class Refusal(CheckSettings):
    """The answer does not begin by refusing."""

    kind: Literal["refusal"]
    phrases: Texts = Field(default=REFUSALS, min_length=1)


class Reference(CheckSettings):
    """The answer is the reference, names the same number, or shares words with it: F1 of tokens, as SQuAD counts."""

    kind: Literal["exact_match", "number_match", "token_f1"]

    @property
    def caution(self) -> str | None:
        """Words are not meaning; the last number is."""
        return {"exact_match": MATCH_CAUTION, "token_f1": OVERLAP_CAUTION}.get(self.kind)


class Rouge(CheckSettings):
    """ROUGE's F-measure, as rouge-score gives it."""

    kind: Literal["rouge1", "rouge2", "rougeL"]
    stem: bool = False  # Porter's stemmer; English only
    packages: ClassVar[tuple[str, ...]] = ("rouge_score",)

    @property
    def caution(self) -> str | None:
        """Shared words are not shared meaning."""
        return OVERLAP_CAUTION


class SacreBleu(CheckSettings):
    """BLEU or chrF of one answer, as sacrebleu gives it: 0 to 100."""

    kind: Literal["bleu", "chrf"]
    packages: ClassVar[tuple[str, ...]] = ("sacrebleu",)

    @property
    def range(self) -> tuple[float, float]:
        """Sacrebleu's own."""
        return 0.0, 100.0

    @property
    def caution(self) -> str | None:
        """Shared words are not shared meaning."""
        return OVERLAP_CAUTION


class Instructions(CheckSettings):
    """IFEval's instructions that stand with the question."""

    kind: Literal["ifeval"]
    strict: bool = True  # false: also without the first or last line, or Markdown's asterisks
    per: Literal["prompt", "instruction"] = "prompt"  # 1 where all are followed, or the share that is
    packages: ClassVar[tuple[str, ...]] = ("if_verifiable", "langdetect", "nltk", "punkt")


class OfQuestion(CheckSettings):
    """The share of passed checks among those that stand with the question (questions.checks_column)."""

    kind: Literal["of_question"]


class Function(CheckSettings):
    """A function of the user's own."""

    kind: Literal["python"]
    path: Text
    function: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    low: float = 0.0
    high: float = 1.0

    @field_validator("path")
    @classmethod
    def check_path(cls, path: str) -> str:
        """Only the folder that the stage depends on: DVC must see that a function changed."""
        parts = PurePosixPath(path).parts
        if parts[:1] != (FUNCTIONS_FOLDER,) or len(parts) < 2 or ".." in parts or not path.endswith(".py"):
            raise ValueError(f"name a file of the folder {FUNCTIONS_FOLDER}, such as {FUNCTIONS_FOLDER}/mine.py")
        return path

    @model_validator(mode="after")
    def check_range(self) -> Self:
        """A range has two ends."""
        if not self.low < self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}; low must be less than high")
        return self

    @property
    def range(self) -> tuple[float, float]:
        """As the user declares it."""
        return self.low, self.high
