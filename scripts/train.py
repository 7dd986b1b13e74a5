"""Trains an evaluator: a small model that learns one criterion from judged and labelled answers.

Reads   params.yaml, data/questions.jsonl, data/answers/, data/judgements/, data/labels/, data/resolved/, and
        evaluator.data where it is set
Writes  data/evaluator/<criterion>/, report/evaluator/<criterion>.json with its figures on held-out questions, and
        plot data in report/evaluator/<criterion>/
Run     python scripts/train.py <criterion>
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, run, say, warn
from tuneproof.common.files import write_all, write_json
from tuneproof.common.progress import Progress
from tuneproof.records.documents.resolved import ResolvedAdapter
from tuneproof.records.handovers import EVALUATOR, EVALUATORS_DIRECTORY, JUDGE, QUESTIONS, REPORT_DIRECTORY, read_labels
from tuneproof.records.keys import content_key
from tuneproof.records.rows import Question
from tuneproof.scoring.evaluator.contract import Base
from tuneproof.scoring.evaluator.encoder.checkpoints import checkpoints_of
from tuneproof.scoring.evaluator.encoder.fitting import Lesson, steps_at_most
from tuneproof.scoring.evaluator.encoder.learning import train_encoder
from tuneproof.scoring.evaluator.learning.examples import Classes, Example, Ratings, Source, distinct, judged_examples
from tuneproof.scoring.evaluator.learning.own_data import classes_of, own_examples, own_rows
from tuneproof.scoring.evaluator.learning.reporting import plot_files, report, sentence
from tuneproof.scoring.evaluator.learning.splitting import Part, parts_by_group
from tuneproof.scoring.evaluator.learning.training import Outcome, Task, train_words, write_evaluator
from tuneproof.scoring.evaluator.loading import load
from tuneproof.scoring.evaluator.words.fitting import FOLDS
from tuneproof.scoring.people.matching import labelled_answers
from tuneproof.settings.evidence.evaluator import EMBEDDED_BASE, Learned
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params
from tuneproof.settings.worlds import world_params
from tuneproof.sources.folders import weights_folder

FEW_EXAMPLES = 256
LEAST_QUESTIONS = 8  # so that each part has some


def main() -> None:
    """Gathers the examples, trains on some questions, and measures on the others what it wrote."""
    criterion = parse_arguments().criterion
    load_secrets()
    world = JUDGE.read().run
    params = world_params(load_params(), world)
    settings, learned = params.evaluator, learned_criterion(params, criterion)
    classes, examples = gather(criterion, learned, params)
    parts = parts_by_group(
        [each.group for each in examples], (settings.validation, settings.test), settings.training.seed
    )
    test = [each for each in examples if parts[each.group] == "test"]
    rest = [each for each in examples if parts[each.group] != "test"]
    check_enough(criterion, examples, rest, test, world)
    say(f"train {criterion}: {len(rest)} labelled answers to learn from, {len(test)} held out; base {settings.base}")
    task = Task(criterion, classes, learned.columns, settings.training.seed)
    folder = EVALUATORS_DIRECTORY / criterion
    if settings.base == EMBEDDED_BASE:
        with Progress(f"train {criterion}", FOLDS, "folds") as progress:
            outcome = train_words(task, rest, test if settings.learning_curve else (), progress.advance)
        shutil.rmtree(folder, ignore_errors=True)
    else:
        outcome = on_an_encoder(task, params, examples, parts, folder)
    write_evaluator(folder, outcome.manifest, outcome.texts)
    found = report(load(folder), outcome, rest, test, settings.training.seed)
    directory = REPORT_DIRECTORY / "evaluator"
    write_json(directory / f"{criterion}.json", found.figures)
    write_all((directory / criterion / name, [text]) for name, text in plot_files(found).items())
    say(f"train {criterion}: wrote {folder}; {sentence(found)}")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("criterion", help="a key of `evaluator.criteria` in params.yaml")
    return parser.parse_args()


def learned_criterion(params: Params, criterion: str) -> Learned:
    """The settings of a criterion that is to be learned. Raises a UserError where there are none."""
    known = params.evaluator.criteria
    if criterion not in known:
        found = f"evaluator.criteria has {', '.join(known) or 'none'}"
        raise UserError(f"criterion {criterion[:40]}", found, "name it there, such as `criteria: {accuracy: {}}`")
    return known[criterion]


def gather(criterion: str, learned: Learned, params: Params) -> tuple[Classes, list[Example]]:
    """The classes and every labelled answer: the judge's, the user's own, people's in their place."""
    settings, judged = params.evaluator, params.judge.criteria.get(criterion)
    rows = own_rows(settings.data, settings.data_columns, criterion) if settings.data else []
    if judged is not None:
        classes = Classes.of_criterion(judged)
    else:
        classes = classes_of([row["label"] for row in rows], learned.classes, str(settings.data))
    examples = own_examples(rows, classes, settings.weights.data, str(settings.data))
    if judged is not None:
        examples += of_this_run(criterion, classes, params)
    return classes, distinct(examples)


def of_this_run(criterion: str, classes: Classes, params: Params) -> list[Example]:
    """All models' answers with their judgements and what people said of them."""
    questions = {question.id: question for question in QUESTIONS.read()}
    weights = params.evaluator.weights
    examples: list[Example] = []
    for model in params.models:
        ratings = people_of(model, criterion, questions, params)
        counts: dict[Source, float] = {"judge": weights.judge, "people": weights.people}
        examples += judged_examples(model, criterion, classes, questions, ratings, counts)
    return examples


def people_of(model: str, criterion: str, questions: Mapping[str, Question], params: Params) -> Ratings:
    """What people gave a model's answers on a criterion, by question and sample."""
    ratings: dict[tuple[str, int], list[float]] = {}
    for labelled in labelled_answers(model, read_labels(params.instructions), questions, params):
        if criterion in (scores := labelled.label.scores or {}):
            ratings.setdefault((labelled.id, labelled.sample), []).append(float(scores[criterion]))
    return ratings


def on_an_encoder(
    task: Task, params: Params, examples: Sequence[Example], parts: Mapping[str, Part], folder: Path
) -> Outcome:
    """Trains the encoder that validate found, and writes its files into the folder."""
    settings, resolved = params.evaluator, EVALUATOR.read()
    base = Base(id=resolved.id, sha=resolved.sha, content=resolved.content)
    by_part: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    for example in examples:
        by_part[parts[example.group]].append(example)
    train = by_part["train"]
    keys = sorted((parts[each.group], each.key) for each in examples)
    key = content_key([keys, task.columns, settings.training.model_dump(mode="json"), base.model_dump()])
    checkpoints = checkpoints_of(task.criterion, key)
    where = weights_folder(ResolvedAdapter(id=resolved.id, sha=resolved.sha, content=resolved.content or ""))
    device, track = params.execution.train.device, settings.track
    lesson = Lesson(task.classes, task.columns, where, settings.training, device, track, checkpoints)
    shutil.rmtree(folder, ignore_errors=True)
    total = steps_at_most(len(train), settings.training)
    with Progress(f"train {task.criterion}", total, "steps at most") as progress:
        return train_encoder(task, lesson, base, by_part, folder, settings.learning_curve, progress.advance)


def check_enough(
    criterion: str, examples: Sequence[Example], rest: Sequence[Example], test: Sequence[Any], world: str
) -> None:
    """Warns where there is little to learn from; raises a UserError where there is nothing."""
    questions = len({each.group for each in examples})
    if questions < LEAST_QUESTIONS or not test:
        found = f"there are labelled answers to {questions} questions"
        raise UserError(f"train {criterion}", found, f"label answers to at least {LEAST_QUESTIONS} different ones")
    if len({each.label for each in rest}) < 2:
        found = f"all answers to learn from are of class {rest[0].label[:40]!r}"
        raise UserError(f"train {criterion}", found, "label answers of at least two classes")
    if len(examples) < FEW_EXAMPLES and world != "embedded":
        expected = "with references an AUC of about .8 was seen from 130 to 500 rows on, without them .61 to .70"
        warn(f"train {criterion}: {len(examples)} labelled answers are few (fewer than {FEW_EXAMPLES}); {expected}")


if __name__ == "__main__":
    run(main)
