"""Times a run whose later weights arrive while earlier models answer beside one that fetches each in its turn.

Run     PYTHONPATH=scripts:. python tests/measurements/prefetch.py [--megabytes 160] [--rate 20] [--engine 10]
Prints one Markdown table row and the timeline of the second run. Three small models whose weights are padded come from
a local Hub that gives so many megabytes a second; each engine (transformers) takes so many seconds more to start.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Project
from tests.made_up.following import plain
from tests.made_up.judging import write_rows
from tests.made_up.weights import padded
from tests.servers.hub.server import HubServer, running_hub

MODELS = {"sft": "sft", "dpo": "dpo", "baseline": "base"}
SLOWED = """
import runpy, sys, time
from contextlib import contextmanager
scripts, model, seconds = sys.argv[1:]
sys.path.insert(0, scripts)
from tuneproof.generation.engines import transformers as engine
real = engine.start
@contextmanager
def start(job):
    with real(job) as ask:
        time.sleep(float(seconds))
        yield ask
engine.start = start
sys.argv = ["generate.py", model]
runpy.run_path(f"{scripts}/generate.py", run_name="__main__")
"""


def main() -> None:
    """Runs both ways and prints what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=160, help="of each model's weights")
    parser.add_argument("--rate", type=float, default=20, help="megabytes a second that the Hub gives")
    parser.add_argument("--engine", type=float, default=10, help="seconds that an engine takes more to start")
    chosen = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    took, drawn, asked = {}, "", list[str | None]()
    with running_hub() as hub:
        hub.bytes_per_second = chosen.rate * 1e6
        for key, name in MODELS.items():
            hub.hub.add("model", f"team/{key}", checkpoint(name, chosen.megabytes * 1_000_000))
        for enabled in (False, True):
            with project_of(hub, enabled) as (project, environment):
                began = time.perf_counter()
                for model in MODELS:
                    command = [sys.executable, "-c", SLOWED, str(ROOT / "scripts"), model, str(chosen.engine)]
                    subprocess.run(
                        command, cwd=project.root, env=environment, check=True, stderr=subprocess.DEVNULL
                    )  # fmt: skip
                took[enabled] = time.perf_counter() - began
                drawn = timeline(environment)
                asked = [request.range for request in hub.requests if request.path.startswith("/storage/")]
                hub.requests.clear()
    print("| models | MB each | MB/s | engine s | one download's s | each when its turn comes s | ahead s |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {len(MODELS)} | {chosen.megabytes} | {chosen.rate:g} | {chosen.engine:g} "
        f"| {chosen.megabytes / chosen.rate:.1f} | {took[False]:.1f} | {took[True]:.1f} |"
    )
    print(drawn)
    print(f"ranges of weights that were asked for, None a whole file: {asked}")


def checkpoint(name: str, padding_bytes: int) -> dict[str, bytes]:
    """The files of a small model of this repository, with weights that take long to download."""
    files = {path.name: path.read_bytes() for path in (ROOT / "data" / "embedded" / "models" / name).iterdir()}
    return files | {"model.safetensors": padded(files["model.safetensors"], padding_bytes)}


@contextmanager
def project_of(hub: HubServer, enabled: bool) -> Iterator[tuple[Project, dict[str, str]]]:
    """A validated project with an empty ledger and an empty cache of the Hub, and the environment of its stages."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        root.mkdir()
        project = Project(root)
        environment = {
            "HF_ENDPOINT": hub.url, "HF_HOME": f"{folder}/home", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
            "DVC_ROOT": str(root),
        }  # fmt: skip
        write_rows(project, "questions.jsonl", plain(8))
        models: Any = {key: {"engine": "transformers", "prompt": "alpaca", "id": f"team/{key}"} for key in MODELS}
        project.set(
            questions__dataset="questions.jsonl", models=models, generate__sampling__max_tokens=16,
            judge__base_url="http://localhost:9/v1", execution__generate__prefetch={"enabled": enabled},
        )  # fmt: skip
        project.run_ok("validate.py", **environment)
        yield project, os.environ | environment


def timeline(environment: dict[str, str]) -> str:
    """What `make timeline` prints."""
    command = [sys.executable, "-m", "tuneproof.records.writing.timeline"]
    done = subprocess.run(
        command, cwd=ROOT / "scripts", env=environment, check=True, capture_output=True, text=True
    )  # fmt: skip
    return done.stdout


if __name__ == "__main__":
    main()
