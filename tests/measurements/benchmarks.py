"""What the stage benchmark costs beside the harness alone, how small a drop its presets show, and what groups cover.

Run     PYTHONPATH=scripts:. python tests/measurements/benchmarks.py [--power | --groups]
"""

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from lm_eval import evaluator

from tests.conftest import ROOT, Project
from tests.made_up.benchmark_tasks import write_choice
from tuneproof.records.files import rows_text
from tuneproof.records.ledger import Ledger
from tuneproof.scoring.benchmarks import huggingface
from tuneproof.scoring.benchmarks.asking import ChatTemplate, RecordedModel
from tuneproof.scoring.benchmarks.harness import evaluate, quiet_harness
from tuneproof.scoring.benchmarks.huggingface import answer_with
from tuneproof.scoring.benchmarks.tasks import load_tasks
from tuneproof.settings.evidence.benchmarks import Benchmarks
from tuneproof.sources.hub.pins import Pins
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.intervals import difference_interval
from tuneproof.statistics.shipping import guard

ITEMS = 625  # of four choices: 2,500 requests
SFT = ROOT / "data/embedded/models/sft"
TURNS = 9
DRAWS = 400
ALPHA = 0.05
WORLDS = 2_000
# BIG-Bench Hard: 27 tasks of 250 items but for three (Suzgun et al. 2022, https://arxiv.org/abs/2210.09261)
BBH_SIZES = [250] * 24 + [187, 146, 178]


def main() -> None:
    """Measures one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--power", action="store_true")
    parser.add_argument("--groups", action="store_true")
    arguments = parser.parse_args()
    (power if arguments.power else groups if arguments.groups else overhead)()


def overhead() -> None:
    """Seconds of the processor that 2,500 requests take: the harness alone, through the ledger into rows, and again.

    A machine that others use too gives either other seconds every time. So within each run through the ledger its own
    part is timed as well: all that is neither the harness nor the model.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        write_choice(project.root, ITEMS)
        os.chdir(project.root)
        quiet_harness()
        settings = Benchmarks.model_validate({"tasks": {"choice": {"path": "tasks/choice.yaml"}}})
        model, tokenizer = load()
        harness_alone(model, tokenizer)  # what it imports and compiles is no part of either
        ratios, shares = [], []
        for turn in range(TURNS):
            with Ledger(project.root / f"ledger{turn}.sqlite") as ledger, timed_parts() as seconds:
                alone = timed(lambda: harness_alone(model, tokenizer))
                seconds.clear()
                through = timed(partial(through_the_ledger, settings, model, tokenizer, ledger))
                own = through - seconds["tasks"] - seconds["harness"] + seconds["ledger"] - seconds["model"]
                again = timed(partial(through_the_ledger, settings, model, tokenizer, ledger))
            ratios.append(through / alone)
            shares.append(own / (through - own))
            print(f"harness alone {alone:.2f} s, through ledger and rows {through:.2f} s (ratio {ratios[-1]:.3f}), of")
            print(f"which {own:.3f} s ({shares[-1]:.1%}) is neither harness nor model; again, all known: {again:.2f} s")
        print(f"of {TURNS} the middle ratio: {np.median(ratios):.3f}, the middle share: {np.median(shares):.1%}")
        print(f"from {min(ratios):.3f} to {max(ratios):.3f}, and from {min(shares):.1%} to {max(shares):.1%}")


@contextmanager
def timed_parts() -> Iterator[dict[str, float]]:
    """Adds up what the parts of a run take of the processor: tasks, harness, within it the ledger, within that a model.

    The ledger waits for its thread before it asks a model again, so that this is counted too.
    """
    seconds: dict[str, float] = defaultdict(float)

    def wrapped(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return work(*given, **named)
            finally:
                seconds[name] += time.process_time() - began

        return counted

    parts = {
        "tasks": (sys.modules[__name__], "load_tasks"), "harness": (evaluator, "evaluate"),
        "ledger": (RecordedModel, "_responses"), "model": (huggingface, "responses_of"),
    }  # fmt: skip
    with ExitStack() as stack:
        for name, (owner, attribute) in parts.items():
            stack.enter_context(patch.object(owner, attribute, wrapped(name, getattr(owner, attribute))))
        yield seconds


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
    for items, tasks in ((200, None), (250, None), (570, np.repeat(np.arange(57.0), 10))):
        for differing in (0.1, 0.2, 0.3):
            shown, excluded = drop_shown(items, differing, tasks), margin(items, differing, tasks)
            print(f"{items:5d}  {differing:6.1f}  {shown:18.3f}  {excluded:.3f}")


def draws(items: int, differing: float, drop: float, random: np.random.Generator) -> Array:
    """Paired differences of yes/no items with this mean drop."""
    chances = [(differing + drop) / 2, 1 - differing, (differing - drop) / 2]
    return random.choice(np.array([-1.0, 0.0, 1.0]), size=items, p=chances)


def drop_shown(items: int, differing: float, tasks: Array | None) -> float:
    """The smallest drop, in steps of half a point, that is a verdict in 80 % of repeats."""
    random = np.random.default_rng(1)
    for drop in np.arange(0.005, differing, 0.005):
        found = [
            difference_interval(draws(items, differing, drop, random), ALPHA, (0, 1), tasks).high < 0
            for _ in range(DRAWS)
        ]
        if np.mean(found) >= 0.8:
            return float(drop)
    return float("nan")


def margin(items: int, differing: float, tasks: Array | None) -> float:
    """The smallest margin, in steps of half a point, that holds in 80 % of repeats where nothing dropped."""
    random = np.random.default_rng(2)
    found = [guard(draws(items, differing, 0.0, random), 0.1, ALPHA, (0, 1), 30, tasks) for _ in range(DRAWS)]
    lows = [one.low or -1.0 for one in found]
    return float(np.ceil(-np.quantile(lows, 0.2) * 200) / 200)


def groups() -> None:
    """By kind of group: how often intervals hold the true gain, as one sample and by tasks, and a guard a true drop."""
    print("group | spread of gains | coverage as one sample (width) | by tasks (width) | guard holds at its margin")
    kinds = {
        "mmlu, 10 of each": ([10] * 57, False), "bbh": (BBH_SIZES, False),
        "8 tasks of 8-60 items, alike": ([60, 40, 30, 30, 20, 12, 8, 8], True),
    }  # fmt: skip
    for name, (sizes, alike) in kinds.items():
        for spread in (0.0, 0.05, 0.2, 0.5):
            print(f"{name} | {spread} | {group_figures(sizes, alike, spread)}", flush=True)


def group_figures(sizes: list[int], alike: bool, spread: float) -> str:
    """One row: yes/no items of which a third differ, in tasks whose true gains have this standard deviation."""
    random = np.random.default_rng(3)
    gains = np.clip(random.normal(-0.02, spread, len(sizes)), -0.9, 0.9)
    labels = np.repeat(np.arange(float(len(sizes))), sizes)
    weights = len(labels) / (len(sizes) * np.repeat(sizes, sizes)) if alike else np.ones(len(labels))
    truth = float((np.repeat(gains, sizes) * weights).mean())
    scale = (0.0, float(weights.max()))
    differing = np.maximum(np.abs(gains) + 0.05, 1 / 3)
    better, worse = (np.repeat((differing + sign * gains) / 2, sizes) for sign in (1, -1))
    held, widths, guards = np.zeros(2), np.zeros(2), 0
    for _ in range(WORLDS):
        drawn = random.random(len(labels))
        values = np.where(drawn < better, 1.0, np.where(drawn < better + worse, -1.0, 0.0)) * weights
        for place, tasks in enumerate((None, labels)):
            found = difference_interval(values, ALPHA, scale, tasks)
            held[place] += found.low <= truth <= found.high
            widths[place] += found.high - found.low
        guards += guard(values, -truth, ALPHA, scale, 30, labels).outcome == "held"
    one, by_tasks = (f"{100 * held[place] / WORLDS:.1f} ({widths[place] / WORLDS:.3f})" for place in (0, 1))
    return f"{one} | {by_tasks} | {100 * guards / WORLDS:.1f}"


if __name__ == "__main__":
    main()
