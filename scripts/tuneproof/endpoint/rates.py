"""How fast requests may follow each other: by the limits that an endpoint states, and by what its refusals teach."""


class Allowance:
    """One limit of the endpoint (requests or tokens a minute), mirrored from what its replies say is left of it."""

    RESERVE = 0.02  # the share of the largest remainder seen that is left alone: clocks differ
    REPORTS_BETWEEN_LESSONS = 16

    def __init__(self, learns_charge: bool) -> None:
        """Takes whether the units spent are only estimated here (tokens), so that what they cost must be learned."""
        self.per_second: float | None = None
        self.spent = 0.0
        self._learns_charge = learns_charge
        self._charge = 1.0  # what the endpoint counts for one unit as estimated here
        self._capacity = self._level = self._updated_at = self._most_remaining = 0.0
        self._refused = 0.0
        self._reports, self._lesson = 0, (0.0, 0.0, 0.0)
        self._newest_report = float("-inf")

    def report(self, limit: float, remaining: float | None, sent_at: float, spent: float, now: float) -> None:
        """Takes what the reply to a request sent at `sent_at`, with `spent` units spent by then, says of the limit."""
        first = self.per_second is None
        self.per_second = limit / 60
        if remaining is None:
            self._capacity = max(1.0, self.per_second)
            self._updated_at = now if first else self._updated_at
            return
        self._capacity = limit
        self._most_remaining = max(self._most_remaining, remaining)
        if sent_at < self._newest_report:
            return
        self._newest_report = sent_at
        self._learn_charge(remaining, sent_at, spent)
        # Some count what is left when a request arrives, some when they reply: the lower of both readings holds.
        regained = (now - sent_at) * self.per_second
        self._level = min(remaining, remaining + regained - self._charge * (self.spent - spent))
        self._updated_at = now

    def seconds_until(self, units: float, now: float) -> float:
        """Gives how long to wait until so many units may be spent; 0 where no limit is known."""
        if not self.per_second:
            return 0.0
        wanted = min(units * self._charge + self.RESERVE * self._most_remaining, self._capacity)
        return max(0.0, (wanted - self._level_at(now)) / self.per_second)

    def spend(self, units: float, now: float) -> None:
        """Counts units as spent."""
        self.spent += units
        self._level = self._level_at(now) - units * self._charge
        self._updated_at = now

    def refused(self, units: float) -> None:
        """Takes back units whose request was refused: the endpoint did not count them."""
        self._refused += units

    def _level_at(self, now: float) -> float:
        return min(self._capacity, self._level + (now - self._updated_at) * (self.per_second or 0.0))

    def _learn_charge(self, remaining: float, sent_at: float, spent: float) -> None:
        """Compares what the endpoint counted since the last lesson with what was estimated.

        Only a limit that binds tells: a full bucket gains nothing, and what it did not gain would look spent.
        """
        self._reports += 1
        if not self._learns_charge or self._reports % self.REPORTS_BETWEEN_LESSONS:
            return
        then_remaining, then_sent_at, then_passed = self._lesson
        passed = spent - self._refused
        self._lesson = (remaining, sent_at, passed)
        counted = then_remaining - remaining + (sent_at - then_sent_at) * (self.per_second or 0.0)
        binds = max(remaining, then_remaining) < self._most_remaining / 2
        lesson = counted / (passed - then_passed) if binds and passed > then_passed else 0.8 * self._charge
        self._charge = min(4.0, max(0.02, (self._charge + lesson) / 2))


class Rate:
    """The rate that refusals teach where the stated limits do not: requests a second, or None while none is needed."""

    REVIEW_SECONDS = 1.0
    REVIEW_REQUESTS = 50
    CALM_REQUESTS, CALM_SECONDS = 10, 5.0  # without any refusal, what it takes to speed up
    CATCH_UP_SECONDS = 0.05  # how late a request may be and the next still follow on time
    LOW, HIGH, ALARMING = 0.02, 0.08, 0.20  # shares of refusals: speed up below, slow down above, begin to limit above

    def __init__(self) -> None:
        self.per_second: float | None = None
        self._next_at = self._since = 0.0
        self._begun = False
        self._sent = self._refused = self._calm_reviews = 0
        self._held_back = False
        self._earlier_since, self._earlier_accepted = 0.0, 0

    @property
    def accepted(self) -> int:
        """How many requests since the review before the last one were not refused, as far as is known."""
        return self._earlier_accepted + self._sent - self._refused

    def go_on(self, now: float, learn: bool) -> None:
        """Goes on after a pause, with the rate that was accepted before it and in it, or with the same as before."""
        if learn:
            self.per_second = max(1, self.accepted) / max(now - self._earlier_since, 0.1)
        self._count_from(now, self.per_second)
        self._earlier_since, self._earlier_accepted = now, 0

    def _count_from(self, now: float, per_second: float | None) -> None:
        # A refusal may come late, for a request sent before: two stretches together tell the rate better than one.
        self._earlier_since, self._earlier_accepted = self._since, self._sent - self._refused
        self.per_second, self._since = per_second, now
        self._sent = self._refused = 0
        self._held_back = False

    def seconds_until_next(self, now: float) -> float:
        """Gives how long the next request has to wait."""
        if self.per_second is None or self._next_at <= now:
            return 0.0
        self._held_back = True
        return self._next_at - now

    def sent(self, now: float) -> None:
        """Counts a request."""
        if not self._begun:
            self._begun, self._since, self._earlier_since = True, now, now
        self._sent += 1
        if self.per_second is not None:
            self._next_at = max(self._next_at, now - self.CATCH_UP_SECONDS) + 1 / self.per_second

    def refused(self) -> None:
        """Counts a refusal."""
        self._refused += 1

    def review(self, now: float) -> None:
        """Adapts the rate to the share of refusals, once enough was sent to tell."""
        seconds = now - self._since
        if self._refused == 0:
            enough = self._sent >= self.CALM_REQUESTS or seconds >= self.CALM_SECONDS
        else:
            enough = self._sent >= self.REVIEW_REQUESTS or self._refused > self.ALARMING * self._sent > 3
        if not enough or not self._sent or seconds < self.REVIEW_SECONDS:
            return
        share = self._refused / self._sent
        rate = self.per_second
        if share > (self.HIGH if rate else self.ALARMING):
            self._calm_reviews = 0
            rate = 1.05 * max(1, self._sent - self._refused) / seconds
        elif rate and share <= self.LOW:
            rate = rate * (1 + min(1.0, 0.04 * 2**self._calm_reviews)) if self._held_back else None
            self._calm_reviews += 1
        self._count_from(now, rate)
