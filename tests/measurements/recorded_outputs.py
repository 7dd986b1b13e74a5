"""Holds the harness's filters and metrics, as the stage uses them, against whole files of recorded outputs.

Not part of `make measurements`: it needs the files, in the form of tests/tuneproof/scoring/benchmarks/recorded.

Run     PYTHONPATH=scripts:. python tests/measurements/recorded_outputs.py <bbh.jsonl> <gsm8k.jsonl>
"""

import argparse
import os
import tempfile
from pathlib import Path

from tests.made_up.recorded_outputs import evaluate_recorded, write_bbh, write_gsm8k
from tuneproof.scoring.benchmarks.harness import quiet_harness


def main() -> None:
    """Prints every task's items and accuracy, and how many verdicts on GSM8K's solutions are not the recorded ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bbh", type=Path)
    parser.add_argument("gsm8k", type=Path)
    arguments = parser.parse_args()
    bbh, gsm8k = arguments.bbh.resolve(), arguments.gsm8k.resolve()
    quiet_harness()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.chdir(root)
        os.environ["DVC_ROOT"] = name
        solutions, right = write_gsm8k(root, gsm8k)
        found = evaluate_recorded(write_bbh(root, bbh) | solutions, root / "ledger.sqlite")
    for task, summary in found.summary.tasks.items():
        print(f"{task}: {summary.items} items, {summary.metric} {summary.mean:.4f}")
    rows = [row for row in found.rows if row.criterion == "recorded_gsm8k"]
    found_right = [bool(row.scores["exact_match,strict-match"]) for row in rows]
    others = sum(one != recorded for one, recorded in zip(found_right, right.values(), strict=True))
    print(f"recorded_gsm8k: {others} verdicts are not the recorded ones")


if __name__ == "__main__":
    main()
