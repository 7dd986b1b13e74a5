"""Turns the outside world into files: which questions, weights and judge are meant, so that all else is reproducible.

Reads   params.yaml, data/pins.json, the Hub or local files, what this machine has
Writes  data/resolved/<model>.json, data/resolved/judge.json, data/resolved/questions.json, data/questions.jsonl,
        data/resolved/golden/answers.jsonl (empty where admission asks about none), data/pins.json, and
        data/resolved/plan.json where the section decision is a plan; all of them or none. Removes what models left
        behind that are no longer in params.yaml.
Run     python scripts/validate.py [--update]
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import OutOfReachError, run, say, warn
from tuneproof.common.files import write_all
from tuneproof.endpoint.access import missing_judge_keys
from tuneproof.generation.needs import missing_engines
from tuneproof.inputs.conversations import require_chat
from tuneproof.inputs.evaluator import resolve_evaluator
from tuneproof.inputs.golden import resolve_golden
from tuneproof.inputs.judge import resolve_judge
from tuneproof.inputs.models import resolve_model
from tuneproof.inputs.plan import resolve_plan
from tuneproof.inputs.questions import resolve_questions
from tuneproof.records.adoption import adopt
from tuneproof.records.files import record_text, rows_text
from tuneproof.records.handovers import (
    ANSWERS,
    BENCHMARKS,
    CHECKS,
    COMPARISONS,
    DETAILS_DIRECTORY,
    ENGINES_DIRECTORY,
    EVALUATOR,
    GOLDEN,
    JUDGE,
    JUDGEMENTS,
    METRICS_DIRECTORY,
    PLAN,
    QUESTION_SOURCE,
    QUESTIONS,
    RESOLVED_DIRECTORY,
)
from tuneproof.records.ledger import Ledger
from tuneproof.records.quoted import forget_quote
from tuneproof.records.rows import World
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params, require_tracked_sections
from tuneproof.settings.worlds import DUMMY_QUESTIONS, EMBEDDED_NOTE, rehearsal_note, say_note, world_params
from tuneproof.sources.hub.pins import Pins

PER_MODEL_DIRECTORIES = (
    ANSWERS.directory, ENGINES_DIRECTORY, JUDGEMENTS.directory, COMPARISONS.directory, CHECKS.directory,
    BENCHMARKS.directory, DETAILS_DIRECTORY, METRICS_DIRECTORY,
)  # fmt: skip
WORLD_WORDS: dict[World, str] = {
    "real": "a real run",
    "dummy": f"a rehearsal on {DUMMY_QUESTIONS} questions",
    "embedded": "the embedded world, whose small models and judge show the pipeline and no ability",
}


def main() -> None:
    """Chooses the world, resolves everything in it, and writes only when all of that succeeded."""
    arguments = parse_arguments()
    load_secrets()
    params = load_params()
    require_tracked_sections()
    forget_quote()
    if params.dummy or params.embedded:
        say_note("validate", rehearsal_note() if params.dummy else EMBEDDED_NOTE, params)
    say(f"validate: {len(params.models)} models ({', '.join(params.models)}), their questions and judge")
    pins = Pins.load(update=arguments.update)
    world, files = resolve_a_world(params, pins)
    write_files(files)
    pins.save()
    with Ledger() as ledger:
        adopt(ledger)
    remove_leftovers(params)
    if world != "embedded":
        for need in needs_of_a_real_run(params):
            warn(need)
    questions = files[QUESTIONS.path].count("\n")
    say(
        f"validate: wrote {QUESTIONS.path} ({questions} questions) and {RESOLVED_DIRECTORY}; "
        f"this is {WORLD_WORDS[world]}"
    )


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="move the pins to where the Hub's branches are now")
    return parser.parse_args()


def resolve_a_world(params: Params, pins: Pins) -> tuple[World, dict[Path, str]]:
    """The world that runs and its files. A rehearsal that this machine cannot do becomes the embedded world's."""
    if not params.dummy:
        world: World = "embedded" if params.embedded else "real"
        return world, resolve_world(world, params, pins)
    missing = [*missing_engines(params), *missing_judge_key(params)]
    try:  # also where something is missing: a rehearsal must find what is wrong with the settings
        files = resolve_world("dummy", params, pins)
    except OutOfReachError as error:
        missing.append(str(error))
    if not missing:
        return "dummy", files
    warn("this machine cannot rehearse with your models; the rehearsal runs on the embedded small models instead")
    for reason in missing:
        warn(f"missing for your models: {reason}")
    return "embedded", resolve_world("embedded", params, pins)


def resolve_world(world: World, params: Params, pins: Pins) -> dict[Path, str]:
    """The text of every file that describes one world. Nothing is written yet."""
    settings = world_params(params, world)
    source, questions = resolve_questions(settings, params.questions.dataset, world, pins)
    files = {
        QUESTIONS.path: rows_text(questions),
        QUESTION_SOURCE.path: record_text(source),
        JUDGE.path: record_text(resolve_judge(settings, world, pins)),
        GOLDEN.path: rows_text(resolve_golden(settings, world)),
    }
    if settings.decision.is_plan:
        files[PLAN.path] = record_text(resolve_plan(settings, world, source.rows_sha256))
    if evaluator := resolve_evaluator(settings, world, pins):
        files[EVALUATOR.path] = record_text(evaluator)
    models = {
        key: resolve_model(key, settings, model.id or model.path or key, world, pins)
        for key, model in params.models.items()
    }
    require_chat(questions, settings)
    return files | {RESOLVED_DIRECTORY / f"{key}.json": record_text(model) for key, model in models.items()}


def write_files(files: dict[Path, str]) -> None:
    """Writes the files, and removes resolved ones that are no longer meant."""
    write_all((path, [text]) for path, text in files.items())
    for path in set(RESOLVED_DIRECTORY.iterdir()) - set(files):
        if path.is_file():
            path.unlink()


def remove_leftovers(params: Params) -> None:
    """Removes files of models that are no longer in params.yaml: a directory that DVC hashes would still hold them."""
    for directory in PER_MODEL_DIRECTORIES:
        for path in directory.glob("*.json*") if directory.is_dir() else ():
            if path.stem not in params.models:
                path.unlink()
                say(f"validate: removed {path}, whose model is no longer in params.yaml")


SCARCE_GIGABYTES = 20


def missing_judge_key(params: Params) -> Iterator[str]:
    """Says so when a judge needs a key and there is none."""
    for name in missing_judge_keys(params.judge, params.execution.judge):
        yield f"there is no {name} for the judge"


def needs_of_a_real_run(params: Params) -> Iterator[str]:
    """What the coming stages need and this machine lacks, as warnings: a report can be rebuilt without any of it."""
    for found in missing_engines(params):
        yield f"generate will stop unless every answer is there already: {found}"
    for found in missing_judge_key(params):
        yield f"judge will stop unless every reply is there already: {found}"
    for name, check in params.check.root.items():
        for package in check.missing_packages():
            yield f"check will stop: check.{name} needs {package} (pip install -r requirements/checks.txt)"
    if params.publish.enabled and not os.environ.get("HF_TOKEN"):
        yield "publish will stop unless you are logged in to the Hub: there is no HF_TOKEN"
    free_gigabytes = shutil.disk_usage(".").free / 1e9
    if free_gigabytes < SCARCE_GIGABYTES:
        yield f"only {free_gigabytes:.0f} GB of disk are free here; an 8B model in bfloat16 takes 16 GB"


if __name__ == "__main__":
    run(main)
