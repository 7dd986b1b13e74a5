"""What Prometheus reads: how many, how fast, how full. No text and no name from a request is ever a label."""

from typing import Any

from tuneproof.scoring.serving.work import BoundedWork

SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
PROBABILITIES = tuple(place / 10 for place in range(1, 11))


class Metrics:
    """The service's counters, in a registry of its own (https://prometheus.github.io/client_python/)."""

    def __init__(self, work: BoundedWork) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        here: Any = {"registry": self._registry, "namespace": "tuneproof"}
        self.requests = Counter("requests", "Requests answered, by path and status", ["path", "status"], **here)
        self.seconds = Histogram("score_seconds", "From a whole request to its scores", buckets=SECONDS, **here)
        self.items = Counter("items", "Answers scored, by evaluator and whether they passed", ["evaluator", "passed"],
                             **here)  # fmt: skip
        self.probability = Histogram("probability", "Probabilities given, by evaluator", ["evaluator"],
                                     buckets=PROBABILITIES, **here)  # fmt: skip
        self.timed_out = Counter("timed_out", "Requests whose time ran out", **here)
        inside = Gauge("work_inside", "Requests that are worked on or wait", **here)
        inside.set_function(lambda: work.inside)

    def text(self) -> bytes:
        """The counters in Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)
