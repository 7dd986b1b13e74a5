"""What comes from the environment or a .env file in the project's root: secrets, and the libraries' own variables."""

import os

from evaluation.errors import UserError
from evaluation.places import project_root
from evaluation.settings import check_address

OPENAI_LABEL = "openai"
OPENAI_KEY_VARIABLE = "OPENAI_API_KEY"


def load_secrets() -> None:
    """Adds the variables of .env to the environment; what is set there already wins."""
    path = project_root() / ".env"
    if path.is_file():  # a container's image may lack the library, and has no such file
        from dotenv import load_dotenv

        try:
            load_dotenv(path, override=False)
        except (OSError, UnicodeDecodeError):
            raise UserError(str(path), "it cannot be read as UTF-8 text", "save it as such, or remove it") from None


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


def secret(variable: str) -> str | None:
    """What an environment variable holds, None where it is empty or not set."""
    return os.environ.get(variable) or None
