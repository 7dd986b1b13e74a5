"""Describes models by their scores in the forms that the Hugging Face Hub and leaderboards read.

The forms are `model-index` (https://github.com/huggingface/hub-docs/blob/main/modelcard.md) and, for benchmarks, the
Hub's evaluation results and lm-eval's results file (docs/benchmarks.md). Nothing is sent anywhere unless --push names
the models whose cards to change, which needs a token that may write to them.

Reads   params.yaml, data/details/, data/benchmarks/<model>.json, data/pins.json, data/published.json (those there are);
        with --inspect also data/questions.jsonl, data/answers/, data/judgements/ and data/checks/
Writes  report/model-index/<model>.yaml, and of benchmarks report/eval-results/<model>.yaml and
        report/lm-eval/<model>/results_<when>.json; with --inspect
        report/inspect/<when>_tuneproof_<id>.json, a log of Inspect for each model; with --push the cards of the models
        named
Run     python scripts/describe.py [--inspect] [--push MODEL ...]
"""

import argparse
import json
from datetime import UTC, datetime
from typing import Any

import yaml

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, run, say
from tuneproof.common.files import write_json, write_text
from tuneproof.records.handovers import ANSWERS, CHECKS, JUDGEMENTS, QUESTIONS, REPORT_DIRECTORY, benchmark_summary
from tuneproof.results.details.model import Details, read_all_details
from tuneproof.results.publishing.card import git_revision
from tuneproof.results.publishing.inspect_logs import TASK, inspect_log
from tuneproof.results.publishing.inspect_logs import file_name as log_name
from tuneproof.results.publishing.leaderboards import evaluation_results, file_name, results_document
from tuneproof.results.publishing.model_index import model_index, push_model_index
from tuneproof.results.publishing.names import PUBLISHED_FILE
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params
from tuneproof.settings.worlds import world_params
from tuneproof.sources.hub.calls import usable_token
from tuneproof.sources.hub.pins import Pins
from tuneproof.sources.hub.writing import TOKEN_REMEDY

MODEL_INDEX_DIRECTORY = REPORT_DIRECTORY / "model-index"
EVALUATION_RESULTS_DIRECTORY = REPORT_DIRECTORY / "eval-results"
INSPECT_DIRECTORY = REPORT_DIRECTORY / "inspect"
HARNESS_RESULTS_DIRECTORY = REPORT_DIRECTORY / "lm-eval"


def main() -> None:
    """Writes a file per model, and changes the cards that were named."""
    arguments = parse_arguments()
    load_secrets()
    params = load_params()
    models = {details.model: details for details in read_all_details(params)}
    for name in arguments.push:
        check_may_be_pushed(name, models)
    indexes = {name: model_index(details, params, published_at(name)) for name, details in models.items()}
    for name, index in indexes.items():
        write_text(MODEL_INDEX_DIRECTORY / f"{name}.yaml", yaml.safe_dump(index, sort_keys=False, allow_unicode=True))
    say(f"describe: wrote {MODEL_INDEX_DIRECTORY} for {', '.join(models)}")
    for details in models.values():
        if details.benchmarks:
            write_benchmarks(details, params)
    if arguments.inspect:
        write_inspect_logs(models, params)
    if arguments.push:
        token = usable_token()
        if token is None:
            raise UserError("HF_TOKEN", "changing a card needs a token, and none is set", TOKEN_REMEDY)
        for name in arguments.push:
            push_model_index(models[name].resolved.id, indexes[name], token)


def write_benchmarks(details: Details, params: Params) -> None:
    """Writes a model's benchmarks as leaderboards read them, and says what each is for."""
    document = benchmark_summary(details.model)
    summary, asked_at = document.read(), datetime.fromtimestamp(document.path.stat().st_mtime, UTC)
    entries = evaluation_results(details, summary, Pins.load())
    if entries:
        path = EVALUATION_RESULTS_DIRECTORY / f"{details.model}.yaml"
        write_text(path, yaml.safe_dump(entries, sort_keys=False, allow_unicode=True))
        say(f"describe: wrote {path}, to be put into .eval_results/ of the model's repository")
    results = results_document(details, params, summary, asked_at, git_revision())
    if results is not None:
        path = HARNESS_RESULTS_DIRECTORY / results["model_name_sanitized"] / file_name(asked_at)
        write_json(path, results)
        say(f"describe: wrote {path}, in the form of lm-eval's own results")


def write_inspect_logs(models: dict[str, Details], params: Params) -> None:
    """Writes a log of Inspect for each model in place of those that were written before."""
    for path in INSPECT_DIRECTORY.glob(f"*_{TASK}_*.json"):
        path.unlink()
    questions = QUESTIONS.read()
    for name, details in models.items():
        made_at = datetime.fromtimestamp(ANSWERS.path(name).stat().st_mtime, UTC)
        checks = CHECKS.read(name) if world_params(params, details.run.run).check.root else []
        log = inspect_log(details, questions, ANSWERS.read(name), JUDGEMENTS.read(name), checks, made_at)
        write_json(INSPECT_DIRECTORY / log_name(log), log)
    say(f"describe: wrote {INSPECT_DIRECTORY} for {', '.join(models)}; `inspect view --log-dir {INSPECT_DIRECTORY}`")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inspect", action="store_true", help="write the run as logs that Inspect's viewer opens")
    parser.add_argument("--push", nargs="+", metavar="MODEL", default=[], help="keys of `models` whose cards to change")
    return parser.parse_args()


def check_may_be_pushed(name: str, models: dict[str, Details]) -> None:
    """Refuses what must not stand on a model's card: no such model, a local one, a rehearsal, an adapted base."""
    if name not in models:
        raise UserError(f"--push {name[:40]}", "it is not a model of params.yaml", f"known are {', '.join(models)}")
    details = models[name]
    if details.run.run != "real":
        remedy = "run the pipeline with your own models and questions first"
        raise UserError(f"--push {name}", f"these scores are of a run that is {details.run.run}", remedy)
    if details.resolved.sha is None:
        raise UserError(f"--push {name}", "it is not a model on the Hub", "use the file that describe wrote")
    if details.resolved.adapter:
        remedy = "add the file that describe wrote to the adapter's own card"
        raise UserError(
            f"--push {name}", "its scores are the adapter's, and the card would be the base model's", remedy
        )


def published_at(name: str) -> str | None:
    """The dataset that publish made of this model's results, None where there is none."""
    if not PUBLISHED_FILE.is_file():
        return None
    try:
        document: dict[str, Any] = json.loads(PUBLISHED_FILE.read_bytes())
        return document[name]["dataset"] if name in document else None
    except (ValueError, TypeError, KeyError):
        raise UserError(str(PUBLISHED_FILE), "this is not what publish writes", "delete it") from None


if __name__ == "__main__":
    run(main)
