"""Asks the judge about answers whose scores are known, and admits it or not, before it scores.

Reads   params.yaml, data/resolved/judge.json, data/resolved/golden/answers.jsonl, the ledger; where admission goes by
        labels data/labels/*.jsonl, data/questions.jsonl, data/answers/*.jsonl
Writes  data/admission.json, data/admission/ (what was asked and the judge's rows), the ledger; where `admission` is
        off, the same few empty files each time
Run     python scripts/admit.py
"""

import argparse
from collections.abc import Sequence
from itertools import chain

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, run, say, warn
from tuneproof.common.files import write_text
from tuneproof.common.progress import with_progress
from tuneproof.records.documents.admission import AdmissionResult, GoldenAnswer
from tuneproof.records.documents.resolved import ResolvedJudge
from tuneproof.records.files import record_text
from tuneproof.records.handovers import (
    ADMISSION,
    ADMISSION_ANSWERS,
    ADMISSION_COMPARISONS,
    ADMISSION_JUDGEMENTS,
    GOLDEN,
    JUDGE,
    QUESTIONS,
    read_labels,
)
from tuneproof.records.ledger import Ledger
from tuneproof.scoring.embedded.backend import local_comparisons, local_judgements
from tuneproof.scoring.embedded.opening import open_local_judge
from tuneproof.scoring.judging.admission.admitting import admission_result
from tuneproof.scoring.judging.admission.asking import asks_pairs, chosen, pairs_stage
from tuneproof.scoring.judging.admission.rounds import OTHER, answer_stages, ask, earlier_rounds
from tuneproof.scoring.judging.admission.showing import Shown
from tuneproof.scoring.judging.whole_run import stages_of_run
from tuneproof.scoring.people.golden import golden_of_labels
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params
from tuneproof.settings.worlds import DUMMY_QUESTIONS, world_params

FEW = {"limit": DUMMY_QUESTIONS, "on_failure": "warn"}  # what a rehearsal asks, which can admit nobody


def main() -> None:
    """Buys the replies that the ledger lacks, writes what they show, then stops where the judge is not admitted."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    load_secrets()
    resolved = JUDGE.read()
    params = world_params(load_params(), resolved.run)
    if params.admission.questions is None:
        write([], Shown([], []), AdmissionResult())
        say(f"admit: admission.questions is not set, so nothing is asked; {ADMISSION.path} says so")
        return
    if resolved.run == "dummy":
        params = params.model_copy(update={"admission": params.admission.model_copy(update=FEW)})
    golden = chosen(graded_answers(params), params.admission.limit)
    judges = ", ".join(one["model"] for one in resolved.judges)
    say(f"admit: {judges} on {len(golden)} graded answers to {len({one.id for one in golden})} questions")
    ADMISSION_ANSWERS.write(golden)
    if params.judge.backend == "openai":
        shown, earlier = asked(golden, params)
    else:
        shown, earlier = asked_here(golden, resolved, params), list[Shown]()
    result = admission_result(golden, shown, earlier, resolved, params)
    write(golden, shown, result)
    tell(judges, result)


def graded_answers(params: Params) -> list[GoldenAnswer]:
    """The answers whose scores are known: those of a file, or people's labels of this run's answers."""
    if params.admission.from_file:
        return GOLDEN.read()
    questions = {question.id: question for question in QUESTIONS.read()}
    return golden_of_labels(read_labels(params.instructions), questions, params)


def asked(golden: Sequence[GoldenAnswer], params: Params) -> tuple[Shown, list[Shown]]:
    """The judge's rows, bought where the ledger lacks them, and those of earlier rounds."""
    questions = {question.id: question for question in QUESTIONS.read()}
    with Ledger() as ledger:
        shown = ask(golden, params, stages_of_run(params, questions), ledger)
        return shown, earlier_rounds(golden, params, ledger)


def asked_here(golden: Sequence[GoldenAnswer], resolved: ResolvedJudge, params: Params) -> Shown:
    """The rows of a judge of this machine, which cost nothing."""
    judge = open_local_judge(resolved, params.judge)
    cases = list(chain.from_iterable(stage.cases() for stage in answer_stages(golden, params, 0)))
    judgements = with_progress(local_judgements(judge, resolved, cases), "admit", len(cases), "judgements")
    pairs = list(pairs_stage(golden, params, 0).cases()) if asks_pairs(params) else []
    comparisons = with_progress(local_comparisons(judge, resolved, pairs, OTHER), "admit", len(pairs), "comparisons")
    return Shown(list(judgements), list(comparisons))


def write(golden: Sequence[GoldenAnswer], shown: Shown, result: AdmissionResult) -> None:
    """Writes what was asked, the judge's rows, and what they show."""
    ADMISSION_ANSWERS.write(golden)
    ADMISSION_JUDGEMENTS.write(shown.judgements)
    ADMISSION_COMPARISONS.write(shown.comparisons)
    write_text(ADMISSION.path, record_text(result))


def tell(judges: str, result: AdmissionResult) -> None:
    """Says what came out. Raises a UserError for a judge that is not admitted, unless that is only to be told."""
    for change in result.drift:
        warn(f"admit: {judges}: {change}")
    if result.admitted:
        say(f"admit: {judges} is admitted; {ADMISSION.path} has the figures")
        return
    missed = "; ".join(result.refused)
    if result.on_failure == "stop":
        remedy = "take another judge or rubric, or set admission.on_failure: warn to go on with this one"
        raise UserError(f"judge {judges}", f"it is not admitted: {missed}", remedy)
    warn(f"admit: {judges} is not admitted, and the run goes on: {missed}")


if __name__ == "__main__":
    run(main)
