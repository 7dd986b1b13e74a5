"""One round of asking: bought now, or an earlier one as the ledger has it.

The ledger is the history: every round's replies lie in it under keys of their own, so that a round of long ago is read
again for nothing, and no second record of it can disagree. `data/admission/` hands the replies on to other clones.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from tuneproof.records.documents.admission import GoldenAnswer
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Judgement
from tuneproof.scoring.judging.admission.asking import again_stage, answers_stage, asks_pairs, pairs_stage
from tuneproof.scoring.judging.admission.showing import Shown
from tuneproof.scoring.judging.cases import AnswerCase, Stage
from tuneproof.scoring.judging.chains import Asking
from tuneproof.scoring.judging.settling import settle
from tuneproof.settings.params import Params

OTHER = "the other golden answer"  # what a comparison's row names in place of a baseline


def answer_stages(golden: Sequence[GoldenAnswer], params: Params, number: int) -> list[Stage[AnswerCase]]:
    """The stages of one round that score answers."""
    again = [again_stage(golden, params, number)] if params.admission.repeat is not None else []
    return [answers_stage(golden, params, number), *again]


def ask(golden: Sequence[GoldenAnswer], params: Params, run: Sequence[Stage[Any]], ledger: Ledger) -> Shown:
    """Buys what the ledger lacks of the present round. `run` is as `settle` takes it; raises a UserError as it does."""
    number = params.admission.round
    judgements = [
        case.judgement(chains)
        for stage in answer_stages(golden, params, number)
        for case, chains in settle(stage, run, params, ledger)
    ]
    if not asks_pairs(params):
        return Shown(judgements, [])
    pairs = settle(pairs_stage(golden, params, number), run, params, ledger)
    return Shown(judgements, [pair.comparison(OTHER, chains) for pair, chains in pairs])


def earlier_rounds(golden: Sequence[GoldenAnswer], params: Params, ledger: Ledger) -> list[Shown]:
    """What the ledger has of each round before the present one; buys nothing."""
    return [Shown(list(recorded(golden, params, ledger, number)), []) for number in range(params.admission.round)]


def recorded(golden: Sequence[GoldenAnswer], params: Params, ledger: Ledger, number: int) -> Iterator[Judgement]:
    """The rows of one round, but for those that nothing was bought for."""
    for stage in answer_stages(golden, params, number):
        asking = Asking(params.judge, params.execution.judge, stage.criteria, ledger, stage.again)
        for case, chains in asking.recorded(stage.cases()):
            replies = [chain.replies for chain in chains]
            if replies and all(replies):
                yield case.judgement(replies)
