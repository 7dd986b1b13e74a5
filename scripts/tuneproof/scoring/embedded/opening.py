"""Opens the judge of this machine that validate found."""

from tuneproof.records.documents.resolved import ResolvedJudge
from tuneproof.scoring.embedded.backend import LocalJudge
from tuneproof.scoring.embedded.evaluators import open_evaluators
from tuneproof.scoring.embedded.judge import load_judge
from tuneproof.settings.evidence.judging import Judge
from tuneproof.settings.worlds import EMBEDDED_JUDGE_DIRECTORY
from tuneproof.sources.folders import evaluator_folder


def open_local_judge(resolved: ResolvedJudge, judge: Judge) -> LocalJudge:
    """The embedded judge, or the frozen evaluators of the criteria. Raises a UserError."""
    if resolved.backend == "embedded":
        return load_judge(EMBEDDED_JUDGE_DIRECTORY)
    folders = {name: evaluator_folder(found) for name, found in (resolved.evaluators or {}).items()}
    return open_evaluators(resolved, folders, judge.criteria)
