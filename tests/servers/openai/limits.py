"""The rate limits of the local OpenAI server: buckets that fill continuously, as OpenAI describes its own."""

import math
from dataclasses import dataclass
from typing import Any, Literal


@dataclass
class Bucket:
    """So many units a minute, of which `burst_seconds` worth can be saved up."""

    per_minute: float
    burst_seconds: float = 60.0

    def __post_init__(self) -> None:
        self.capacity = max(1.0, self.per_minute * self.burst_seconds / 60)
        self._level, self._updated_at = self.capacity, -math.inf

    def level(self, now: float) -> float:
        """Gives what is left now."""
        if self._updated_at > -math.inf:
            self._level = min(self.capacity, self._level + (now - self._updated_at) * self.per_minute / 60)
        self._updated_at = now
        return self._level

    def seconds_until(self, units: float, now: float) -> float:
        """Gives when so many units are there; 0 when they are."""
        return max(0.0, (min(units, self.capacity) - self.level(now)) * 60 / self.per_minute)

    def take(self, units: float, now: float) -> None:
        """Takes units out."""
        self._level = self.level(now) - units


@dataclass
class Limits:
    """The limits of requests and tokens; a request is counted when it arrives, if it is let in."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burst_seconds: float = 60.0
    counted: Literal["room", "usage"] = "room"  # tokens of the prompt and max_tokens, as OpenAI; or of the real reply
    headers_stated: bool = True

    def __post_init__(self) -> None:
        self.buckets = {
            kind: Bucket(per_minute, self.burst_seconds)
            for kind, per_minute in (("requests", self.requests_per_minute), ("tokens", self.tokens_per_minute))
            if per_minute
        }

    def admit(self, body: dict[str, Any], usage: dict[str, int], now: float) -> float:
        """Counts a request, or gives the seconds that it should wait."""
        room = body.get("max_completion_tokens") or body.get("max_tokens") or 0
        tokens = usage["total_tokens"] if self.counted == "usage" else usage["prompt_tokens"] + room
        units = {"requests": 1.0, "tokens": float(tokens)}
        wait = max((bucket.seconds_until(units[kind], now) for kind, bucket in self.buckets.items()), default=0.0)
        if wait == 0:
            for kind, bucket in self.buckets.items():
                bucket.take(units[kind], now)
        return wait

    def headers(self, now: float) -> dict[str, str]:
        """Gives the x-ratelimit headers."""
        stated = {}
        for kind, bucket in self.buckets.items() if self.headers_stated else ():
            level = bucket.level(now)
            stated[f"x-ratelimit-limit-{kind}"] = f"{bucket.per_minute:.0f}"
            stated[f"x-ratelimit-remaining-{kind}"] = f"{max(0, math.floor(level))}"
            stated[f"x-ratelimit-reset-{kind}"] = f"{bucket.seconds_until(bucket.capacity, now):.3f}s"
        return stated
