"""The embedded judge: a trained evaluator for each criterion, which scores an answer without a key or a network.

It is demonstration material and no stand-in for a real judge: `data/embedded/README.md` says what it was trained on,
how well it agrees with the people who graded, and what it cannot see.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tuneproof.common.errors import UserError
from tuneproof.scoring.embedded.evaluators import Scores
from tuneproof.scoring.evaluator.contract import Scored
from tuneproof.scoring.evaluator.decisions import DECIMALS
from tuneproof.scoring.evaluator.loading import Evaluator, load
from tuneproof.settings.worlds import EMBEDDED_CRITERIA

PREFERENCE_FILE = "preference.json"
REMEDY = "restore it from Git, or make it with `make embedded-judge`"


@dataclass(frozen=True)
class EmbeddedJudge:
    """The judge as read from its folder: an evaluator for each criterion, and what their scores are worth in a pair."""

    evaluators: dict[str, Evaluator]
    preference_slope: float  # log-odds of the better answer per point of summed score difference
    takes_turns: ClassVar[bool] = True

    @property
    def criteria(self) -> tuple[str, ...]:
        """The names of the criteria that it scores."""
        return tuple(self.evaluators)

    def score(self, instruction: str, reference: str | None, answer: str) -> dict[str, Scored]:
        """Scores one answer on every criterion; without a reference, much less surely."""
        return {
            criterion: evaluator.score(input=instruction, output=answer, ground_truth=reference)
            for criterion, evaluator in self.evaluators.items()
        }

    def preference(self, instruction: str, reference: str | None, first: str, second: str) -> float:
        """How surely the first answer is the better one, 0 to 1, from both answers' scores; 0.5 when they are equal.

        Exchanging the answers gives exactly 1 minus the preference: this judge knows no order.
        """
        scores = [self.score(instruction, reference, answer) for answer in (first, second)]
        return self.prefers(scores[0], scores[1])

    def prefers(self, first: Scores, second: Scores) -> float:
        """The same from scores that are known already."""
        difference = round(total(first) - total(second), DECIMALS)
        higher = round(1 / (1 + math.exp(-self.preference_slope * abs(difference))), DECIMALS)
        return higher if difference >= 0 else 1 - higher


def total(scored: Scores) -> float:
    """An answer's summed scores."""
    return math.fsum(one.score for one in scored.values() if one.score is not None)


def load_judge(folder: Path) -> EmbeddedJudge:
    """Reads the judge from its folder. Raises a UserError where a part of it is missing or broken."""
    path = folder / PREFERENCE_FILE
    try:
        slope = float(json.loads(path.read_bytes())["slope"])
    except OSError as error:
        raise UserError(str(path), f"the embedded judge cannot be read ({error.strerror})", REMEDY) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(str(path), "the file is not the embedded judge's", REMEDY) from error
    return EmbeddedJudge({criterion: load(folder / criterion) for criterion in EMBEDDED_CRITERIA}, slope)
