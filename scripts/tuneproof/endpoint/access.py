"""Which judges are asked, where, and whose key each of them gets."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tuneproof.common.environment import secret
from tuneproof.common.errors import UserError, one_line
from tuneproof.records.keys import canonical_json
from tuneproof.settings.base import check_address
from tuneproof.settings.evidence.judging import ASK_ONCE, Judge
from tuneproof.settings.execution import JudgeExecution

OPENAI_HOST = "api.openai.com"


@dataclass(frozen=True)
class Access:
    """One judge: its model, the address to ask (None: OpenAI), the label that stands for the address in keys.

    `key_variable` names the environment variable with the endpoint's key, None where no key is sent.
    """

    model: str
    base_url: str | None
    label: str
    key_variable: str | None
    needs_key: bool
    api_version: str | None = None
    extra: str = "{}"  # what is sent besides the settings, as canonical JSON

    @property
    def missing_key(self) -> str | None:
        """The variable that must hold a key and does not."""
        return self.key_variable if self.needs_key and not self.api_key else None

    @property
    def api_key(self) -> str | None:
        """The key for this judge's endpoint, None where there is none."""
        return secret(self.key_variable) if self.key_variable else None


def panel_of(judge: Judge, execution: JudgeExecution) -> tuple[Access, ...]:
    """Every judge that is asked, the one of `judge.model` first.

    A key is sent where it belongs only: OPENAI_API_KEY to the endpoint of `judge.base_url` and to OpenAI, any other
    judge gets the key that `key_variables` names for its endpoint, or that of the first judge when it is at the
    same address.

    Raises a UserError for judges that OPENAI_BASE_URL makes the same: they share their replies in the ledger.
    """
    first_address = endpoint_address(judge.base_url)
    first_variable = execution.key_variable or OPENAI_KEY_VARIABLE
    first = judge.first
    panel = []
    for one in (first, *judge.panel):
        address = endpoint_address(one.base_url)
        variable = execution.key_variable if one is first else execution.key_variables.get(one.endpoint)
        if variable is None and address == first_address:
            variable = first_variable
        elif variable is None and is_openai(address):
            variable = OPENAI_KEY_VARIABLE
        needs_key = variable is not None and (variable != OPENAI_KEY_VARIABLE or is_openai(address))
        label = endpoint_label(one.base_url, one.served_as)
        extra = canonical_json(one.extra_body)
        panel.append(Access(one.model, address, label, variable, needs_key, one.api_version, extra))
    asked = [(one.model, one.label) for one in panel]
    for model, label in asked:
        if asked.count((model, label)) > 1:
            found = f"{one_line(model)} at {one_line(label)} is asked twice"
            raise UserError("judge.panel", found, ASK_ONCE)
    return tuple(panel)


def is_openai(address: str | None) -> bool:
    """Whether an address is OpenAI's own."""
    return address is None or urlsplit(address).hostname == OPENAI_HOST


def missing_judge_keys(judge: Judge, execution: JudgeExecution) -> Iterator[str]:
    """The variables that hold no key although a judge needs it, each once."""
    if judge.backend == "openai":
        yield from dict.fromkeys(name for one in panel_of(judge, execution) if (name := one.missing_key))


def require_keys(judge: Judge, execution: JudgeExecution) -> None:
    """Raises a UserError where a judge's key is missing."""
    for name in missing_judge_keys(judge, execution):
        remedy = f"set {name} in the environment or in .env"
        if name == OPENAI_KEY_VARIABLE:
            remedy += ", or judge.base_url to your own endpoint"
        raise UserError("judge", f"there is no {name}", remedy)


OPENAI_LABEL = "openai"


OPENAI_KEY_VARIABLE = "OPENAI_API_KEY"


def endpoint_address(base_url: str | None) -> str | None:
    """The address to ask: the one of params.yaml, else OPENAI_BASE_URL, else None for OpenAI itself."""
    address = base_url or os.environ.get("OPENAI_BASE_URL")
    try:
        return check_address(address) if address else None
    except ValueError as error:
        where, place = ("base_url", "params.yaml") if base_url else ("OPENAI_BASE_URL", "the environment or .env")
        raise UserError(where, str(error), f"correct it in {place}") from None


def endpoint_label(base_url: str | None, served_as: str | None) -> str:
    """What stands for an endpoint in keys and reports."""
    return served_as or endpoint_address(base_url) or OPENAI_LABEL
