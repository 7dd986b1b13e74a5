"""What comes from the environment or a .env file in the project's root: secrets, and the libraries' own variables."""

import os

from tuneproof.common.errors import UserError
from tuneproof.common.places import project_root


def load_secrets() -> None:
    """Adds the variables of .env to the environment; what is set there already wins."""
    path = project_root() / ".env"
    if path.is_file():  # a container's image may lack the library, and has no such file
        from dotenv import load_dotenv

        try:
            load_dotenv(path, override=False)
        except (OSError, UnicodeDecodeError):
            raise UserError(str(path), "it cannot be read as UTF-8 text", "save it as such, or remove it") from None


def secret(variable: str) -> str | None:
    """What an environment variable holds, None where it is empty or not set."""
    return os.environ.get(variable) or None
