"""Times generating in two turns on vLLM beside the very same prompts asked at once: what does waiting for a turn cost?

Run     PYTHONPATH=scripts:. python tests/measurements/turns.py [--questions N] [--pairs N]
Prints the ratio of the two speeds, rendering and ledger included, the median of pairs of runs on one engine; its cache
of prefixes is emptied before each. Measures in vLLM's environment, whose python is named by TUNEPROOF_VLLM_PYTHON.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.measurements.generation import ON_THE_CPU, REPOSITORY, SMALL_MODEL, job_for, questions_for

SECOND_TURN = "Now say it again in other words."


def main() -> None:
    """Measures in a process of vLLM's own environment, and prints a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen)))
        return
    python = os.environ.get("TUNEPROOF_VLLM_PYTHON", sys.executable)
    command = [python, __file__, *sys.argv[1:], "--measure"]
    paths = os.pathsep.join([str(REPOSITORY / "scripts"), str(REPOSITORY)])
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": paths})
    if done.returncode:
        sys.exit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{chosen.questions:,} questions in two turns: {found['turns']:,.0f} tokens/s turn by turn, "
        f"{found['at once']:,.0f} at once; ratio {found['ratio']:.3f} ({found['lowest']:.3f} to {found['highest']:.3f})"
    )


def measure(chosen: argparse.Namespace) -> dict[str, float]:
    """Both ways in turns, on one engine."""
    settings = argparse.Namespace(
        model=SMALL_MODEL, vllm=ON_THE_CPU, execution={"enforce_eager": True}, max_tokens=48, questions=[0]
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        from tuneproof.generation.engines import vllm

        job = job_for(settings)
        job = replace(job, resolved=job.resolved.model_copy(update={"prompt": "chat"}))
        questions = [
            question.model_copy(
                update={"history": [], "turns": [question.instruction, SECOND_TURN], "references": [None, None]}
            )
            for question in questions_for(chosen.questions)
        ]
        with vllm.started_engine(job) as engine:
            run(job, engine, questions[:32], Path("warm.sqlite"))
            pairs = [run(job, engine, questions, Path(f"{pair}.sqlite")) for pair in range(chosen.pairs)]
    tokens = pairs[0][2]
    ratios = [at_once / turns for turns, at_once, _ in pairs]
    return {
        "turns": tokens / statistics.median(turns for turns, _, _ in pairs),
        "at once": tokens / statistics.median(at_once for _, at_once, _ in pairs),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def run(job: Any, engine: Any, questions: Sequence[Any], path: Path) -> tuple[float, float, int]:
    """The seconds of generating turn by turn, and at once; and the tokens of each."""
    import generate
    from tuneproof.generation.conversations.landing import finished
    from tuneproof.generation.conversations.messages import Conversation
    from tuneproof.generation.conversations.turns import Turns
    from tuneproof.generation.engines import vllm
    from tuneproof.records.ledger import Ledger

    render, samples = vllm.renderer(job), tuple(range(job.samples))
    conversations, seconds = [Conversation(question, samples) for question in questions], []
    for name in ("turns", "at-once"):
        with Ledger(path.with_stem(f"{path.stem}-{name}")) as ledger:
            turns = Turns(render, partial(ledger.take, read=finished))
            engine.runner.run(engine.engine.reset_prefix_cache())
            with contextlib.redirect_stderr(io.StringIO()):
                started = time.perf_counter()
                asked = render(conversations)
                if name == "at-once":
                    asked = [replace(request, conversation=None) for request in asked]
                generate.generate(job, contextlib.nullcontext(engine.answer), asked, turns, ledger, rows=None)
                seconds.append(time.perf_counter() - started)
            if name == "turns":
                chains = list(turns.chains(asked))
        requests = [chain[turn][0] for turn in (0, 1) for chain in chains]
        conversations = [request.conversation for request in requests if request.conversation]
    tokens = sum(result.answer_tokens or 0 for chain in chains for _, result in chain if result)
    return seconds[0], seconds[1], tokens


if __name__ == "__main__":
    main()
