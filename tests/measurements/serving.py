"""How long the service takes for a MiniLM-size int8 encoder: alone, at 20 a second, at 10 times its capacity.

The encoder has random weights (time does not depend on them): 6 layers, hidden size 384, a vocabulary of 30,522. Every
request is one answer of 128 tokens. The load comes from the same machine.

Run     PYTHONPATH=scripts:. python tests/measurements/serving.py [--seconds 60]
"""

import argparse
import asyncio
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from tuneproof.scoring.evaluator.contract import TOKENIZER, Base, Calibration, Manifest, Trained
from tuneproof.scoring.evaluator.encoder.exporting import FULL, SMALL, export, quantize
from tuneproof.scoring.evaluator.learning.training import write_evaluator

ROOT = Path(__file__).parents[2]
VOCABULARY, TOKENS = 30_522, 128
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
ALONE, RATE, OVERLOAD, OVERLOAD_SECONDS = 300, 20.0, 10, 20


def write_model(folder: Path) -> int:
    """Writes an evaluator with random weights; gives its number of parameters."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    transformers.logging.set_verbosity(logging.CRITICAL)
    words = {name: place for place, name in enumerate(SPECIAL)}
    words |= {f"w{place}": place for place in range(len(SPECIAL), VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / TOKENIZER))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
        num_labels=2,
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config).eval()
    export(model, [[2, *range(10, 40), 3], [2, *range(50, 60), 3]], folder / FULL)
    quantize(folder / FULL, folder / SMALL)
    (folder / FULL).unlink()
    manifest = Manifest(
        criterion="accuracy", model="encoder", columns=("input", "output"), classes=("1", "2", "3"),
        steps=(1.0, 2.0, 3.0), cuts=(0.25, 0.75), calibration=Calibration(), base=Base(id="random"),
        data=Trained(examples=1, questions=1, from_people=0, sha256="0" * 64), scores_with=SMALL, max_tokens=TOKENS,
        files={SMALL: "0" * 64},
    )  # fmt: skip
    write_evaluator(folder, manifest, {})
    return sum(parameter.numel() for parameter in model.parameters())


@dataclass
class Load:
    """Requests at a rate, whether the answers come in time or not; latencies are counted from when each was due."""

    address: str
    chance: random.Random = field(default_factory=lambda: random.Random(3))
    taken: dict[int, list[float]] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """One answer of exactly `TOKENS` tokens with the question, other ones every time."""
        words = [f"w{self.chance.randrange(4, VOCABULARY)}" for _ in range(TOKENS - 3)]
        return {"items": [{"input": " ".join(words[:30]), "output": " ".join(words[30:])}]}

    async def one(self, session: aiohttp.ClientSession, due: float, body: dict[str, object]) -> None:
        """Sends one request and notes its status and seconds."""
        try:
            async with session.post(f"{self.address}score", json=body) as response:
                await response.read()
                status = response.status
        except aiohttp.ClientError:
            status = 0
        self.taken.setdefault(status, []).append(time.perf_counter() - due)

    async def alone(self, requests: int) -> None:
        """One request at a time."""
        async with aiohttp.ClientSession() as session:
            for _ in range(requests):
                body = self.body()
                await self.one(session, time.perf_counter(), body)

    async def steady(self, per_second: float, seconds: float) -> None:
        """Requests at even distances."""
        bodies = [self.body() for _ in range(round(per_second * seconds))]
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            began, tasks = time.perf_counter(), []
            for place, body in enumerate(bodies):
                due = began + place / per_second
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.append(asyncio.create_task(self.one(session, due, body)))
            await asyncio.gather(*tasks)

    def milliseconds(self, status: int, percent: float) -> float:
        """A percentile of the time that answers of one status took."""
        return float(1000 * np.percentile(self.taken[status], percent)) if status in self.taken else float("nan")

    def line(self, what: str) -> str:
        """Counts by status and percentiles."""
        counts = Counter({status: len(taken) for status, taken in self.taken.items()})
        shown = ", ".join(f"{counts[status]} x {status}" for status in sorted(counts))
        parts = [
            f"{status}: p50 {self.milliseconds(status, 50):.1f} ms, p95 {self.milliseconds(status, 95):.1f} ms, "
            f"p99 {self.milliseconds(status, 99):.1f} ms"
            for status in sorted(counts)
        ]
        return f"{what}: {shown}; " + "; ".join(parts)


def measure(address: str, seconds: float, workers: int) -> None:
    """Prints a line for each load."""
    warm = Load(address)
    asyncio.run(warm.alone(30))
    alone = Load(address)
    asyncio.run(alone.alone(ALONE))
    print(alone.line("one at a time"), flush=True)
    steady = Load(address)
    asyncio.run(steady.steady(RATE, seconds))
    print(steady.line(f"{RATE:g} a second for {seconds:g} s"), flush=True)
    capacity = workers / float(np.mean(alone.taken[200]))
    over = Load(address)
    asyncio.run(over.steady(OVERLOAD * capacity, OVERLOAD_SECONDS))
    print(over.line(f"{OVERLOAD} times its capacity of {capacity:.0f} a second, for {OVERLOAD_SECONDS} s"), flush=True)
    ratio = over.milliseconds(200, 95) / alone.milliseconds(200, 95)
    print(f"p95 of what is accepted in the overload: {ratio:.2f} times that of one at a time", flush=True)


def main() -> None:
    """Makes the encoder, starts the service and asks it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the steady load")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 1), help="of the service")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        parameters = write_model(Path(name))
        size = (Path(name) / SMALL).stat().st_size
        print(f"{parameters / 1e6:.1f} M parameters, {size / 1e6:.0f} MB in int8, {os.cpu_count()} cores", flush=True)
        command = [sys.executable, str(ROOT / "scripts" / "serve.py"), "--evaluator", name, "--port", "0"]
        command += ["--workers", str(arguments.workers)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as service:
            try:
                assert service.stdout
                measure(service.stdout.readline().strip(), arguments.seconds, arguments.workers)
            finally:
                service.terminate()


if __name__ == "__main__":
    main()
