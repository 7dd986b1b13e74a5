"""No verdict on what only a judge says that is no better than chance."""

from tuneproof.results.details.criteria import CriterionVerdict
from tuneproof.results.details.model import Details

NO_VERDICT: CriterionVerdict = "no verdict"
SAYS_NOTHING = ("not tested", "too few", None)  # what stays: nothing is said of the model
UNKNOWN = {"smallest_detectable": None, "questions_needed": None}  # a judge at chance detects nothing


def withheld(details: Details) -> Details:
    """The details with `no verdict` in place of each that would rest on such a judge; the scores stay."""
    run = details.run
    if not run.withheld:
        return details
    criteria = {
        name: one.model_copy(update=UNKNOWN | {"verdict": instead_of(one.verdict)}) if name in run.withheld else one
        for name, one in details.criteria.items()
    }
    against = {
        other: {
            name: one.model_copy(update={"verdict": instead_of(one.verdict)}) if name in run.withheld else one
            for name, one in gains.items()
        }
        for other, gains in details.against.items()
    }
    changes: dict[str, object] = {"criteria": criteria, "against": against}
    if details.win_rate:
        changes["win_rate"] = details.win_rate.model_copy(update={"verdict": instead_of(details.win_rate.verdict)})
    if any(name in run.withheld for name in run.claimed):
        if details.verdict not in SAYS_NOTHING:
            changes["verdict"] = NO_VERDICT
        if details.people:
            changes["people"] = details.people.model_copy(update={"judge": NO_VERDICT})
    return details.model_copy(update=changes)


def instead_of(verdict: CriterionVerdict | None) -> CriterionVerdict | None:
    """What stands in place of a verdict that rests on such a judge."""
    return verdict if verdict in SAYS_NOTHING else NO_VERDICT
