"""Stops a regression: compares this run's scores with another revision's, question by question and item by item.

Reads   params.yaml, data/details/, data/questions.jsonl, data/answers/, data/judgements/, data/checks/ and
        data/benchmarks/ (where there are any), and the same files of another Git revision or DVC experiment (from
        DVC's cache or remote)
Writes  nothing; prints the comparison, with --markdown for a pull request
Exit    0: no regression; 1: regression; 2: cannot tell, or not comparable
Run     python scripts/gate.py --against <revision or experiment> [--model <model>] [--markdown]
"""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from tuneproof.common.errors import UserError, run, say, say_error
from tuneproof.results.gate.decision import Outcome
from tuneproof.results.gate.findings import compare_runs, fetch_run, naming
from tuneproof.results.gate.text import gate_text
from tuneproof.results.revisions import Revision
from tuneproof.results.words.tables import markdown_text
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params

EXIT_CODES: dict[Outcome, int] = {"no regression": 0, "regression": 1, "cannot tell": 2}
CANNOT_TELL = EXIT_CODES["cannot tell"]


def main() -> None:
    """Prints the comparison and exits with its outcome; whatever prevents one is `cannot tell`, never a regression."""
    arguments = parse_arguments()
    try:
        outcome = gate(arguments.against, arguments.model, arguments.markdown)
    except UserError as error:
        say_error(error)
        if arguments.markdown:
            print(f"**Gate: cannot tell.** {markdown_text(str(error))}")
        sys.exit(CANNOT_TELL)
    except Exception:  # a bug: Python's own exit code for it would read as a regression
        traceback.print_exc()
        sys.exit(CANNOT_TELL)
    sys.exit(EXIT_CODES[outcome])


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", required=True, metavar="REVISION", help="a Git revision or a DVC experiment")
    models_help = "only this model (may be repeated); default: all but the baseline"
    parser.add_argument("--model", action="append", help=models_help)
    parser.add_argument("--markdown", action="store_true", help="print Markdown for a pull request")
    return parser.parse_args()


def gate(against: str, chosen: Sequence[str] | None, markdown: bool) -> Outcome:
    """Compares, prints and returns the outcome. Raises a UserError where the two runs cannot be compared."""
    params = load_params()
    models = models_to_compare(params, chosen)
    say(f"gate: {', '.join(models)} against {against}")
    revision = Revision(against)
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder)
        there = fetch_run(revision, models, params, other)
        new = [model for model in models if model not in there]
        with naming(revision, other):
            findings = compare_runs(there, new, other, against, params.gate)
    print(gate_text(findings, markdown))
    say(f"gate: {findings.outcome}")
    return findings.outcome


def models_to_compare(params: Params, chosen: Sequence[str] | None) -> list[str]:
    """The chosen models, or all but the baseline; raises a UserError for one that is not in params.yaml."""
    for model in chosen or ():
        if model not in params.models:
            raise UserError(
                f"--model {model[:40]}", "it is not in params.yaml", f"known are {', '.join(params.models)}"
            )
    return list(chosen or ()) or [model for model in params.models if model != params.baseline] or [params.baseline]


if __name__ == "__main__":
    run(main)
