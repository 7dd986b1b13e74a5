"""Times the aggregate stage on made-up runs, start-up included, beside the floor of merely parsing the same rows.

Run     PYTHONPATH=scripts:. python tests/measurements/aggregate.py [questions ...]
Prints one Markdown table row per size; the promise is 100,000 questions x 4 models in 20 s and 1 GB, 2,000 in 3 s.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (2_000, 100_000)
MODELS = ("sft", "dpo", "orpo", "baseline")
REPOSITORY = Path(__file__).parent.parent.parent


def write(directory: Path, questions: int) -> None:
    """Writes a run; in a process of its own, so that its memory is not measured."""
    code = (
        "from pathlib import Path; from tests.made_up.run import Shape, write_run; "
        f"write_run(Path({str(directory)!r}), Shape(questions={questions}, models={MODELS!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": f"{REPOSITORY}/scripts:{REPOSITORY}"})


def parse_seconds(directory: Path) -> float:
    """The floor: every row of answers, judgements and comparisons parsed as JSON and dropped."""
    started = time.perf_counter()
    for path in sorted((directory / "data").glob("*/*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                json.loads(line)
    return time.perf_counter() - started


def main() -> None:
    """Measures every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=int, nargs="*", default=SIZES)
    sizes = parser.parse_args().questions
    print("| questions x models | rows MB | floor s | aggregate s | peak MB |\n|---|---|---|---|---|")
    for questions in sizes:
        with tempfile.TemporaryDirectory() as folder:
            directory = Path(folder)
            write(directory, questions)
            megabytes = sum(path.stat().st_size for path in (directory / "data").glob("*/*.jsonl")) / 1e6
            floor = parse_seconds(directory)
            started = time.perf_counter()
            command = [sys.executable, str(REPOSITORY / "scripts/aggregate.py")]
            done = subprocess.Popen(command, cwd=directory, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(done.pid, 0)
            seconds = time.perf_counter() - started
            if status:
                sys.exit("error: aggregate failed")
            peak = usage.ru_maxrss / 1e3
            print(f"| {questions:,} x {len(MODELS)} | {megabytes:.0f} | {floor:.1f} | {seconds:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
