"""Has the judge score a model's answers by the rubric.

Reads   params.yaml, data/questions.jsonl, data/answers/<model>.jsonl, data/resolved/judge.json, the ledger
Writes  data/judgements/<model>.jsonl, the ledger
Run     python scripts/judge.py <model>
"""

import argparse
from collections import Counter
from collections.abc import Iterator

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, run, say
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import ANSWERS, JUDGE, JUDGEMENTS, QUESTIONS
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Judgement
from tuneproof.scoring.embedded.backend import local_judgements
from tuneproof.scoring.embedded.opening import open_local_judge
from tuneproof.scoring.judging.cases import Questions, judge_stage
from tuneproof.scoring.judging.settling import counted, counts_in_words, settle
from tuneproof.scoring.judging.whole_run import stages_of_run
from tuneproof.settings.evidence.judging import Judge
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import model_settings


def main() -> None:
    """Buys the replies that the ledger lacks, then writes a judgement for every answer."""
    model = parse_arguments().model
    load_secrets()
    resolved = JUDGE.read()
    _, params = model_settings(model, Params)
    questions = {question.id: question for question in QUESTIONS.read()}
    say(f"judge {model}: {', '.join(one['model'] for one in resolved.judges)} on {', '.join(params.judge.criteria)}")
    if params.judge.backend == "openai":
        judged = judgements(model, params, questions)
    else:
        cases = judge_stage(model, params, questions).cases()
        judged = local_judgements(open_local_judge(resolved, params.judge), resolved, cases)
    counts = Counter[str]()
    path = JUDGEMENTS.path(model)
    write_rows(path, counted(judged, counts))
    say(f"judge {model}: wrote {counts.total()} judgements to {path} ({counts_in_words(counts)})")
    check_coverage(model, params.judge, counts)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a key of `models` in params.yaml")
    return parser.parse_args()


def judgements(model: str, params: Params, questions: Questions) -> Iterator[Judgement]:
    """A judgement for every answer, in the answers' order; what is missing is bought first."""
    stage = judge_stage(model, params, questions)
    with Ledger() as ledger:
        for case, chains in settle(stage, stages_of_run(params, questions), params, ledger):
            yield case.judgement(chains)


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
