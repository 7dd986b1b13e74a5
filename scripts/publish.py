"""Publishes each model's answers and scores as a dataset on the Hugging Face Hub, and evaluators as models.

Only a real run is published, only when `publish.enabled`, and never inside an experiment. What lies on the Hub is
compared each time: unchanged results make no commit.

Reads   params.yaml, data/questions.jsonl, data/resolved/, data/answers/, data/judgements/, data/checks/,
        data/benchmarks/, data/details/, data/evaluator/ and report/evaluator/ where publish.evaluators
Writes  one dataset per model on the Hub, data/published.json
Run     python scripts/publish.py
"""

import argparse
import hashlib
import json
import os
from typing import Any

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, run, say
from tuneproof.common.files import write_json
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.records.handovers import (
    ANSWERS,
    BENCHMARKS,
    CHECKS,
    DETAILS_DIRECTORY,
    EVALUATORS_DIRECTORY,
    JUDGE,
    JUDGEMENTS,
    QUESTIONS,
    REPORT_DIRECTORY,
    resolved_model,
)
from tuneproof.records.keys import content_key
from tuneproof.results.details.model import read_details
from tuneproof.results.publishing.card import card_text, revision_text
from tuneproof.results.publishing.evaluator import evaluator_card, evaluator_files
from tuneproof.results.publishing.names import PUBLISHED_FILE, dataset_names, owner
from tuneproof.results.publishing.repositories import Card, look, publish_files, repository_name
from tuneproof.results.publishing.rows import benchmark_files, benchmark_rows, parquet_files, result_rows
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params
from tuneproof.settings.worlds import say_note, world_note
from tuneproof.sources.hub.calls import usable_token
from tuneproof.sources.hub.writing import TOKEN_REMEDY, check_writer


def main() -> None:
    """Says why nothing is published, or publishes every model's results."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    load_secrets()
    params = load_params()
    reason = reason_not_to(params)
    if reason:
        say(f"publish: nothing is published, because {reason}")
        if not PUBLISHED_FILE.exists():  # else it goes on saying what was published last
            write_json(PUBLISHED_FILE, {})
        say_what_kind_of_run(params)
        return
    models = {key: resolved_model(key) for key in params.models}
    token = writing_token(params)
    names = dataset_names(models, str(params.publish.workspace), lambda name: look(name, "dataset", token))
    say(f"publish: {', '.join(names.values())} ({'private' if params.publish.private else 'public'})")
    published = {key: publish_model(names[key], resolved, params, token) for key, resolved in models.items()}
    if params.publish.evaluators:
        published["evaluators"] = {name: publish_evaluator(name, params, token) for name in params.evaluator.criteria}
    write_json(PUBLISHED_FILE, published)
    say(f"publish: wrote {PUBLISHED_FILE}; {len(names)} datasets are as this run has them")


def say_what_kind_of_run(params: Params) -> None:
    """The last line of a run that is not the real one."""
    if JUDGE.path.is_file() and (note := world_note(params, JUDGE.read().run)):
        say_note("publish", note, params)


def reason_not_to(params: Params) -> str | None:
    """Why this run is not one to publish, None when it is."""
    if not params.publish.enabled:
        return "publish.enabled is false"
    if params.dummy or params.embedded:  # also in an experiment, which is not to be applied then
        return "this is a rehearsal or a demonstration"
    if os.environ.get("DVC_EXP_NAME"):
        return "this is an experiment; apply it (`dvc exp apply`) and run `dvc repro`"
    judged_by = JUDGE.read()
    return None if judged_by.run == "real" else f"the results are of a run that is {judged_by.run}"


def writing_token(params: Params) -> str:
    """The token that writes; raises a UserError where there is none or it may not."""
    token = usable_token()
    if token is None:
        raise UserError("HF_TOKEN", "publishing needs a token, and none is set", TOKEN_REMEDY)
    check_writer(str(params.publish.workspace), token)
    return token


def publish_model(dataset: str, resolved: ResolvedModel, params: Params, token: str) -> dict[str, Any]:
    """Publishes one model's rows and card; returns what data/published.json says of it."""
    key, checks = resolved.model, params.check.root
    criteria = [*params.judge.criteria, *checks]
    rows = result_rows(
        QUESTIONS.read(),
        ANSWERS.read(key),
        JUDGEMENTS.read(key),
        criteria,
        f"model {key}",
        CHECKS.read(key) if checks else (),
    )
    details = read_details(DETAILS_DIRECTORY / f"{key}.json")
    metrics = {name: task.metric for name, task in details.benchmarks.items()}
    items = benchmark_rows(BENCHMARKS.read(key), metrics) if metrics else []
    rows_key = content_key([rows, items] if items else rows)
    card = Card(card_text(dataset, details, params), revision_text(), owner(resolved))
    files = parquet_files(rows, criteria) | benchmark_files(items)
    commit = publish_files(dataset, "dataset", files, rows_key, card, params.publish.private, token)
    return {"dataset": dataset, "commit": commit, "rows": len(rows), "content": rows_key}


def publish_evaluator(criterion: str, params: Params, token: str) -> dict[str, Any]:
    """Publishes the evaluator of a criterion as a model with its card; returns what data/published.json says of it."""
    name = f"{params.publish.workspace}/{repository_name(criterion.replace('_', '-'), '-evaluator')}"
    files = evaluator_files(EVALUATORS_DIRECTORY / criterion)
    report = json.loads((REPORT_DIRECTORY / "evaluator" / f"{criterion}.json").read_bytes())
    content = content_key({path: hashlib.sha256(each).hexdigest() for path, each in files.items()})
    card = Card(evaluator_card(name, files, report), revision_text())
    commit = publish_files(name, "model", files, content, card, params.publish.private, token)
    return {"model": name, "commit": commit, "content": content}


if __name__ == "__main__":
    run(main)
