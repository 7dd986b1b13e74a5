"""Writes the report: one page that opens offline, with the verdicts, the charts and every answer side by side.

Reads   params.yaml, data/questions.jsonl, data/resolved/*.json, data/answers/*.jsonl, data/judgements/*.jsonl,
        data/comparisons/*.jsonl, data/checks/*.jsonl, data/benchmarks/*.jsonl (where there are any),
        data/labels/*.jsonl, data/details/*.json
Writes  report/index.html, report/summary.md
Run     python scripts/report.py
"""

import argparse

from tuneproof.common.errors import run, say
from tuneproof.common.files import write_text
from tuneproof.records.handovers import QUESTIONS, REPORT_DIRECTORY
from tuneproof.results.details.model import read_all_details
from tuneproof.results.report.browser import answer_browser
from tuneproof.results.report.labels import read_page_labels
from tuneproof.results.report.losses import worst_questions
from tuneproof.results.report.page import left_out, render
from tuneproof.results.summary import summary_markdown
from tuneproof.settings.reading import load_params
from tuneproof.settings.worlds import say_note, world_note, world_params

PAGE_FILE = REPORT_DIRECTORY / "index.html"
SUMMARY_FILE = REPORT_DIRECTORY / "summary.md"


def main() -> None:
    """Reads what the other stages wrote and puts it on one page."""
    parse_arguments()
    params = load_params()
    models = read_all_details(params)
    world = world_params(params, models[0].run.run)
    questions = QUESTIONS.read()
    say(f"report: {len(questions)} questions, {len(models)} models")
    browser = answer_browser(models, questions, read_page_labels(world))
    page = render(models, world, browser, worst_questions(models, questions))
    write_text(PAGE_FILE, page)
    write_text(SUMMARY_FILE, summary_markdown(models))
    say(f"report: wrote {PAGE_FILE} ({len(page.encode()) / 1e6:.1f} MB) and {SUMMARY_FILE}")
    if left_out(browser):
        say(f"report: {left_out(browser)}")
    if note := world_note(params, models[0].run.run):
        say_note("report", note, params)


def parse_arguments() -> argparse.Namespace:
    """The command line, which takes nothing but --help."""
    return argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()


if __name__ == "__main__":
    run(main)
