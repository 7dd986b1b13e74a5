"""Times a run whose judge follows generation beside one that judges afterwards: at best it takes what the longer takes.

Run     PYTHONPATH=scripts:. python tests/measurements/following.py [--questions 150] [--minute 500] [--latency 0.5]
Prints one Markdown table row. Models and judge are servers of their own, each under the same limit of requests a
minute; the stages are processes, as DVC starts them, for three models.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conftest import Project
from tests.made_up.following import plain, with_servers
from tests.measurements.judging import REPOSITORY, serving

MODELS = ("sft", "dpo", "baseline")


def main() -> None:
    """Runs both ways and prints what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=150)
    parser.add_argument("--minute", type=int, default=500, help="requests a minute that each server lets in")
    parser.add_argument("--latency", type=float, default=0.5)
    chosen = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("| answers | generating s | judging s | one after the other s | following s | x the longer | bought twice |")
    print("|---|---|---|---|---|---|---|")
    with project_of(chosen, follow=False) as (project, _):
        generating = sum(seconds(project, "generate.py", model) for model in MODELS)
        judging = sum(seconds(project, "judge.py", model) for model in MODELS)
    with project_of(chosen, follow=True) as (project, judge):
        stages = [(script, model) for script in ("generate.py", "judge.py") for model in MODELS]
        together = sum(seconds(project, *stage) for stage in stages)
        counts = json.loads(urllib.request.urlopen(judge.removesuffix("/v1") + "/counts").read())  # noqa: S310 (local)
    twice = sum(count > 1 for count in counts["paid"].values())
    answers, longer = len(MODELS) * chosen.questions, max(generating, judging)
    print(
        f"| {answers} | {generating:.1f} | {judging:.1f} | {generating + judging:.1f} | {together:.1f} "
        f"| {together / longer:.2f} | {twice} |"
    )


@contextmanager
def project_of(chosen: argparse.Namespace, follow: bool) -> Iterator[tuple[Project, str]]:
    """A project with an empty ledger and servers that have seen nothing; gives it and the judge's address."""
    limits = ["--latency", str(chosen.latency), "--requests-per-minute", str(chosen.minute), "--burst-seconds", "1"]
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model, judge = (stack.enter_context(serving(limits)) for _ in range(2))
        project = with_servers(Project(root), model, judge, plain(chosen.questions), MODELS, concurrency=32)
        project.set(execution__judge__follow=follow)
        yield project, judge


def seconds(project: Project, script: str, model: str) -> float:
    """How long a stage takes, as a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, str(REPOSITORY / "scripts" / script), model]
    subprocess.run(command, cwd=project.root, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
