"""Which plan decides, and which others did so before it: a plan is worth what it was before the numbers were seen."""

from tuneproof.records.documents.resolved import ResolvedPlan
from tuneproof.records.handovers import METRICS_DIRECTORY, PLAN
from tuneproof.records.rows import World
from tuneproof.settings.params import Params


def resolve_plan(params: Params, world: World, rows_sha256: str) -> ResolvedPlan:
    """The plan of params.yaml, with the earlier ones that decided on the same questions in the same world."""
    key = params.decision.key
    plan = ResolvedPlan(run=world, key=key, rows_sha256=rows_sha256)
    if not PLAN.path.is_file():
        return plan
    seen = PLAN.read()
    if (seen.run, seen.rows_sha256) != (world, rows_sha256):
        return plan
    decided = [*seen.earlier, *([seen.key] if any(METRICS_DIRECTORY.glob("*.json")) else [])]
    return plan.model_copy(update={"earlier": tuple(one for one in dict.fromkeys(decided) if one != key)})
