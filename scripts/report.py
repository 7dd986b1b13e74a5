"""Writes the report: one page that opens offline, with the verdicts, the charts and every answer side by side.

Reads   params.yaml, data/questions.jsonl, data/resolved/*.json, data/answers/*.jsonl, data/judgements/*.jsonl,
        data/comparisons/*.jsonl, data/checks/*.jsonl, data/benchmarks/*.jsonl (where there are any),
        data/labels/*.jsonl, data/details/*.json
Writes  report/index.html, report/summary.md; with --against only report/changes.html, this run beside another, from
        the same files of another Git revision or DVC experiment (from DVC's cache or remote)
Run     python scripts/report.py [--against <revision or experiment>]
"""

import argparse
import tempfile
from pathlib import Path

from tuneproof.common.errors import run, say
from tuneproof.common.files import write_text
from tuneproof.records.handovers import QUESTIONS, REPORT_DIRECTORY
from tuneproof.results.details.model import read_all_details
from tuneproof.results.report.browser.data import answer_browser
from tuneproof.results.report.labels import read_page_labels
from tuneproof.results.report.page import is_of_run, left_out, render, run_key
from tuneproof.results.report.sections.answers import telling_answers
from tuneproof.results.report.sections.losses import lost_to, worst_questions
from tuneproof.results.revisions import Revision
from tuneproof.results.summary import summary_markdown
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params
from tuneproof.settings.worlds import say_note, world_note, world_params

PAGE_FILE = REPORT_DIRECTORY / "index.html"
SUMMARY_FILE = REPORT_DIRECTORY / "summary.md"
CHANGES_FILE = REPORT_DIRECTORY / "changes.html"  # no out of DVC: it depends on the other run too


def main() -> None:
    """Reads what the other stages wrote and puts it on one page."""
    arguments = parse_arguments()
    params = load_params()
    if arguments.against is not None:
        write_changes(arguments.against, params)
        return
    models = read_all_details(params)
    world = world_params(params, models[0].run.run)
    questions = QUESTIONS.read()
    say(f"report: {len(questions)} questions, {len(models)} models")
    telling = telling_answers(models, questions)
    browser = answer_browser(models, questions, read_page_labels(world), [one.question for one in telling])
    page = render(models, world, browser, worst_questions(models, questions), lost_to(models, questions), telling)
    write_text(PAGE_FILE, page)
    write_text(SUMMARY_FILE, summary_markdown(models))
    remove_stale_changes(run_key(models))
    say(f"report: wrote {PAGE_FILE} ({len(page.encode()) / 1e6:.1f} MB) and {SUMMARY_FILE}")
    if left_out(browser):
        say(f"report: {left_out(browser)}")
    if note := world_note(params, models[0].run.run):
        say_note("report", note, params)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="REVISION", help="a Git revision or a DVC experiment to compare with")
    return parser.parse_args()


def remove_stale_changes(key: str) -> None:
    """Takes the page of changes away where it is of another run: this run's report names it, and would mislead."""
    if CHANGES_FILE.is_file() and not is_of_run(CHANGES_FILE, key):
        CHANGES_FILE.unlink()
        say(f"report: removed {CHANGES_FILE}, which compared another run; --against writes it anew")


def write_changes(against: str, params: Params) -> None:
    """Writes the page of changes: this run beside the one of a revision or experiment."""
    from tuneproof.results.gate.causes import explaining_files  # what compares loads numpy, and the report needs none
    from tuneproof.results.gate.findings import fetch_run, naming
    from tuneproof.results.gate.overview import compare_all
    from tuneproof.results.gate.page import changes_page, headline

    say(f"report: {', '.join(params.models)} against {against}")
    revision = Revision(against)
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder)
        there = fetch_run(revision, list(params.models), params, other)
        revision.fetch([path for path in explaining_files(params.models) if revision.has(path)], other)
        new = [model for model in params.models if model not in there]
        with naming(revision, other):
            overview = compare_all(there, new, other, (against, revision.commit), params)
            page = changes_page(overview, other, is_of_run(PAGE_FILE, run_key(overview.here)))
    write_text(CHANGES_FILE, page)
    say(f"report: wrote {CHANGES_FILE}; {headline(overview)}")


if __name__ == "__main__":
    run(main)
