"""Every stage that asks the judge in a whole run, for the quote and the budget."""

from typing import Any

from tuneproof.scoring.judging.admission.asking import admission_stages, golden_of_run
from tuneproof.scoring.judging.cases import Questions, Stage, compare_stage, judge_stage
from tuneproof.settings.params import Params


def stages_of_run(params: Params, questions: Questions) -> list[Stage[Any]]:
    """The stages of admission, and those of every model, whether its answers are there yet or not."""
    judged = [judge_stage(model, params, questions) for model in params.models]
    others = [model for model in params.models if model != params.baseline] if params.compare.enabled else []
    compared = [compare_stage(model, params, questions) for model in others]
    admission = admission_stages(golden_of_run(), params) if params.admission.questions is not None else []
    return [*admission, *judged, *compared]
