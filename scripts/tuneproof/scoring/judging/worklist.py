"""What of a stage is recorded and what is missing, found in one pass over its cases."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Self

from tuneproof.scoring.judging.buying.quotes import Tally
from tuneproof.scoring.judging.cases import AnyCase, Stage
from tuneproof.scoring.judging.chains import Asking


@dataclass(frozen=True)
class Worklist(Generic[AnyCase]):
    """Which cases of a stage lack replies, and how much is recorded and missing.

    No text is kept: a hundred thousand positions take less than a megabyte, and each case can be made anew.
    """

    asking: Asking
    stage: Stage[AnyCase]
    positions: Sequence[int]  # of the cases that lack replies, in order
    tallies: dict[str, Tally]  # by judge

    @classmethod
    def of(cls, asking: Asking, stage: Stage[AnyCase]) -> Self:
        """Counts a stage. Raises a UserError as its cases do."""
        positions, tallies = array("Q"), {one.model: Tally(len(asking.criteria)) for one in asking.panel}
        for position, (_, chains) in enumerate(asking.recorded(stage.cases())):
            for chain in chains:
                model = chain.access.model
                tallies[model].add(chain, asking.execution.prices.get(model), asking.judge.max_tokens)
            if not all(chain.complete for chain in chains):
                positions.append(position)
        return cls(asking, stage, positions, tallies)

    def cases(self, positions: Iterable[int]) -> Iterator[tuple[int, AnyCase]]:
        """The cases at these positions, which ascend, made anew one by one."""
        numbered = enumerate(self.stage.cases())
        for position in positions:
            yield next(one for one in numbered if one[0] == position)
