"""What the stage benchmark costs beside the harness alone, and how small a drop its presets show.

Run     PYTHONPATH=scripts:. python tests/measurements/benchmarks.py [--power]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.conftest import ROOT, Project
from tests.made_up.benchmark_tasks import write_choice
from tuneproof.statistics.intervals import difference_interval
from tuneproof.statistics.shipping import guard

ITEMS = 625  # of four choices: 2,500 requests
SFT = "data/embedded/models/sft"
PLAIN = """
import time, lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
lm = HFLM(pretrained={folder!r}, dtype="float32", device="cpu", batch_size=32)
manager = TaskManager(include_defaults=False, include_path="tasks")
began = time.process_time()
lm_eval.simple_evaluate(model=lm, tasks=["choice"], task_manager=manager, log_samples=True, bootstrap_iters=1)
print("plain", time.process_time() - began)
"""
DRAWS = 400
ALPHA = 0.05


def main() -> None:
    """Measures one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--power", action="store_true")
    (power if parser.parse_args().power else overhead)()


def overhead() -> None:
    """Seconds of the processor for 2,500 requests: the harness alone, the stage, the stage with all in the ledger."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        write_choice(project.root, ITEMS)
        (project.root / "questions.jsonl").write_text('{"instruction": "Why?", "output": "So."}\n')
        models = {"sft": {"id": SFT, "engine": "transformers", "prompt": "alpaca"}}
        project.set(models=models, baseline="sft", questions__dataset="questions.jsonl")
        project.set(
            generate__transformers__dtype="float32", benchmark={"tasks": {"choice": {"path": "tasks/choice.yaml"}}}
        )
        project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
        plain = run(project.root, "-c", PLAIN.format(folder=SFT))
        asked = run(project.root, str(ROOT / "scripts/benchmark.py"), "sft")
        again = run(project.root, str(ROOT / "scripts/benchmark.py"), "sft")
        harness = float(re.findall(r"plain ([\d.]+)", plain[0])[0])
        print(f"harness alone: {harness:.1f} s of the processor for its evaluation, {plain[1]:.1f} s with its start")
        print(f"the stage: {asked[1]:.1f} s with its start; ratio {asked[1] / plain[1]:.3f}")
        print(f"again, all in the ledger: {again[1]:.1f} s of the processor, {again[2]:.1f} s by the clock")


def run(root: Path, *arguments: str) -> tuple[str, float, float]:
    """What a program prints, its seconds of the processor, and those of the clock."""
    before, began = os.times(), time.monotonic()
    done = subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=False)
    after = os.times()
    assert done.returncode == 0, done.stderr
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout + done.stderr, used, time.monotonic() - began


def power() -> None:
    """By items and the share of items on which two models differ: the drop shown, and the margin excluded, in 80 %."""
    print("items  differ  drop shown in 80 %  margin that a model without a drop excludes in 80 %")
    for items in (200, 250, 570):
        for differing in (0.1, 0.2, 0.3):
            print(f"{items:5d}  {differing:6.1f}  {drop_shown(items, differing):18.3f}  {margin(items, differing):.3f}")


def draws(
    items: int, differing: float, drop: float, random: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Paired differences of yes/no items with this mean drop."""
    chances = [(differing + drop) / 2, 1 - differing, (differing - drop) / 2]
    return random.choice(np.array([-1.0, 0.0, 1.0]), size=items, p=chances)


def drop_shown(items: int, differing: float) -> float:
    """The smallest drop, in steps of half a point, that is a verdict in 80 % of repeats."""
    random = np.random.default_rng(1)
    for drop in np.arange(0.005, differing, 0.005):
        found = [
            difference_interval(draws(items, differing, drop, random), ALPHA, (0, 1)).high < 0 for _ in range(DRAWS)
        ]
        if np.mean(found) >= 0.8:
            return float(drop)
    return float("nan")


def margin(items: int, differing: float) -> float:
    """The smallest margin, in steps of half a point, that holds in 80 % of repeats where nothing dropped."""
    random = np.random.default_rng(2)
    lows = [guard(draws(items, differing, 0.0, random), 0.1, ALPHA, (0, 1), 30).low or -1.0 for _ in range(DRAWS)]
    return float(np.ceil(-np.quantile(lows, 0.2) * 200) / 200)


if __name__ == "__main__":
    main()
