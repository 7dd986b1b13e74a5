"""Times the generate stage on vLLM beside raw LLM.generate: the same prompts, model and settings, both engines warm.

Run     PYTHONPATH=scripts:. python tests/measurements/generation.py [questions ...] [--model FOLDER] [--vllm JSON]
Prints one Markdown table row per size: the ratio of the stage's speed to raw vLLM's (the median of the pairs of
runs), what the stage adds per row, and by how much its memory grows. The stage's time is all of it but the engine's
start: rendering, ledger, generating, saving each answer, writing. Measures in vLLM's environment, whose python is named
by TUNEPROOF_VLLM_PYTHON.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

SIZES = (200, 2_000, 10_000)
REPOSITORY = Path(__file__).parent.parent.parent
SMALL_MODEL = REPOSITORY / "data" / "embedded" / "models" / "sft"
WORDS = ("why", "how", "loss", "model", "data", "train", "batch", "token", "rate", "decay", "weight", "layer", "tune")
ON_THE_CPU = {"dtype": "float32", "max_model_len": 512}


def main() -> None:
    """Measures every size, each in a process of its own, so that its peak of memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=int, nargs="*", default=SIZES)
    parser.add_argument("--model", type=Path, default=SMALL_MODEL, help="a model's folder, or its small files only")
    parser.add_argument("--vllm", type=json.loads, default=ON_THE_CPU, help="settings of generate.vllm")
    parser.add_argument(
        "--execution", type=json.loads, default={"enforce_eager": True}, help="settings of execution.generate.vllm"
    )
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--pairs", type=int, default=3, help="runs of each; more of them on a busy machine")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen)))
        return
    print("| questions | raw tokens/s | stage tokens/s | ratio | added per row | memory grew by | of it texts |")
    print("|---|---|---|---|---|---|---|")
    found = {}
    for questions in sorted(set(chosen.questions)):
        found[questions] = measured_in_a_process(questions, chosen)
        print(table_row(questions, found[questions]), flush=True)
    if len(found) > 1:
        fewest, most = min(found), max(found)
        beyond = [found[size]["grown_bytes"] - found[size]["texts_bytes"] for size in (fewest, most)]
        growth = (beyond[1] - beyond[0]) / (most - fewest) / 1e3
        print(f"From {fewest:,} to {most:,} questions memory grows by {growth:.1f} kB a question beyond the texts.")


def measured_in_a_process(questions: int, chosen: argparse.Namespace) -> dict[str, float]:
    """What a process of vLLM's environment measured for one size."""
    own = sys.executable if importlib.util.find_spec("vllm") else str(REPOSITORY / ".venv-vllm" / "bin" / "python")
    done = subprocess.run(
        [
            os.environ.get("TUNEPROOF_VLLM_PYTHON", own), __file__, "--measure", str(questions),
            "--model", str(chosen.model.resolve()), "--vllm", json.dumps(chosen.vllm),
            "--max-tokens", str(chosen.max_tokens), "--pairs", str(chosen.pairs),
        ],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "scripts")}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return cast(dict[str, float], json.loads(done.stdout.splitlines()[-1]))


def table_row(questions: int, found: dict[str, float]) -> str:
    """One line of the table."""
    return (
        f"| {questions:,} | {found['raw']:,.0f} | {found['stage']:,.0f} | {found['ratio']:.3f} "
        f"({found['lowest']:.3f} to {found['highest']:.3f}) | {found['added_milliseconds']:+.2f} ms "
        f"| {found['grown_bytes'] / 1e6:.1f} MB | {found['texts_bytes'] / 1e6:.1f} MB |"
    )


def measure(chosen: argparse.Namespace) -> dict[str, float]:
    """Runs stage and raw in turns, on engines that have both answered before."""
    count = chosen.questions[0]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        from tuneproof.generation.conversations.turns import first_requests
        from tuneproof.generation.engines import vllm

        job, questions = job_for(chosen), questions_for(count)
        requests = first_requests(vllm.renderer(job), questions, job.samples)
        prompts = [request.prompt for request in requests]
        seeds = [request.seed for request in requests]
        del requests
        with vllm.started_engine(job) as engine:
            run_stage(job, engine, questions[:32], Path("warm.sqlite"))
            Path("/proc/self/clear_refs").write_text("5")  # the peak of memory counts from here
            before = memory_bytes("VmRSS")
            stages = [run_stage(job, engine, questions, Path("0.sqlite"))]
            grown = memory_bytes("VmHWM") - before
            texts = sum(path.stat().st_size for path in Path("data/answers").glob("*.jsonl"))
            raw = raw_engine(job)
            run_raw(raw, job, prompts[:32], seeds[:32])
            raws = [run_raw(raw, job, prompts, seeds)]
            for pair in range(1, chosen.pairs):
                stages.append(run_stage(job, engine, questions, Path(f"{pair}.sqlite")))
                raws.append(run_raw(raw, job, prompts, seeds))
    assert len({tokens for _, tokens in [*stages, *raws]}) == 1, "both must generate the same answers"
    pairs = [(stage, raw) for (stage, _), (raw, _) in zip(stages, raws, strict=True)]
    ratios = [raw / stage for stage, raw in pairs]
    tokens = stages[0][1]
    return {
        "raw": tokens / statistics.median(raw for _, raw in pairs),
        "stage": tokens / statistics.median(stage for stage, _ in pairs),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "added_milliseconds": 1e3 * statistics.median(stage - raw for stage, raw in pairs) / count,
        "grown_bytes": grown,
        "texts_bytes": texts,
    }


def memory_bytes(kind: str, process: int | str = "self") -> int:
    """A process's resident memory (VmRSS) or its peak (VmHWM); this one's by default."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def job_for(chosen: argparse.Namespace) -> Any:
    """The stage's work: the model asked in the Alpaca format, sampled, answers of about the same length."""
    from tuneproof.generation.jobs import Job
    from tuneproof.records.documents.resolved import ResolvedModel
    from tuneproof.settings.execution import ModelExecution
    from tuneproof.settings.generation import Generate, Model

    model = str(chosen.model)
    settings = Generate.model_validate({
        "vllm": chosen.vllm,
        "sampling": {"temperature": 1.3, "top_p": 1.0, "min_p": 0.0, "max_tokens": chosen.max_tokens},
    })  # fmt: skip
    resolved = ResolvedModel(
        model="sft", run="real", dummy=False, embedded=False, engine="vllm", prompt="alpaca", requested=model,
        id=model, sha=None, content="benchmark",
    )  # fmt: skip
    execution = ModelExecution.model_validate({"vllm": chosen.execution})
    return Job(resolved, Model(id=model, prompt="alpaca"), settings, execution)


def questions_for(count: int) -> list[Any]:
    """Made-up questions of 5 to 60 words."""
    from tuneproof.records.rows import Question

    source = random.Random(1)
    return [
        Question(id=f"q{number}", instruction=" ".join(source.choices(WORDS, k=source.randint(5, 60))), reference=None)
        for number in range(count)
    ]


def run_stage(job: Any, engine: Any, questions: Sequence[Any], path: Path) -> tuple[float, int]:
    """The seconds of the stage with a started engine and an empty ledger, and the tokens it generated."""
    import generate
    from tuneproof.generation.conversations.landing import finished
    from tuneproof.generation.conversations.turns import Turns, first_requests, rendered
    from tuneproof.generation.engines import vllm
    from tuneproof.records.handovers import ANSWERS
    from tuneproof.records.ledger import Ledger

    with contextlib.redirect_stderr(io.StringIO()):
        started = time.perf_counter()
        render = vllm.renderer(job)
        first = first_requests(render, questions, job.samples)
        with Ledger(path) as ledger:
            turns = Turns(render, partial(ledger.take, read=finished))
            warm = contextlib.nullcontext(engine.answer)
            generate.generate(job, warm, rendered(first, turns)[1], turns, ledger, rows=None)
            generate.write(job, first, turns)
        seconds = time.perf_counter() - started
    answers = ANSWERS.read("sft")
    return seconds, sum(answer.answer_tokens or 0 for answer in answers)


def raw_engine(job: Any) -> Any:
    """vLLM's offline engine with the stage's own arguments; it ends with the stage's."""
    from vllm import LLM

    from tuneproof.common.logs import output_to
    from tuneproof.generation.engines.vllm import engine_arguments

    with output_to(Path("raw.log")):
        return LLM(**engine_arguments(job, Path(job.resolved.id)))


def run_raw(raw: Any, job: Any, prompts: Sequence[str], seeds: Sequence[int | None]) -> tuple[float, int]:
    """The seconds of one call with all prompts, and the tokens it generated."""
    from vllm import SamplingParams

    from tuneproof.generation.engines.vllm import sampling_arguments
    from tuneproof.generation.weights.tokens import load_tokenizer, stop_token_ids

    folder = Path(job.resolved.id)
    arguments = sampling_arguments(job, list(stop_token_ids(load_tokenizer(folder), folder)))
    started = time.perf_counter()
    outputs = raw.generate(list(prompts), [SamplingParams(**arguments, seed=seed) for seed in seeds], use_tqdm=False)
    seconds = time.perf_counter() - started
    return seconds, sum(len(output.outputs[0].token_ids) for output in outputs)


if __name__ == "__main__":
    main()
