"""Times the check stage on made-up answers, beside the bare loop that only reads and writes the rows.

Run     PYTHONPATH=scripts:. python tests/measurements/checks.py [--answers 100000] [--kinds]
Prints one Markdown table row per set of checks; with --kinds one per kind, on a tenth of the answers.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.made_up.run import Shape, write_run
from tuneproof.records.handovers import ANSWERS
from tuneproof.records.rows import Check

REPOSITORY = Path(__file__).parent.parent.parent
ANSWER_COUNT, SENTENCES = 100_000, 10  # about 150 words each
TEN: dict[str, dict[str, Any]] = {
    "valid_json": {"kind": "json"},
    "numbered": {"kind": "regex", "pattern": r"(?m)^\d+\. "},
    "names": {"kind": "contains_any", "texts": ["token", "attention"], "ignore_case": True},
    "polite": {"kind": "starts_with", "text": "Dear"},
    "short": {"kind": "words", "at_most": 200},
    "sentences": {"kind": "sentences", "at_least": 2},
    "no_loop": {"kind": "repetition"},
    "no_refusal": {"kind": "refusal"},
    "finished": {"kind": "finish"},
    "shared_words": {"kind": "token_f1"},
}
FURTHER: dict[str, dict[str, Any]] = {
    "exact": {"kind": "exact_match"},
    "number": {"kind": "number_match"},
    "python": {"kind": "python_parses"},
    "english": {"kind": "language", "language": "en"},
    "rouge1": {"kind": "rouge1"},
    "rouge_l": {"kind": "rougeL"},
    "bleu": {"kind": "bleu"},
    "chrf": {"kind": "chrf"},
}
REFERENCES = {name: {"kind": kind} for name, kind in (("rouge_l", "rougeL"), ("bleu", "bleu"), ("chrf", "chrf"))}


def main() -> None:
    """Makes the answers up once, then times every set of checks on them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=ANSWER_COUNT)
    parser.add_argument("--kinds", action="store_true", help="time every kind alone, on a tenth of the answers")
    arguments = parser.parse_args()
    answers = arguments.answers // 10 if arguments.kinds else arguments.answers
    each = {name: {name: one} for name, one in (TEN | FURTHER).items()}
    sets = each if arguments.kinds else {"none": {}, "ten": TEN, "ten, and rougeL, bleu, chrf": TEN | REFERENCES}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_run(root, Shape(questions=answers, models=("sft",), compare=False, sentences=SENTENCES))
        print(f"{answers} answers, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print("| checks | s | CPU s | bare loop s | microseconds a check | MB |\n|---|---|---|---|---|---|")
        bare = bare_loop(root)
        for name, checks in sets.items():
            seconds, cpu_seconds, megabytes = run_stage(root, checks)
            a_check = f"{cpu_seconds / answers / len(checks) * 1e6:.0f}" if checks else "-"
            print(f"| {name} | {seconds:.1f} | {cpu_seconds:.1f} | {bare:.1f} | {a_check} | {megabytes:.0f} |")


def bare_loop(root: Path) -> float:
    """Seconds to read every answer and write an empty row for it, in this process: no set of checks takes less."""
    start = time.perf_counter()
    with (root / "bare.jsonl").open("w") as file:
        for answer in ANSWERS.iterate("sft", root):
            row = Check(id=answer.id, sample=answer.sample, scores={}, reasons={}, status="ok")
            file.write(row.model_dump_json() + "\n")
    return time.perf_counter() - start


def run_stage(root: Path, checks: dict[str, dict[str, Any]]) -> tuple[float, float, float]:
    """Seconds, the processor's seconds and the most memory of one process, in MB, of the stage with these checks."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    (root / "params.yaml").write_text(yaml.safe_dump(params | {"check": checks}))
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, REPOSITORY / "scripts" / "check.py", "sft"], cwd=root, check=True, capture_output=True
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu_seconds, after.ru_maxrss / 1024


if __name__ == "__main__":
    main()
