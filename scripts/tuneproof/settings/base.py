"""What every section of params.yaml shares: frozen, strict, helpful about misspelt keys, and no secrets."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from tuneproof.records.keys import canonical_json

Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]
Concurrency = Annotated[int, Field(gt=0, le=10_000)]  # more sockets than a process may open by default
Share = Annotated[float, Field(ge=0, le=1)]


API_VERSION = "api-version"  # what Azure wants in the query of every request


def as_tuple(value: object) -> object:
    """A YAML list as a tuple, so that frozen settings hold nothing that can change."""
    return tuple(value) if isinstance(value, list) else value


def has_valid_port(parts: SplitResult) -> bool:
    """Whether an address's port, if any, is one."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def check_address(url: str) -> str:
    """An endpoint's address without credentials or query, because addresses are recorded and shown."""
    url = url.strip().rstrip("/")
    if not is_address(url):
        raise ValueError("it is not an http(s) address, such as http://localhost:8000/v1")
    parts = urlsplit(url)
    if API_VERSION in parts.query:
        raise ValueError(f"it holds a query; what stands after ?{API_VERSION}= belongs into the setting api_version")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("it holds credentials or a query; keys belong into the environment or .env")
    return url


def is_address(url: str) -> bool:
    """Whether a URL has a host that can be asked over http(s)."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
    except ValueError:  # brackets without an IPv6 address; a label that is empty or too long
        return False
    return bool(parts.scheme in ("http", "https") and parts.hostname and has_valid_port(parts) and url.isprintable())


KEY_PREFIXES = ("sk-", "sk_", "hf_", "ghp_", "AKIA")
LIKE_A_KEY = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+/=-]{20,}", re.ASCII)


def shown_name(name: object) -> str:
    """A name from params.yaml as a message may show it: a key that was pasted in its place is never shown."""
    text = str(name)
    if text.startswith(KEY_PREFIXES) or LIKE_A_KEY.fullmatch(text):
        return "(not shown: it looks like a key, which belongs into the environment or .env)"
    return f"'{text[:40]}'"


def check_key_variable(name: str) -> str:
    """The name of an environment variable; a key pasted in its place is refused without being shown."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
        raise ValueError("it is the name of an environment variable, such as MY_JUDGE_KEY, and never the key itself")
    return name


def check_extra(what: str, values: dict[str, Any], own: Mapping[str, str | None]) -> dict[str, Any]:
    """What is passed on as it stands. Raises a ValueError for what fits in no key, or has a setting in `own`.

    `own` maps a name to the setting to use instead, None where it is not the user's to set.
    """
    try:
        canonical_json(values)
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be texts, finite numbers, true, false, null, lists or sections") from None
    for name in values:
        plain = str(name).lstrip("-").replace("-", "_")
        if plain in own:
            instead = own[plain]
            raise ValueError(f"'{plain}' is not allowed here" + (f"; set {instead}" if instead else ""))
    return values


Text = Annotated[str, Field(min_length=1)]
Strings = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(as_tuple)]
Address = Annotated[str, BeforeValidator(lambda value: check_address(value) if isinstance(value, str) else value)]

KeyVariable = Annotated[str, AfterValidator(check_key_variable)]


def nearest(name: str, known: Collection[str]) -> str:
    """What may have been meant by a name that is unknown."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known) or 'none'}"


ApiVersion = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")]


class Settings(BaseModel):
    """Base of every section: frozen, strict about types, and helpful about misspelt keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def refuse_unknown_keys(cls, values: object) -> object:
        """Names the nearest known setting for one that is unknown."""
        if isinstance(values, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in values:
                if key not in known:
                    raise ValueError(f"there is no setting {shown_name(key)}; {nearest(str(key), known)}")
        return values


PLAIN_WORDS = {  # pydantic's type of a complaint -> what is meant in YAML
    "tuple_type": "input should be a list, such as [a, b]",
    "dict_type": "input should be a section of settings",
    "model_type": "input should be a section of settings",
}


def first_problem(error: ValidationError) -> tuple[str, str]:
    """The place and the message of the first of pydantic's complaints."""
    first = error.errors(include_url=False, include_context=False)[0]
    message = PLAIN_WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
    if first["type"] == "int_type" and isinstance(first["input"], float) and first["input"].is_integer():
        message += f", write {int(first['input'])}"  # 1e3 and 1000.0 are none to YAML
    return ".".join(str(part) for part in first["loc"]), message[:1].lower() + message[1:]
