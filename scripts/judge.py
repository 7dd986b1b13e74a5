"""Has the judge score a model's answers by the rubric.

Reads   params.yaml, data/questions.jsonl, data/answers/<model>.jsonl, data/resolved/judge.json, the ledger
Writes  data/judgements/<model>.jsonl, the ledger
Run     python scripts/judge.py <model> [--follow]

With --follow it judges answers beside generate, as they land in the ledger, and writes into the ledger alone.
"""

import argparse
from collections import Counter
from collections.abc import Iterator

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, run, say, warn
from tuneproof.common.progress import with_progress
from tuneproof.generation.conversations.landing import Landing
from tuneproof.generation.jobs import Job
from tuneproof.records.documents.resolved import ResolvedJudge
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import ANSWERS, JUDGE, JUDGEMENTS, QUESTIONS
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Judgement
from tuneproof.scoring.embedded.backend import local_judgements
from tuneproof.scoring.embedded.opening import open_local_judge
from tuneproof.scoring.judging.admission.early import why_not_yet
from tuneproof.scoring.judging.buying.following import follow
from tuneproof.scoring.judging.cases import AnswerCase, Questions, answer_cases, judge_stage
from tuneproof.scoring.judging.chains import Asking
from tuneproof.scoring.judging.settling import counted, counts_in_words, settle
from tuneproof.scoring.judging.whole_run import stages_of_run
from tuneproof.settings.evidence.judging import Judge
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import model_settings


def main() -> None:
    """Buys the replies that the ledger lacks, then writes a judgement for every answer."""
    arguments = parse_arguments()
    model = arguments.model
    load_secrets()
    resolved = JUDGE.read()
    answering, params = model_settings(model, Params)
    questions = {question.id: question for question in QUESTIONS.read()}
    say(f"judge {model}: {', '.join(one['model'] for one in resolved.judges)} on {', '.join(params.judge.criteria)}")
    if arguments.follow:
        follow_answers(Job.of(answering, params), params, resolved, questions)
        return
    if params.judge.backend == "openai":
        judged = judgements(model, params, questions)
    else:
        stage = judge_stage(model, params, questions)
        judged = local_judgements(open_local_judge(resolved, params.judge), resolved, stage.cases())
        judged = with_progress(judged, stage.name, stage.count(), "judgements")
    counts = Counter[str]()
    path = JUDGEMENTS.path(model)
    write_rows(path, counted(judged, counts))
    say(f"judge {model}: wrote {counts.total()} judgements to {path} ({counts_in_words(counts)})")
    check_coverage(model, params.judge, counts)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a key of `models` in params.yaml")
    parser.add_argument("--follow", action="store_true", help="judge answers as they land; no out is written")
    return parser.parse_args()


def judgements(model: str, params: Params, questions: Questions) -> Iterator[Judgement]:
    """A judgement for every answer, in the answers' order; what is missing is bought first."""
    stage = judge_stage(model, params, questions)
    with Ledger() as ledger:
        for case, chains in settle(stage, stages_of_run(params, questions), params, ledger):
            yield case.judgement(chains)


def follow_answers(job: Job, params: Params, resolved: ResolvedJudge, questions: Questions) -> None:
    """Buys the replies to a model's answers as they land in the ledger, until all of them are judged."""
    model = job.resolved.model
    if params.judge.backend != "openai":
        say(f"judge {model}: this judge needs no endpoint and is asked when the answers are there")
        return
    with Ledger() as ledger:
        run_stages = stages_of_run(params, questions)
        reason = why_not_yet(params, resolved, run_stages, ledger)
        if reason:
            warn(f"judge {model}: it does not follow: {reason}")
            return
        landing = Landing(job, list(questions.values()), ledger)
        whole = params.judge.per == "conversation"
        count = sum(1 if whole else chain[0][0].turns_to_come for chain in landing.open)
        others = [key for key in params.models if key != model]

        def landed(some: Landing) -> list[AnswerCase]:
            return [
                case
                for answers, before in some.look()
                for case in answer_cases(some.job.resolved.model, answers, params.judge, questions)
                if (case.answer.turn or 0) >= before
            ]

        def look() -> list[AnswerCase] | None:
            if not landing.open:
                return None
            found = landed(landing)
            if not found and others:  # nothing to do: what the ledger has of other models may not be judged yet
                other, _ = model_settings(others.pop(0), Params)
                found = landed(Landing(Job.of(other, params), list(questions.values()), ledger))
            return found

        asking = Asking(params.judge, params.execution.judge, params.judge.criteria, ledger)
        follow(asking, f"judge {model}", run_stages, look, count)


def check_coverage(model: str, judge: Judge, counts: Counter[str]) -> None:
    """Raises a UserError when too few answers got a score, or there was none; what was judged is written by then."""
    if not counts.total():
        raise UserError(str(ANSWERS.path(model)), "it holds no answer", "run `dvc repro` to make it anew")
    coverage = counts["ok"] / counts.total()
    if coverage < judge.min_coverage:
        asked = f"judge.min_coverage is {judge.min_coverage:.0%}"
        found = f"only {coverage:.1%} of {counts.total()} answers got a score, and {asked}"
        remedy = f"read the statuses in {JUDGEMENTS.path(model)}, mend the cause or lower the setting"
        raise UserError(f"judge {model}", found, remedy)


if __name__ == "__main__":
    run(main)
