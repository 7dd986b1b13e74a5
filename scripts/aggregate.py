"""Turns scores into means, differences to the baseline, intervals and verdicts.

Reads   params.yaml, data/questions.jsonl, data/resolved/, data/answers/, data/engines/, data/judgements/,
        data/comparisons/, data/admission.json, data/checks/, data/benchmarks/, data/agreement.json,
        data/labelled/answers.jsonl (where there are)
Writes  metrics/<model>.json, data/details/<model>.json, report/plots/
Run     python scripts/aggregate.py
"""

import argparse
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, run, say, warn
from tuneproof.common.files import write_json, write_text
from tuneproof.records.documents.admission import AdmissionResult
from tuneproof.records.documents.resolved import ResolvedJudge
from tuneproof.records.files import record_text
from tuneproof.records.handovers import (
    ADMISSION,
    AGREEMENT,
    DETAILS_DIRECTORY,
    JUDGE,
    METRICS_DIRECTORY,
    QUESTION_SOURCE,
    QUESTIONS,
    earlier_plans,
)
from tuneproof.results.analysis.assembling import all_details
from tuneproof.results.analysis.benchmarks import asked, reaches, read_benchmarks
from tuneproof.results.analysis.exploring.kinds import kinds
from tuneproof.results.analysis.reading.scores import read_scores
from tuneproof.results.analysis.reading.sources import plan_details, run_criteria
from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RubricCriterion, RunDetails
from tuneproof.results.plots import PLOTS_DIRECTORY, write_plots
from tuneproof.results.words.notes import run_note
from tuneproof.settings.evidence.decision import WIN_RATE
from tuneproof.settings.evidence.judging import Judge
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params
from tuneproof.settings.worlds import world_params
from tuneproof.statistics.corrected import FEWEST_LABELS

JUDGE_SETTINGS = {"temperature", "max_tokens", "samples", "logprobs", "score_first", "format", "max_answer_characters"}


def main() -> None:
    """Reads every model's scores, compares them with the baseline's, and writes the results."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    judge = JUDGE.read()
    params = asked(world_params(load_params(), judge.run))
    ids, tags = read_questions()
    tagged = any(tags)
    benchmarks = read_benchmarks(params)
    shared = run_details(params, judge, len(ids), reaches(benchmarks))
    shared = shared.model_copy(update={"kinds_from_words": not tagged})
    say(f"aggregate: {len(ids)} questions, {len(params.models)} models, {', '.join(shared.criteria)}")
    scores = {model: read_scores(model, ids, shared) for model in params.models}
    models = all_details(params, shared, scores, ids, tags if tagged else kinds_from_words(), benchmarks)
    for details in models:
        write_text(DETAILS_DIRECTORY / f"{details.model}.json", record_text(details))
        write_json(METRICS_DIRECTORY / f"{details.model}.json", metrics(details))
    remove_leftovers(params)
    write_plots(models)
    if run_note(shared):
        warn(run_note(shared))
    unscored = ", ".join(f"{one.answers - one.scored} of {one.model}" for one in models if one.scored < one.answers)
    written = f"{METRICS_DIRECTORY}, {DETAILS_DIRECTORY} and {PLOTS_DIRECTORY}"
    say(f"aggregate: wrote {written}; answers without a score: {unscored or 'none'}")


def read_questions() -> tuple[dict[str, int], list[dict[str, str]]]:
    """Every question's id with its place, and the tags in the same order. Raises a UserError for none or a repeat."""
    ids: dict[str, int] = {}
    tags: list[dict[str, str]] = []
    for question in QUESTIONS.iterate():
        if question.id in ids:
            remedy = "run `python scripts/validate.py`"
            raise UserError(str(QUESTIONS.path), f"the id {question.id[:40]} occurs twice", remedy)
        ids[question.id] = len(tags)
        tags.append(question.tags)
    if not ids:
        raise UserError(str(QUESTIONS.path), "it holds no question", "run `python scripts/validate.py`")
    return ids, tags


def kinds_from_words() -> list[dict[str, str]]:
    """Kinds of question made from their words, in order: what stands in for tags where there are none."""
    return kinds([question.asked for question in QUESTIONS.iterate()])


def run_details(params: Params, judge: ResolvedJudge, questions: int, reaches: Mapping[str, float]) -> RunDetails:
    """What all models of this run share; `reaches` as `run_criteria` takes it."""
    rubric = {
        name: RubricCriterion(
            question=criterion.question, scale={f"{step:g}": text for step, text in criterion.scale.items()}
        )
        for name, criterion in params.judge.criteria.items()
    }
    criteria = run_criteria(params, reaches)
    return RunDetails(
        run=judge.run,
        baseline=params.baseline,
        models=list(params.models),
        questions=questions,
        alpha=params.decision.alpha,
        min_questions=params.decision.min_questions,
        rubric=rubric,
        criteria=criteria,
        plan=plan_details(params.decision, criteria, earlier_plans(params.decision.key)),
        judge=judge,
        judge_settings=judge_settings(params.judge),
        source=QUESTION_SOURCE.read(),
        in_units_of=params.decision.in_units_of,
        fewest_labels=FEWEST_LABELS if params.decision.in_units_of == "people" else None,
        agreement=AGREEMENT.read() if AGREEMENT.path.is_file() else None,
        admission=ADMISSION.read() if ADMISSION.path.is_file() else AdmissionResult(),
    )


def judge_settings(judge: Judge) -> dict[str, Any]:
    """The settings that determine a score; what is sent besides them only where there is any."""
    more = judge.model_dump(mode="json", include={"extra_body", "per"}, exclude_defaults=True)
    return judge.model_dump(mode="json", include=JUDGE_SETTINGS) | more


def metrics(details: Details) -> dict[str, Any]:
    """The few numbers that DVC compares, to two decimals, flat enough for `dvc metrics show`."""
    deciding = {name: details.criteria[name] for name in details.run.deciding if name != WIN_RATE}
    row: dict[str, Any] = {name: two_decimals(criterion.mean) for name, criterion in deciding.items()}
    row |= {"coverage": two_decimals(details.coverage), "n": details.questions, "run": details.run.run}
    if details.is_baseline:
        return row
    row["gain"] = {name: two_decimals(criterion.gain) for name, criterion in deciding.items()}
    if details.decision:
        row["ship"] = details.decision.ship
    row["verdict"] = details.verdict
    # With a plan the metrics hold what decides and no more: one column more would not fit into 120 characters.
    told = details.run.plan is None or WIN_RATE in details.run.criteria
    if told and details.win_rate and details.win_rate.win_rate is not None:
        row["win_rate"] = two_decimals(details.win_rate.win_rate)
    return row


def two_decimals(value: float | None) -> float | None:
    """A number as the metrics show it; never -0.0. Halves go to the even digit, so that mirrored numbers stay so."""
    return None if value is None else float(Decimal(repr(value)).quantize(Decimal("0.01"))) + 0.0


def remove_leftovers(params: Params) -> None:
    """Removes the results of models that are no longer in params.yaml."""
    for directory in (METRICS_DIRECTORY, DETAILS_DIRECTORY):
        for path in sorted(Path(directory).glob("*.json")):
            if path.stem not in params.models:
                path.unlink()
                say(f"aggregate: removed {path}, whose model is no longer in params.yaml")


if __name__ == "__main__":
    run(main)
