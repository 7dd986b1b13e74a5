"""What goes wrong on the local OpenAI server, and when: decided by the request's body and how often it was seen."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

WaitHeaders = Literal["retry-after", "retry-after-ms", "x-ratelimit", "message", "none"]

TRANSPORT_FAULTS = (
    "429",  # refused for its rate
    "500",
    "503",
    "dropped",  # the connection is closed before any answer
    "cut",  # the connection is closed in the middle of the answer
    "hanging",  # no answer comes
    "html",  # 200 and a web page
    "error_body",  # 200, but the body is an error
)
CONTENT_FAULTS = (
    "malformed",  # JSON with an error in it
    "truncated",  # JSON that ends in the middle, finish_reason length
    "refusal",  # message.refusal
    "off_scale",  # every number is 99
    "empty",  # no content
    "twice",  # two different JSON objects
    "prose",  # no JSON at all
)
BODY_FAULTS = (  # 200 and paid for, with something in the body that no client expects
    "invalid_body",  # JSON that is cut off
    "no_choices",
    "odd_usage",  # `usage: [1]`
    "odd_byte",  # one that is no UTF-8
    "null_part",  # among the parts of the content
)
ALL_FAULTS = TRANSPORT_FAULTS + CONTENT_FAULTS + BODY_FAULTS


def canonical(body: Any) -> str:
    """Gives the name under which requests with this body are counted."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


def share_of(*parts: object) -> float:
    """Draws a number from 0 to 1 that depends on the parts alone."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


@dataclass(frozen=True)
class Faults:
    """The shares of requests that meet each fault; `stuck` faults meet a body every time, `shares` now and then."""

    shares: Mapping[str, float] = field(default_factory=dict)
    stuck: Mapping[str, float] = field(default_factory=dict)
    outage_seconds: tuple[float, float] | None = None  # from the first request on; everything is a 429
    quota_after: int | None = None  # so many replies, then 429 insufficient_quota
    status: int | None = None  # every request is answered with this status
    message: str | None = None  # what such an answer says
    wait_headers: WaitHeaders = "retry-after"
    wait_seconds: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = {*self.shares, *self.stuck} - set(ALL_FAULTS)
        if unknown:
            raise ValueError(f"no such faults: {sorted(unknown)}")

    def pick(self, name: str, seen: int) -> str | None:
        """Gives the fault that a body meets the `seen`-th time, or None."""
        return self._drawn(self.stuck, share_of(self.seed, "stuck", name)) or self._drawn(
            self.shares, share_of(self.seed, name, seen)
        )

    def is_outage(self, seconds: float) -> bool:
        """Tells whether everything is refused so many seconds after the first request."""
        return self.outage_seconds is not None and self.outage_seconds[0] <= seconds < self.outage_seconds[1]

    @staticmethod
    def _drawn(shares: Mapping[str, float], drawn: float) -> str | None:
        for fault, share in shares.items():
            if drawn < share:
                return fault
            drawn -= share
        return None


def wait_stated(style: WaitHeaders, seconds: float) -> tuple[dict[str, str], str]:
    """Gives the headers and the message by which a refusal says how long to wait."""
    headers = {
        "retry-after": {"Retry-After": f"{seconds:.3f}".rstrip("0").rstrip(".")},
        "retry-after-ms": {"retry-after-ms": f"{seconds * 1000:.0f}"},
        "x-ratelimit": {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": f"{seconds * 1000:.0f}ms"},
    }.get(style, {})
    message = "Rate limit reached for requests."
    return headers, message + (f" Please try again in {seconds * 1000:.0f}ms." if style == "message" else "")
