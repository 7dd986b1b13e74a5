"""How quick the page for raters is: from the command to the first answer, and from a key to a saved rating.

Run     PYTHONPATH=scripts:. python tests/measurements/annotate.py [questions] [labels]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser import chromium
from tests.made_up.rating import Served, served, write_rated_run
from tests.made_up.run import Shape
from tests.waiting import PATIENCE_SECONDS

STARTS, PRESSES = 5, 100
PRESS = """(key) => new Promise((done) => {
  const start = performance.now();
  new MutationObserver((_, watching) => { watching.disconnect(); done(performance.now() - start); })
    .observe(document.getElementById("criteria"), { childList: true });
  document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
})"""


def main() -> None:
    """Makes a run with labels and times what a rater waits for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=int, nargs="?", default=2_000)
    parser.add_argument("labels", type=int, nargs="?", default=2_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        run = write_rated_run(Path(folder), Shape(questions=arguments.questions), sample=3 * arguments.questions)
        print(f"{arguments.questions:,} questions x 3 models, all asked")
        for labels in (0, arguments.labels):
            with served(run, "anna") as server:
                rate_through_the_server(server, labels)
                requests = [rate_through_the_server(server, 1)[0] for _ in range(PRESSES)]
            starts, works = zip(*(start(browser, run) for _ in range(STARTS)), strict=True)
            with served(run, "anna") as server:
                before = processor_seconds(server)
                presses = press(browser, server)
                work = (processor_seconds(server) - before) / PRESSES
            print(f"with {labels:,} labels and more, load {os.getloadavg()[0]:.0f}")
            print(f"  command to first answer  {statistics.median(starts):8.2f} s median, {min(starts):.2f} s shortest")
            print(f"  of it the server's work  {statistics.median(works):8.2f} s of processor time")
            print(f"  one save at the server   {in_words(requests)}")
            print(f"  server's work per key    {1_000 * work:8.1f} ms of processor time, with sending the next answer")
            print(f"  key to the next step     {in_words(presses)}")


def rate_through_the_server(server: Served, count: int) -> list[float]:
    """Milliseconds of each of so many further ratings."""
    items = server.ask("anna", "/api/overview")[1]["items"]
    found = []
    for item in [one for one in items if one["state"] == "open"][:count]:
        body = json.dumps({"scores": {"accuracy": 2, "style": 3}, "note": "As good as most.", "seconds": 9.5}).encode()
        begun = time.perf_counter()
        status, _ = server.ask("anna", f"/api/items/{item['key']}", body)
        found.append(1_000 * (time.perf_counter() - begun))
        assert status == 200
    return found


def processor_seconds(server: Served) -> float:
    """The processor time that the server has taken so far (Linux: fields 14 and 15 of /proc/<pid>/stat)."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(browser: Browser, run: Path) -> tuple[float, float]:
    """Seconds from the command to an answer in a browser that is open already, and the server's processor time."""
    begun = time.perf_counter()
    with served(run, "anna") as server, browser.new_context() as context:
        page = context.new_page()
        page.goto(server.addresses["anna"])
        page.wait_for_selector("#item:not([hidden])", timeout=1_000 * PATIENCE_SECONDS)
        return time.perf_counter() - begun, processor_seconds(server)


def press(browser: Browser, server: Served) -> list[float]:
    """Milliseconds from each key to what comes next on the page, which is when the rating is on disk."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.addresses["anna"])
        page.wait_for_selector("#item:not([hidden])", timeout=1_000 * PATIENCE_SECONDS)
        return [page.evaluate(PRESS, str(number % 3 + 1)) for number in range(PRESSES)]


def in_words(milliseconds: Sequence[float]) -> str:
    """Median, 95th percentile and the longest."""
    ordered = sorted(milliseconds)
    high = ordered[int(0.95 * len(ordered))]
    return f"{statistics.median(ordered):8.1f} ms median, {high:.1f} ms 95th percentile, {ordered[-1]:.1f} ms longest"


if __name__ == "__main__":
    main()
