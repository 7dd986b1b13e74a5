"""Turns the outside world into files: which questions, weights and judge are meant, so that all else is reproducible.

Reads   params.yaml, data/pins.json, the Hub or local files, what this machine has
Writes  data/resolved/<model>.json, data/resolved/judge.json, data/resolved/questions.json, data/questions.jsonl,
        data/pins.json; all of them or none. Removes what models left behind that are no longer in params.yaml.
Run     python scripts/validate.py [--update]
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.environment import load_secrets
from evaluation.errors import OutOfReachError, UserError, run, say, warn
from evaluation.ledger import Kind, Ledger
from evaluation.needs import missing_engines, missing_judge_key, needs_of_a_real_run
from evaluation.params import Params
from evaluation.pins import Pins
from evaluation.reading import load_params, require_tracked_sections
from evaluation.records import (
    ANSWERS_DIRECTORY,
    COMPARISONS_DIRECTORY,
    DETAILS_DIRECTORY,
    ENGINES_DIRECTORY,
    JUDGEMENTS_DIRECTORY,
    METRICS_DIRECTORY,
    QUESTIONS_FILE,
    RESOLVED_DIRECTORY,
    Answer,
    Comparison,
    Judgement,
    Run,
    iterate_rows,
    record_text,
    rows_text,
)
from evaluation.resolving import resolve_judge, resolve_model, resolve_questions
from evaluation.whole_files import file_sha256, write_all
from evaluation.worlds import DUMMY_QUESTIONS, EMBEDDED_NOTE, world_params

PER_MODEL_DIRECTORIES = (
    ANSWERS_DIRECTORY, ENGINES_DIRECTORY, JUDGEMENTS_DIRECTORY, COMPARISONS_DIRECTORY, DETAILS_DIRECTORY,
    METRICS_DIRECTORY,
)  # fmt: skip
LedgerRow = tuple[str, Kind, dict[str, Any]]
WORLD_WORDS: dict[Run, str] = {
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
    if params.embedded and not params.dummy:
        say(f"validate: {EMBEDDED_NOTE}")
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
    questions = files[QUESTIONS_FILE].count("\n")
    say(
        f"validate: wrote {QUESTIONS_FILE} ({questions} questions) and {RESOLVED_DIRECTORY}; "
        f"this is {WORLD_WORDS[world]}"
    )


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="move the pins to where the Hub's branches are now")
    return parser.parse_args()


def resolve_a_world(params: Params, pins: Pins) -> tuple[Run, dict[Path, str]]:
    """The world that runs and its files. A rehearsal that this machine cannot do becomes the embedded world's."""
    if not params.dummy:
        world: Run = "embedded" if params.embedded else "real"
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


def resolve_world(world: Run, params: Params, pins: Pins) -> dict[Path, str]:
    """The text of every file that describes one world. Nothing is written yet."""
    settings = world_params(params, world)
    source, questions = resolve_questions(settings, params.questions.dataset, world, pins)
    files = {
        QUESTIONS_FILE: rows_text(questions),
        RESOLVED_DIRECTORY / "questions.json": record_text(source),
        RESOLVED_DIRECTORY / "judge.json": record_text(resolve_judge(settings, world)),
    }
    for key, model in params.models.items():
        requested = model.id or model.path or key
        resolved = resolve_model(key, settings, requested, world, pins)
        files[RESOLVED_DIRECTORY / f"{key}.json"] = record_text(resolved)
    return files


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


def adopt(ledger: Ledger) -> None:
    """Adds the workspace's rows to the ledger: pulled from a colleague, they need not be bought again.

    A row's key does not hold its model's name, so rows of a model that is called otherwise now count as well.
    """
    adopted = 0
    for directory, results in RESULTS_OF.items():
        for path in sorted(directory.glob("*.jsonl")):
            try:
                sha256 = file_sha256(path)
            except OSError as error:
                warn(f"{path}: it cannot be read ({error.strerror}); its rows are not adopted into the ledger")
                continue
            adopted += ledger.adopt(sha256, readable(results(path)))
    if adopted:
        say(f"validate: adopted {adopted} results of the workspace into the ledger")


def readable(results: Iterator[LedgerRow]) -> Iterator[LedgerRow]:
    """The results of a file up to a row that cannot be read; no later one is read, and the warning comes once."""
    try:
        yield from results
    except UserError as error:
        warn(f"{error.where}: {error.found}; its rows are not adopted into the ledger")


def answers_of(path: Path) -> Iterator[LedgerRow]:
    """A file's answers, as the ledger keeps them."""
    for answer in iterate_rows(path, Answer, made_by="validate.py"):
        yield answer.key, "answer", answer.model_dump(exclude={"id", "sample", "prompt", "key"})


def replies_of(path: Path, kind: type[Judgement] | type[Comparison]) -> Iterator[LedgerRow]:
    """A file's replies of judges, as the ledger keeps them."""
    for row in iterate_rows(path, kind, made_by="validate.py"):
        for reply in row.replies:
            yield reply.key, "reply", reply.model_dump(exclude={"key"})


RESULTS_OF: dict[Path, Callable[[Path], Iterator[LedgerRow]]] = {
    ANSWERS_DIRECTORY: answers_of,
    JUDGEMENTS_DIRECTORY: partial(replies_of, kind=Judgement),
    COMPARISONS_DIRECTORY: partial(replies_of, kind=Comparison),
}


if __name__ == "__main__":
    run(main)
