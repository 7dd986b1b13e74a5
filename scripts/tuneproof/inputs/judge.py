"""Which judge is meant."""

from tuneproof.common.files import file_sha256
from tuneproof.endpoint.access import endpoint_label
from tuneproof.records.resolved import ResolvedJudge
from tuneproof.records.rows import World
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import EMBEDDED_JUDGE_DIRECTORY
from tuneproof.sources.weights.files import content_hash


def resolve_judge(params: Params, world: World) -> ResolvedJudge:
    """Who judges: every judge's model and its endpoint's label, or the embedded judge by the hash of its files."""
    judge = params.judge
    if judge.backend == "embedded":
        files = sorted(EMBEDDED_JUDGE_DIRECTORY.rglob("*.json"))
        content = content_hash({str(file.relative_to(EMBEDDED_JUDGE_DIRECTORY)): file_sha256(file) for file in files})
        return ResolvedJudge(
            run=world, backend="embedded", judges=[{"model": "embedded", "endpoint": "embedded"}], content=content
        )
    judges = [
        (judge.model, judge.base_url, judge.served_as),
        *((one.model, one.base_url, one.served_as) for one in judge.panel),
    ]
    labels = [{"model": model, "endpoint": endpoint_label(url, label)} for model, url, label in judges]
    return ResolvedJudge(run=world, backend="openai", judges=labels)
