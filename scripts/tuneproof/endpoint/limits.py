"""What an endpoint's replies say of its rate limits, in their headers and in the text of a refusal."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[dhms]))+|\d{1,9}(?:\.\d{1,9})?")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms]|)")
_TRY_AGAIN = re.compile(
    r"(?:try again in|retry after) ((?:\d{1,9}(?:\.\d{1,9})?(?:ms|[dhms]))+|\d{1,9}(?:\.\d{1,9})?(?= seconds?))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LimitHeaders:
    """The x-ratelimit headers of one reply: what is allowed a minute and what of it is left; None where not stated.

    https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
    """

    requests: float | None
    requests_remaining: float | None
    tokens: float | None
    tokens_remaining: float | None

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> "LimitHeaders":
        """Reads the headers, whose names are in lower case or looked up without regard to it."""
        kinds = ("limit-requests", "remaining-requests", "limit-tokens", "remaining-tokens")
        return cls(*(_number(headers.get(f"x-ratelimit-{kind}")) for kind in kinds))


def duration_seconds(text: str | None) -> float | None:
    """Reads a duration as APIs write it; None when it is none.

    >>> [duration_seconds(text) for text in ("1s", "6m0s", "120ms", "1h2m3.5s", "20", "0.5", "soon", "-1", None)]
    [1.0, 360.0, 0.12, 3723.5, 20.0, 0.5, None, None, None]
    """
    if text is None or not _DURATION.fullmatch(text.strip()):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def stated_wait_seconds(headers: Mapping[str, str], message: str) -> float | None:
    """Gives how long a refusal asks to wait, or None when it does not say.

    In this order: retry-after-ms, Retry-After (seconds or a date), "try again in 1.2s" in the message.

    >>> stated_wait_seconds({"retry-after": "2"}, "")
    2.0
    >>> stated_wait_seconds({}, "Rate limit reached. Please try again in 20ms. Visit ...")
    0.02
    >>> stated_wait_seconds({}, "Requests have exceeded the rate limit. Please retry after 6 seconds.")
    6.0
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    stated = _retry_after(headers.get("retry-after"))
    return _try_again(message) if stated is None else stated


def reset_seconds(headers: Mapping[str, str]) -> float | None:
    """Gives when a limit of which nothing is left will be full again: waiting longer than that is never needed.

    >>> reset_seconds({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"})
    60.0
    """
    resets = [
        duration_seconds(headers.get(f"x-ratelimit-reset-{kind}"))
        for kind in ("requests", "tokens")
        if _number(headers.get(f"x-ratelimit-remaining-{kind}")) == 0
    ]
    return max((reset for reset in resets if reset is not None), default=None)


def _retry_after(text: str | None) -> float | None:
    seconds = duration_seconds(text)
    if text is None or seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _try_again(message: str) -> float | None:
    found = _TRY_AGAIN.search(message)
    return duration_seconds(found.group(1)) if found else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
