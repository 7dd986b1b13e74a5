"""What the answers of the Hugging Face Hub mean: try again, take the fallback, or stop and say what to do."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tuneproof.common.errors import UserError, one_line

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

RETRY_DELAYS_SECONDS = (1.0, 4.0)
MAX_RETRY_DELAY_SECONDS = 30.0  # a server may ask for minutes; a person waits for validate
PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
# Hubs that gave no answer: a laptop without a network should not wait for every model anew.
_silent: set[str] = set()

Result = TypeVar("Result")


class NotThereError(UserError):
    """The repository is not on the Hub, or is hidden: the one case that a fallback is for."""


class UnreachableError(Exception):
    """The Hub gave no answer, also not after the retries."""


def usable_token(token: str | None = None) -> str | None:
    """The token to show to the Hub: the one given, else HF_TOKEN or a saved login, else None.

    Raises a UserError for one that cannot be a token, which a client could only stumble over.
    """
    from huggingface_hub import get_token

    token = token or get_token()
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        remedy = "copy it again from huggingface.co/settings/tokens"
        raise UserError("HF_TOKEN", "it holds characters that no token has", remedy)
    return token


def ask(call: Callable[[], Result], where: str, revision: str, token: str | None) -> Result:
    """Calls the Hub, again after a while where that may help. Raises a UserError or UnreachableError.

    A Hub that was out of reach a moment ago is called once.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # another package before release 2

    for delay_seconds in (None,) if constants.ENDPOINT in _silent else (*RETRY_DELAYS_SECONDS, None):
        try:
            answer = call()
        except OfflineModeIsEnabled:
            raise UnreachableError("HF_HUB_OFFLINE forbids asking the Hub") from None
        except HfHubHTTPError as error:
            if error.response.status_code not in PASSING_STATUSES:
                raise explained(error, where, revision, token) from None
            reason = f"{hub_host()} answers {error.response.status_code}"
            asked_seconds = _retry_after_seconds(error.response.headers.get("Retry-After"))
        except HFValidationError:
            found = "this is neither the id of a repository nor a path that exists"
            raise UserError(where, found, "write owner/name as on the Hub, or the path of a folder or file") from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            remedy = "write HF_ENDPOINT as https://host, or unset it"
            raise UserError("HF_ENDPOINT", "this is no address of a web server", remedy) from None
        except httpx.TransportError as error:
            reason = f"{hub_host()} cannot be reached ({one_line(str(error) or type(error).__name__, secret=token)})"
            asked_seconds = 0.0
        except (httpx.RequestError, ValueError, KeyError, TypeError):
            remedy = "check HF_ENDPOINT and any proxy between here and the Hub"
            raise UserError(where, f"{hub_host()} does not answer as the Hub does", remedy) from None
        else:
            _silent.discard(constants.ENDPOINT)
            return answer
        if delay_seconds is not None:
            time.sleep(min(max(delay_seconds, asked_seconds), MAX_RETRY_DELAY_SECONDS))
    _silent.add(constants.ENDPOINT)
    raise UnreachableError(reason)


def hub_host() -> str:
    """The host that the client asks, without credentials or path."""
    from huggingface_hub import constants

    return urlsplit(constants.ENDPOINT).hostname or "the Hub"


def _retry_after_seconds(value: str | None) -> float:
    return float(value) if value is not None and value.isdecimal() else 0.0


def explained(error: "HfHubHTTPError", where: str, revision: str, token: str | None) -> UserError:
    """What a refusal by the Hub means and what to do; only NotThereError may lead to a fallback."""
    from huggingface_hub.errors import (
        DisabledRepoError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    status = error.response.status_code
    if isinstance(error, GatedRepoError):  # first: the client makes it a RepositoryNotFoundError
        found = "it is gated, and this token has no access" if token else "it is gated, and no token is set"
        remedy = "accept its terms on its page on the Hub and set HF_TOKEN to a token of that account"
        return UserError(where, found, remedy)
    # The Hub answers 401 for a hidden repository only to those who show no token, so with one it is the token itself.
    if status == 401 and token:
        remedy = "set HF_TOKEN to a valid token from huggingface.co/settings/tokens, or unset it"
        return UserError(where, "the Hub refuses the token (wrong, revoked or expired)", remedy)
    if isinstance(error, RepositoryNotFoundError):
        cause = "or it is private and the token may not read it" if token else "or it is private and no token is set"
        remedy = "correct the id, set HF_TOKEN to a token that may read it, or name a fallback"
        return NotThereError(where, f"it is not on the Hub, {cause}", remedy)
    if isinstance(error, RevisionNotFoundError):
        remedy = "correct `revision` to a branch, tag or commit that is there"
        return UserError(where, f"it has no revision {one_line(revision)}", remedy)
    if isinstance(error, DisabledRepoError):
        return UserError(where, "the Hub has disabled it", "choose another repository")
    said = one_line(error.server_message or "no reason given", secret=token)
    if status == 403:
        remedy = "use a token with read access (a fine-grained token names each repository)"
        return UserError(where, f"the token may not read it ({said})", remedy)
    return UserError(where, f"{hub_host()} answers {status} ({said})", "check the id and HF_ENDPOINT")
