"""Whether a judge may be asked before the stage admit has had its turn."""

from collections.abc import Sequence
from typing import Any

from tuneproof.records.documents.resolved import ResolvedJudge
from tuneproof.records.handovers import GOLDEN
from tuneproof.records.ledger import Ledger
from tuneproof.scoring.judging.admission.admitting import admission_result
from tuneproof.scoring.judging.admission.asking import chosen
from tuneproof.scoring.judging.admission.rounds import ask, earlier_rounds
from tuneproof.scoring.judging.cases import Stage
from tuneproof.settings.params import Params


def why_not_yet(params: Params, resolved: ResolvedJudge, run: Sequence[Stage[Any]], ledger: Ledger) -> str | None:
    """Why a judge may not score yet; None for one that is admitted, or that would score also if it were not.

    Graded answers of a file are asked about here, through the ledger, where the stage admit finds the replies. `run`
    is as `settle` takes it; raises a UserError as it does.
    """
    settings = params.admission
    if settings.questions is None or settings.on_failure == "warn" or resolved.run == "dummy":
        return None
    if not settings.from_file:
        return "its admission goes by people's labels of answers, which are all to be there first"
    golden = chosen(GOLDEN.read(), settings.limit)
    shown = ask(golden, params, run, ledger)
    result = admission_result(golden, shown, earlier_rounds(golden, params, ledger), resolved, params)
    return None if result.admitted else f"it is not admitted ({'; '.join(result.refused)})"
