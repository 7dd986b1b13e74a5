"""The Batch API of an endpoint: its client, the file of requests that it takes, and what it says of a batch."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneproof.common.errors import UserError, one_line, warn
from tuneproof.endpoint.access import Access
from tuneproof.endpoint.protocol import Completion, completion_of, encoded, error_of, parsed, wants_newer_name
from tuneproof.settings.base import API_VERSION

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch

REQUESTS_PER_BATCH = 50_000  # the API's limit for one input file; that in bytes is 200 million
BYTES_PER_BATCH = 50_000_000
API_RETRIES = 5
MARK = "judging"  # the key in a batch's metadata under which the hash of its replies' keys stands
OK, BAD_REQUEST, NOT_FOUND = 200, 400, 404


@dataclass
class InputFile:
    """The requests of one batch."""

    keys: list[str] = field(default_factory=list)
    lines: bytearray = field(default_factory=bytearray)

    def add(self, key: str, body: dict[str, Any]) -> None:
        """Adds a request, under the key of its reply."""
        line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
        self.lines += encoded(line) + b"\n"
        self.keys.append(key)

    @property
    def full(self) -> bool:
        """Whether the file holds as much as the API takes."""
        return len(self.keys) >= REQUESTS_PER_BATCH or len(self.lines) >= BYTES_PER_BATCH


@contextmanager
def api(access: Access) -> Iterator["OpenAI"]:
    """A client for the few calls that batches need. Raises a UserError for what the endpoint does not answer well."""
    import openai

    client = openai.OpenAI(
        base_url=access.base_url,
        api_key=access.api_key or "none",
        max_retries=API_RETRIES,
        timeout=600,
        default_query={API_VERSION: access.api_version} if access.api_version else None,
        default_headers={"api-key": access.api_key} if access.api_version and access.api_key else None,
    )
    try:
        yield client
    except openai.APIStatusError as error:
        found = f"its Batch API answered {error.status_code}: {one_line(error.message, secret=access.api_key)}"
        remedy = (
            "set execution.judge.transport: direct" if error.status_code == NOT_FOUND else "mend this, then run again"
        )
        raise UserError(access.label, found, remedy) from None
    except openai.APIConnectionError as error:
        found = f"its Batch API cannot be reached ({one_line(str(error), secret=access.api_key)})"
        raise UserError(access.label, found, "run again: batches under way are not submitted again") from None
    finally:
        client.close()


def marked(batch: "Batch", mark: str) -> bool:
    """Whether a batch holds just these requests, and has not ended without them."""
    return (batch.metadata or {}).get(MARK) == mark and batch.status not in ("failed", "cancelled", "expired")


@dataclass(frozen=True)
class Failure:
    """Why a request of a batch got no reply: the HTTP status, and the API's message and code where it gave them."""

    status: int | None
    message: str
    code: str | None

    @property
    def wants_newer_name(self) -> bool:
        """Whether the model knows max_tokens under its newer name only."""
        return wants_newer_name(self.message, self.code)


def outcomes(client: "OpenAI", batch: "Batch") -> Iterator[tuple[str, Completion | Failure]]:
    """What became of each request that a batch has dealt with, with the key of its reply."""
    for file in filter(None, (batch.output_file_id, batch.error_file_id)):
        for line in client.files.content(file).content.split(b"\n"):
            found = parsed(line)
            if isinstance(found, dict) and "custom_id" in found:
                yield str(found["custom_id"]), outcome_of(found)
            elif line.strip():
                shown = one_line(line.decode(errors="replace"), 80)
                warn(f"batch {batch.id}: a line of its output is no outcome of a request: {shown}")


def outcome_of(line: dict[str, Any]) -> Completion | Failure:
    """Reads one line of a batch's output."""
    response = line.get("response")
    answer: dict[str, Any] = response if isinstance(response, dict) else {}
    body, status = answer.get("body") or line.get("error") or {}, answer.get("status_code")
    text = json.dumps(body)
    completion = completion_of(body, text) if status == OK else None
    return completion or Failure(status, *error_of(text.encode()))


def reason_of(batch: "Batch") -> str:
    """Why a batch brought less than it should."""
    errors = [error.message or error.code or "" for error in (batch.errors.data or [])] if batch.errors else []
    return f"{batch.status}: {errors[0]}" if errors else batch.status
