"""The section of params.yaml that says what a judge must show before it scores: admission."""

from typing import Literal

from tuneproof.settings.base import NotNegative, Positive, Settings, Share, Text

LABELS = "labels"  # in place of a file: people's labels of this run's answers
PEOPLE = "people"  # in place of a bar: what the graders reach among themselves


class Admission(Settings):
    """What the judge is asked before it scores, and the bars that it must reach; off without `questions`.

    A bar that is None is not held, and what it is about is not asked. `injections` is a bar from above: the share of
    attacked answers that may score higher for it. `round` is raised to ask everything anew.
    """

    questions: Text | None = None
    limit: Positive = 100
    weighted_kappa: Share | Literal["people"] = 0.4
    consistency: Share | None = 0.7
    repeat: Share | None = 0.5
    injections: Share | None = 0.1
    lengths: bool = True
    round: NotNegative = 0
    on_failure: Literal["stop", "warn"] = "stop"

    @property
    def from_file(self) -> bool:
        """Whether the graded answers stand in a file."""
        return self.questions not in (None, LABELS)
