"""Checks a model's answers by program: formats, references, instructions, functions of your own.

Reads   params.yaml, data/questions.jsonl, data/answers/<model>.jsonl, data/resolved/<model>.json, checks/*.py
Writes  data/checks/<model>.jsonl, and data/checks/<model>.json with the figures that only all answers together have
Run     python scripts/check.py <model>
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping

from tuneproof.common.errors import UserError, run, say
from tuneproof.common.files import write_all
from tuneproof.common.progress import Progress
from tuneproof.records.handovers import ANSWERS, CHECKS, QUESTIONS
from tuneproof.records.rows import Answer, Check, Question
from tuneproof.scoring.checks.checking import Checking, check_answers
from tuneproof.scoring.checks.corpus import Corpus
from tuneproof.settings.evidence.checks import Checks
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import model_settings


def main() -> None:
    """Writes a row for every answer, in the answers' order, and the figures of all of them beside it."""
    model = parse_arguments().model
    _, params = model_settings(model, Params)
    questions = {question.id: question for question in QUESTIONS.read()}
    count = count_answers(ANSWERS.iterate(model), questions)
    say(f"check {model}: {', '.join(params.check.root) or 'no checks are set'}")
    corpus, path = Corpus(), CHECKS.path(model)
    with Progress(f"check {model}", count, "answers") as progress:
        rows = check_answers(Checking(params.check, questions), ANSWERS.iterate(model), corpus)
        write_all([(path, lines(rows, progress)), (path.with_suffix(".json"), figures(corpus, params.check))])
    say(f"check {model}: wrote {count} rows to {path}{unscored(corpus)}")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a key of `models` in params.yaml")
    return parser.parse_args()


def count_answers(answers: Iterable[Answer], questions: Mapping[str, Question]) -> int:
    """How many answers there are. Raises a UserError for one whose question is not there."""
    count = 0
    for answer in answers:
        count += 1
        if answer.id not in questions:
            remedy = "run `dvc repro`: the questions changed after these answers were generated"
            raise UserError(f"answer {answer.id[:40]}", f"its question is not in {QUESTIONS.path}", remedy)
    return count


def lines(rows: Iterable[Check], progress: Progress) -> Iterator[str]:
    """Every row as a line of JSON."""
    for row in rows:
        yield row.model_dump_json() + "\n"
        progress.advance()


def figures(corpus: Corpus, checks: Checks) -> Iterator[str]:
    """The figures of all answers together as JSON; asked for when all of them have passed."""
    yield json.dumps(corpus.figures(checks), indent=2) + "\n"


def unscored(corpus: Corpus) -> str:
    """How many answers each check gave no score, for a person."""
    missing = ", ".join(f"{count} without {name}" for name, count in corpus.unscored.items() if count)
    return f" ({missing}; the rows say why)" if missing else ""


if __name__ == "__main__":
    run(main)
