"""Describes models by their scores in the form that model cards on the Hugging Face Hub show.

The form is `model-index` (https://github.com/huggingface/hub-docs/blob/main/modelcard.md). Nothing is sent anywhere
unless --push names the models whose cards to change, which needs a token that may write to them.

Reads   params.yaml, data/details/, data/published.json (where there is one)
Writes  report/model-index/<model>.yaml; with --push the cards of the models named
Run     python scripts/describe.py [--push MODEL ...]
"""

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, run, say
from tuneproof.common.files import write_text
from tuneproof.records.handovers import REPORT_DIRECTORY
from tuneproof.results.details import Details, read_all_details
from tuneproof.results.publishing.model_index import model_index, push_model_index
from tuneproof.settings.reading import load_params
from tuneproof.sources.hub.calls import usable_token
from tuneproof.sources.hub.writing import TOKEN_REMEDY

MODEL_INDEX_DIRECTORY = REPORT_DIRECTORY / "model-index"
PUBLISHED_FILE = Path("data/published.json")


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
    if arguments.push:
        token = usable_token()
        if token is None:
            raise UserError("HF_TOKEN", "changing a card needs a token, and none is set", TOKEN_REMEDY)
        for name in arguments.push:
            push_model_index(models[name].resolved.id, indexes[name], token)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
