"""Has the judge compare a model's answers with the baseline's, each pair in both orders.

Reads   params.yaml, data/questions.jsonl, data/answers/<model>.jsonl and <baseline>.jsonl, data/resolved/judge.json,
        the ledger
Writes  data/comparisons/<model>.jsonl (an empty file for the baseline itself), the ledger
Run     python scripts/compare.py <model>
"""

import argparse
from collections import Counter
from collections.abc import Iterator

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import run, say
from tuneproof.common.progress import with_progress
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import COMPARISONS, JUDGE, QUESTIONS
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Comparison
from tuneproof.scoring.embedded.backend import local_comparisons
from tuneproof.scoring.embedded.opening import open_local_judge
from tuneproof.scoring.judging.cases import Questions, compare_stage
from tuneproof.scoring.judging.settling import counted, counts_in_words, settle
from tuneproof.scoring.judging.whole_run import stages_of_run
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import model_settings


def main() -> None:
    """Buys the replies that the ledger lacks, then writes two rows for every question and sample."""
    model = parse_arguments().model
    load_secrets()
    resolved = JUDGE.read()
    _, params = model_settings(model, Params)
    path = COMPARISONS.path(model)
    if model == params.baseline or not params.compare.enabled:
        write_rows(path, [])
        why = "it is the baseline itself" if model == params.baseline else "compare.enabled is false"
        say(f"compare {model}: wrote an empty {path}, for {why}")
        return
    with_whom = f"comparisons with {params.baseline}"
    say(f"compare {model}: {with_whom} by {', '.join(one['model'] for one in resolved.judges)}, in both orders")
    questions = {question.id: question for question in QUESTIONS.read()}
    if params.judge.backend == "openai":
        compared = comparisons(model, params, questions)
    else:
        stage, judge = compare_stage(model, params, questions), open_local_judge(resolved, params.judge)
        compared = local_comparisons(judge, resolved, stage.cases(), params.baseline)
        compared = with_progress(compared, stage.name, stage.count(), "comparisons")
    counts = Counter[str]()
    write_rows(path, counted(compared, counts))
    say(f"compare {model}: wrote {counts.total()} {with_whom} to {path} ({counts_in_words(counts)})")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a key of `models` in params.yaml")
    return parser.parse_args()


def comparisons(model: str, params: Params, questions: Questions) -> Iterator[Comparison]:
    """Two rows for every question and sample, in order; what is missing is bought first."""
    stage = compare_stage(model, params, questions)
    with Ledger() as ledger:
        for pair, chains in settle(stage, stages_of_run(params, questions), params, ledger):
            yield pair.comparison(params.baseline, chains)


if __name__ == "__main__":
    run(main)
