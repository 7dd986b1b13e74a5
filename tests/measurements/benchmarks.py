"""What the stage benchmark costs beside the harness alone, and how small a drop its presets show.

Run     PYTHONPATH=scripts:. python tests/measurements/benchmarks.py [--power]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import ROOT, Project
from tests.made_up.benchmark_tasks import write_choice
from tuneproof.records.files import rows_text
from tuneproof.records.ledger import Ledger
from tuneproof.scoring.benchmarks.asking import ChatTemplate, RecordedModel
from tuneproof.scoring.benchmarks.harness import evaluate, quiet_harness
from tuneproof.scoring.benchmarks.huggingface import answer_with
from tuneproof.scoring.benchmarks.tasks import load_tasks
from tuneproof.settings.evidence.benchmarks import Benchmarks
from tuneproof.sources.hub.pins import Pins
from tuneproof.statistics.intervals import difference_interval
from tuneproof.statistics.shipping import guard

ITEMS = 625  # of four choices: 2,500 requests
SFT = ROOT / "data/embedded/models/sft"
TURNS = 5
DRAWS = 400
ALPHA = 0.05


def main() -> None:
    """Measures one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--power", action="store_true")
    (power if parser.parse_args().power else overhead)()


def overhead() -> None:
    """Seconds of the processor that 2,500 requests take: the harness alone, through the ledger into rows, and again."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        write_choice(project.root, ITEMS)
        os.chdir(project.root)
        quiet_harness()
        settings = Benchmarks.model_validate({"tasks": {"choice": {"path": "tasks/choice.yaml"}}})
        model, tokenizer = load()
        harness_alone(model, tokenizer)  # what it imports and compiles is no part of either
        ratios = []
        for turn in range(TURNS):
            with Ledger(project.root / f"ledger{turn}.sqlite") as ledger:
                alone = timed(lambda: harness_alone(model, tokenizer))
                through = timed(partial(through_the_ledger, settings, model, tokenizer, ledger))
                again = timed(partial(through_the_ledger, settings, model, tokenizer, ledger))
            ratios.append(through / alone)
            print(f"harness alone {alone:.2f} s, through ledger and rows {through:.2f} s: ratio {ratios[-1]:.3f}")
            print(f"again, all in the ledger: {again:.2f} s without the start")
        print(f"the middle ratio of {TURNS}: {np.median(ratios):.3f}")


def load() -> tuple[Any, Any]:
    """The small model and its tokenizer, on one thread."""
    import torch
    import transformers

    torch.set_num_threads(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(SFT, dtype=torch.float32)
    return model, transformers.AutoTokenizer.from_pretrained(SFT)


def harness_alone(model: Any, tokenizer: Any) -> None:
    """As lm-eval's own function runs it."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_defaults=False, include_path="tasks")
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=32)
    lm_eval.simple_evaluate(model=lm, tasks=["choice"], task_manager=manager, log_samples=True, bootstrap_iters=1)


def through_the_ledger(settings: Benchmarks, model: Any, tokenizer: Any, ledger: Ledger) -> None:
    """As the stage runs it, up to the text of the rows."""
    tasks = load_tasks(settings, Pins())
    template = ChatTemplate(lambda: tokenizer, {}, "measurement")
    answer = answer_with(model, tokenizer, [1], 32)
    with RecordedModel({}, {"choice": "1.0"}, lambda: nullcontext(answer), ledger, template, "measurement") as recorded:
        rows_text(evaluate(tasks, recorded, settings).rows)


def timed(work: Callable[[], None]) -> float:
    """Seconds of the processor."""
    began = time.process_time()
    work()
    return time.process_time() - began


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
