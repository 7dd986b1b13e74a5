"""Writing to the Hub: who may, and what its refusals mean."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from tuneproof.common.errors import OutOfReachError, UserError, one_line
from tuneproof.sources.hub.calls import PASSING_STATUSES, UnreachableError, ask, hub_host

if TYPE_CHECKING:
    pass


TOKEN_REMEDY = "set HF_TOKEN to a token with write access from huggingface.co/settings/tokens"  # noqa: S105 (advice, no token)


Result = TypeVar("Result")


def check_writer(workspace: str, token: str) -> None:
    """Raises a UserError unless the token's account may write in the workspace, as far as the Hub says beforehand."""
    from huggingface_hub import HfApi

    account = asked(lambda: HfApi(token=token).whoami(), "HF_TOKEN", token)
    names = [str(account.get("name")), *(str(each.get("name")) for each in account.get("orgs") or ())]
    if workspace not in names:
        known = one_line(", ".join(names), secret=token)
        remedy = "correct `publish.workspace`, or use a token of its owner"
        found = f"the token's account has no such user or organisation, only {known}"
        raise UserError(f"workspace {workspace}", found, remedy)
    access = (account.get("auth") or {}).get("accessToken") or {}
    if access.get("role") == "read":
        raise UserError("HF_TOKEN", "this token may only read", TOKEN_REMEDY)


def asked(call: Callable[[], Result], where: str, token: str) -> Result:
    """Asks the Hub something. Raises a UserError, an OutOfReachError where it does not answer."""
    try:
        return ask(call, where, "main", token)
    except UnreachableError as error:
        raise OutOfReachError(where, str(error), "try again later") from None


@contextmanager
def writing(where: str, token: str) -> Iterator[None]:
    """Says what a refused or broken-off write means. Nothing is visible on the Hub before its one commit is whole."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # another package before release 2

    try:
        yield
    except HfHubHTTPError as error:
        status, said = error.response.status_code, one_line(error.server_message or "no reason given", secret=token)
        if status in (401, 402, 403, 404):
            raise UserError(where, f"the Hub refuses the write: {status} ({said})", TOKEN_REMEDY) from None
        if status in (409, 412):
            found = f"it changed on the Hub while this ran ({said})"
            raise UserError(where, found, "run this again") from None
        kind = OutOfReachError if status in PASSING_STATUSES else UserError
        raise kind(where, f"{hub_host()} answers {status} ({said})", "run this again later") from None
    except (httpx.HTTPError, RuntimeError, OSError, ValueError) as error:
        reason = one_line(str(error.__cause__ or error) or type(error).__name__, secret=token)
        remedy = "run this again; what was sent is kept, and what lies on the Hub is as it was"
        raise UserError(where, f"the upload broke off ({reason})", remedy) from None
