"""Which judge is meant."""

from tuneproof.common.files import file_sha256
from tuneproof.endpoint.access import endpoint_label
from tuneproof.records.resolved import ResolvedJudge
from tuneproof.records.rows import Run
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import EMBEDDED_JUDGE_FILE


def resolve_judge(params: Params, run: Run) -> ResolvedJudge:
    """Who judges: every judge's model and its endpoint's label, or the embedded judge by the hash of its file."""
    judge = params.judge
    if judge.backend == "embedded":
        content = file_sha256(EMBEDDED_JUDGE_FILE)
        return ResolvedJudge(
            run=run, backend="embedded", judges=[{"model": "embedded", "endpoint": "embedded"}], content=content
        )
    judges = [
        (judge.model, judge.base_url, judge.served_as),
        *((one.model, one.base_url, one.served_as) for one in judge.panel),
    ]
    labels = [{"model": model, "endpoint": endpoint_label(url, label)} for model, url, label in judges]
    return ResolvedJudge(run=run, backend="openai", judges=labels)
