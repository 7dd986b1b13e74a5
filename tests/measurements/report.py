"""How quick the report is: 2,000 questions and 4 models, opened in a real headless Chromium.

Run     PYTHONPATH=scripts:. python tests/measurements/report.py [questions]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser import chromium, opened
from tests.made_up.run import Shape, write_run
from tests.running import run_apart

REPEATS = 5
CHANGES = (  # a control of the answer browser, and what it is set to
    ("search", "tokenizer"), ("search", "tokenizer loss"), ("search", ""), ("show", "disagree"), ("criterion", "style"),
    ("score", "1"), ("model", "orpo"), ("length", "long"), ("order", "gain"), ("show", "orders"), ("show", ""),
    ("score", ""), ("length", ""), ("change", "worse"), ("order", "loss:accuracy"), ("finish", "length"),
    ("finish", ""), ("against", "dpo"), ("change", "better"), ("order", "gain:style"), ("against", ""), ("change", ""),
    ("model", ""), ("order", "longest"),
)  # fmt: skip
SET_AND_PAINT = """async ([name, value]) => {
  const control = document.getElementById("filter-" + name);
  const start = performance.now();
  control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}"""
FIRST_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => done(list.getEntries()[0].startTime))
  .observe({ type: "paint", buffered: true }))"""


def main() -> None:
    """Makes the run, writes its report, and times what a reader waits for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=int, nargs="?", default=2_000)
    questions = parser.parse_args().questions
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        directory = Path(folder)
        write_run(directory, Shape(questions=questions, models=("sft", "dpo", "orpo", "baseline")))
        done = run_apart(directory, "aggregate.py")
        assert done.returncode == 0, done.stderr
        start = time.perf_counter()
        done = run_apart(directory, "report.py")
        assert done.returncode == 0, done.stderr
        page = directory / "report/index.html"
        print(f"{questions:,} questions x 4 models")
        print(f"write the page           {time.perf_counter() - start:8.2f} s")
        print(f"size                     {page.stat().st_size / 1e6:8.2f} MB")
        paints, changes = zip(*(visit(browser, page) for _ in range(REPEATS)), strict=True)
        print(f"first paint              {statistics.median(paints):8.0f} ms")
        for (name, value), times in zip(CHANGES, zip(*changes, strict=True), strict=True):
            print(f"{f'{name} = {value!r}':24} {statistics.median(times):8.0f} ms")


def visit(browser: Browser, path: Path) -> tuple[float, list[float]]:
    """Milliseconds until the first paint, and until each change of a filter is painted."""
    with opened(browser, path) as watched:
        page: Page = watched.page
        return page.evaluate(FIRST_PAINT), [page.evaluate(SET_AND_PAINT, list(change)) for change in CHANGES]


if __name__ == "__main__":
    main()
