"""Tries and times the vllm engine on a GPU: the stage killed and resumed, its speed, the same answers.

Run     PYTHONPATH=scripts:. python tests/measurements/on_a_gpu.py [stage throughput same further ...] [--small]
Prints one line per figure, labelled with the card and vLLM's version. Models of Llama-3.1-8B's shape have random
weights (`load_format: dummy`), so that nothing is downloaded; the small ones are those of data/embedded. Every engine
is a process of its own. It needs pytest beside vLLM. `--small` uses small shapes everywhere, to try the script itself
where there is no GPU.
"""

import argparse
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.made_up.llama_8b import adapter_folder, llama_folder
from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS, Workspace, instructions, make_workspace

PARTS = ("stage", "throughput", "same", "further")


def main() -> None:
    """Runs the chosen parts, each of which goes on where another fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="what to do: stage, throughput, same, further; all of it")
    parser.add_argument("--small", action="store_true", help="small shapes")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measure(**chosen.measure)), flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        for part in chosen.parts or PARTS:
            started = time.perf_counter()
            try:
                {"stage": stage, "throughput": throughput, "same": same, "further": further}[part](
                    Path(folder), chosen.small
                )
            except Exception as error:  # the next part may still say something, and the machine is there now
                print(f"{part}: FAILED {type(error).__name__}: {str(error)[-1500:]}", flush=True)
            print(f"{part}: {time.perf_counter() - started:.0f} s in all", flush=True)


# The stage itself, in a workspace


def stage(folder: Path, small: bool) -> None:
    """The stage on the small models: killed in the middle, nothing left on the GPU, resumed."""
    engine = {"dtype": "float32" if small else "bfloat16", "max_model_len": 512}
    execution = {
        "vllm": {"max_num_seqs": 8, "gpu_memory_utilization": 0.5} | ({"enforce_eager": True} if small else {})
    }
    workspace = make_workspace(folder / "stage", engine="vllm", vllm=engine, execution=execution)
    workspace.ask(instructions(100))
    sampling = {"temperature": 0.8, "top_p": 0.95, "min_p": 0.05, "max_tokens": 48}
    for model in ("sft", "dpo", "base"):
        workspace.change(
            model, id=str(SMALL_MODELS / model), prompt="alpaca", engine="vllm", vllm=engine, execution=execution,
            own_sampling=sampling,
        )  # fmt: skip
        workspace.resolve(model, content=model)
    before = gpu_memory_mib()
    killed_at = kill_in_the_middle(workspace, "sft", rows=30)
    ended = wait_for_memory(before)
    print(
        f"stage: killed with {killed_at} of 100 rows recorded; GPU memory {before} MiB before, {ended} after",
        flush=True,
    )
    for model in ("sft", "dpo", "base"):
        started = time.perf_counter()
        done = run_stage(workspace, model)
        said = [line for line in done.splitlines() if "ledger" in line or "generated" in line or "error" in line]
        print(f"stage: {model} in {time.perf_counter() - started:.1f} s: {' | '.join(said)[-400:]}", flush=True)
        answers = workspace.answers(model)
        kinds = {kind: sum(answer.finish_reason == kind for answer in answers) for kind in ("stop", "length", "error")}
        print(f"stage: {model}: {kinds}; first answer: {answers[0].answer[:80]!r}", flush=True)
    print(f"stage: {json.loads((workspace.root / 'data/engines/sft.json').read_text())}", flush=True)
    workspace.change("library", id=str(SMALL_MODELS / "sft"), prompt="alpaca", engine="transformers")
    run_stage(workspace, "library")
    print(f"stage: {json.loads((workspace.root / 'data/engines/library.json').read_text())}", flush=True)


def run_stage(workspace: Workspace, model: str) -> str:
    """Runs the stage to its end and gives what it printed. Raises where it fails."""
    process = workspace.process(model)
    said, _ = process.communicate(timeout=300)
    if process.returncode:
        log = workspace.root / ".cache" / f"vllm-{model}.log"
        raise RuntimeError(f"{said[-600:]}\n{log.read_text()[-1500:] if log.is_file() else ''}")
    return said


def kill_in_the_middle(workspace: Workspace, model: str, rows: int) -> int:
    """Kills the stage once so many rows are recorded; gives how many were."""
    process = workspace.process(model)
    deadline = time.monotonic() + 240
    while recorded(workspace) < rows and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if process.poll() is not None:
        raise RuntimeError(f"the stage ended before it was killed: {process.communicate()[0][-1500:]}")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return recorded(workspace)


def recorded(workspace: Workspace) -> int:
    """How many answers the ledger holds, read beside a running stage."""
    path = workspace.root / ".cache" / "ledger.sqlite"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as ledger:
            return int(ledger.execute("SELECT count(*) FROM results").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def gpu_memory_mib() -> int:
    """What is used of the GPU's memory; 0 where there is none."""
    with contextlib.suppress(FileNotFoundError):
        asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        return int(done.stdout.split()[0]) if done.stdout.strip() else 0
    return 0


def wait_for_memory(before: int) -> int:
    """The memory in use once it is down to what it was, or after 30 seconds."""
    deadline = time.monotonic() + 30
    while gpu_memory_mib() > before + 50 and time.monotonic() < deadline:
        time.sleep(0.5)
    return gpu_memory_mib()


# Engines in processes of their own


def throughput(folder: Path, small: bool) -> None:
    """The stage beside raw LLM.generate, in turns; then windows; then sizes of the batch."""
    questions = 60 if small else 2000
    ways = [("max_num_seqs 256, stage and raw in turns", {"pairs": 2, "windows": [3]}, 256)]
    ways += [("windows of 1, 2, 3", {"pairs": 0, "windows": [1, 2, 3]}, 128), ("", {"pairs": 0, "windows": [3]}, 64)]
    for said, arguments, sequences in ways:
        found = in_a_process(
            folder, small, kind="speed", questions=questions, max_tokens=16 if small else 256,
            execution={"max_num_seqs": 8 if small else sequences}, **arguments,
        )  # fmt: skip
        print(f"throughput: max_num_seqs {sequences} {said}: {json.dumps(found)}", flush=True)


def same(folder: Path, small: bool) -> None:
    """The share of answers that are the same with a window of 1 and of 384, with batch_invariant off and on."""
    for model in ("8b", "sft"):
        for invariant in (False, True):
            found = in_a_process(
                folder, small, kind="same", model=model,
                questions=20 if small else 200, max_tokens=16 if small else 128,
                vllm={"batch_invariant": invariant}, execution={"max_num_seqs": 128},
            )  # fmt: skip
            print(f"same: {model} batch_invariant {invariant}: {json.dumps(found)}", flush=True)


def further(folder: Path, small: bool) -> None:
    """fp8, two adapters over one base, and two turns with and without prefix caching."""
    speed = {"kind": "speed", "questions": 30 if small else 1000, "max_tokens": 16 if small else 256, "pairs": 0}
    execution = {"max_num_seqs": 8 if small else 256}
    if not small:
        found = in_a_process(folder, small, **speed, vllm={"quantization": "fp8"}, execution=execution)
        print(f"further: fp8: {json.dumps(found)}", flush=True)
    found = in_a_process(folder, small, **speed, adapters=2, execution=execution)
    print(f"further: adapters: {json.dumps(found)}", flush=True)
    for caching in (True, False):
        found = in_a_process(
            folder, small, kind="turns", questions=20 if small else 500, max_tokens=16 if small else 128,
            vllm={"engine_args": {"load_format": "dummy", "enable_prefix_caching": caching}}, execution=execution,
        )  # fmt: skip
        print(f"further: two turns, prefix caching {caching}: {json.dumps(found)}", flush=True)


def in_a_process(folder: Path, small: bool, **arguments: Any) -> dict[str, Any]:
    """What `measure` gives in a process of its own, with the peak of the GPU's memory."""
    arguments |= {"folder": str(folder), "small": small}
    process = subprocess.Popen(
        [sys.executable, __file__, "--measure", json.dumps(arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=dict(os.environ),
    )  # fmt: skip
    peak = 0
    while process.poll() is None:
        peak = max(peak, gpu_memory_mib())
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
    out, error = process.communicate()
    if process.returncode:
        logs = "\n".join(path.read_text()[-1500:] for path in Path(folder).rglob("*.log"))
        raise RuntimeError(f"{error[-1200:]}\n{logs[-3000:]}")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found | {"peak_gpu_mib": peak}


def measure(
    folder: str, small: bool, kind: str, questions: int, max_tokens: int, model: str = "8b", **settings: Any
) -> dict[str, Any]:
    """One engine, started and timed: its speed, or how far its answers agree, or two turns."""
    from tests.measurements.generation import questions_for

    with tempfile.TemporaryDirectory(dir=folder) as place, contextlib.chdir(place):
        job = job_for(Path(folder), small, model, max_tokens, settings)
        asked = questions_for(questions)
        started = time.perf_counter()
        with engine_of(job, settings.get("adapters", 0)) as engine:
            found: dict[str, Any] = {"start_seconds": round(time.perf_counter() - started, 1)}
            found |= {"engine": engine.description.model_dump(exclude_none=True)} if kind == "same" else {}
            if kind == "speed":
                return found | speed(job, engine, asked, settings)
            return found | (agreement(job, engine, asked) if kind == "same" else two_turns(job, engine, asked))


@contextlib.contextmanager
def engine_of(job: Any, adapters: int) -> Iterator[Any]:
    """The stage's engine; with adapters, one that takes them."""
    from tuneproof.generation.engines import vllm

    with vllm.started_engine(job) as engine:
        if adapters:
            engine.load_adapter(job.resolved.adapter.content, Path(job.resolved.adapter.id))
        yield engine


def job_for(folder: Path, small: bool, model: str, max_tokens: int, settings: dict[str, Any]) -> Any:
    """The stage's work."""
    from tuneproof.generation.jobs import Job
    from tuneproof.records.documents.resolved import ResolvedAdapter, ResolvedModel
    from tuneproof.settings.execution import ModelExecution
    from tuneproof.settings.generation import Generate, Model

    path = llama_folder(folder, small) if model == "8b" else SMALL_MODELS / model
    dtype = {"dtype": "float32" if small else "bfloat16", "max_model_len": 1024 if model == "8b" else 512}
    dummy = {"engine_args": {"load_format": "dummy"}} if model == "8b" else {}
    eager = {"enforce_eager": True} if small else {}
    generate = Generate.model_validate({
        "vllm": dtype | dummy | settings.get("vllm", {}),
        "sampling": {"temperature": 0.8, "top_p": 0.95, "min_p": 0.05, "max_tokens": max_tokens},
    })  # fmt: skip
    adapter = None
    if settings.get("adapters"):
        name = str(adapter_folder(folder, small, 0))
        adapter = ResolvedAdapter(id=name, sha=None, content="0123456789abcdef")
    resolved = ResolvedModel(
        model="sft", run="real", dummy=False, embedded=False, engine="vllm", prompt="alpaca", requested=str(path),
        id=str(path), sha=None, content="measured", adapter=adapter,
    )  # fmt: skip
    execution = {"gpu_memory_utilization": 0.42 if settings.get("pairs") else 0.85} | eager | settings["execution"]
    return Job(
        resolved, Model(id=str(path), prompt="alpaca"), generate, ModelExecution.model_validate({"vllm": execution})
    )


def speed(job: Any, engine: Any, questions: Sequence[Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Tokens a second of the stage, and of raw vLLM in turns with it."""
    from tests.measurements.generation import raw_engine, run_raw, run_stage
    from tuneproof.generation.conversations.turns import first_requests
    from tuneproof.generation.engines import vllm

    first = first_requests(vllm.renderer(job), questions, job.samples)
    prompts, seeds = [request.prompt for request in first], [request.seed for request in first]
    length = sum(len(request.token_ids) for request in first) / len(first)
    found: dict[str, Any] = {"prompt_tokens": round(length)}
    run_stage(job, engine, questions[:32], Path("warm.sqlite"))
    for adapter in range(1, settings.get("adapters", 0)):
        seconds, tokens = run_stage(job, engine, questions, Path("adapter.sqlite"))
        found["first adapter tokens/s"] = round(tokens / seconds)
        small = "enforce_eager" in settings["execution"]
        folder = adapter_folder(Path(job.resolved.id).parent, small or job.settings.vllm.dtype == "float32", adapter)
        engine.load_adapter("fedcba9876543210", folder)
    for window in settings.get("windows", [3]):
        vllm.WINDOWS = window
        seconds, tokens = run_stage(job, engine, questions, Path(f"window-{window}.sqlite"))
        found[f"window {window} tokens/s"] = round(tokens / seconds)
        found[f"window {window} tokens"] = tokens
    if settings.get("pairs"):
        raw = raw_engine(job)
        run_raw(raw, job, prompts[:32], seeds[:32])
        seconds, tokens = run_raw(raw, job, prompts, [None] * len(prompts))
        found["raw without seeds tokens/s"] = round(tokens / seconds)
        for pair in range(settings["pairs"]):
            for name, (seconds, tokens) in (
                ("raw", run_raw(raw, job, prompts, seeds)),
                ("stage", run_stage(job, engine, questions, Path(f"pair-{pair}.sqlite"))),
            ):
                found[f"{name} {pair} tokens/s"] = round(tokens / seconds)
    return found


def agreement(job: Any, engine: Any, questions: Sequence[Any]) -> dict[str, Any]:
    """The share of answers that are the same in a window of 384 twice, in another order, and one after the other."""
    wide, seconds = texts_of(job, engine, questions, window=3)
    again, _ = texts_of(job, engine, questions, window=3)
    turned, _ = texts_of(job, engine, questions[::-1], window=3)
    few = questions[: len(questions) // 4]
    narrow, _ = texts_of(job, engine, few, window=0)
    return {
        "answers": len(wide), "different": len(set(wide.values())), "seconds": round(seconds, 1),
        "same twice": share(wide, again), "same in another order": share(wide, turned),
        "same one after the other": share(narrow, wide), "of": len(narrow),
    }  # fmt: skip


def texts_of(job: Any, engine: Any, questions: Sequence[Any], window: int) -> tuple[dict[str, str], float]:
    """Every answer by its question, and the seconds they took; a window of 0 asks one at a time."""
    from concurrent.futures import Future

    from tuneproof.generation.conversations.turns import first_requests
    from tuneproof.generation.engines import vllm

    found: dict[str, str] = {}

    def save(request: Any, result: Any) -> "Future[None]":
        found[request.id] = result.answer
        done = Future[None]()
        done.set_result(None)
        return done

    vllm.WINDOWS = window
    requests = first_requests(vllm.renderer(job), questions, job.samples)
    started = time.perf_counter()
    for some in [[request] for request in requests] if window == 0 else [requests]:
        vllm.WINDOWS = window or 1
        engine.answer(some, save)
    return found, time.perf_counter() - started


def share(some: dict[str, str], others: dict[str, str]) -> float:
    """The share of answers that are the same in both."""
    return round(sum(text == others[name] for name, text in some.items()) / len(some), 4)


def two_turns(job: Any, engine: Any, questions: Sequence[Any]) -> dict[str, Any]:
    """Seconds and tokens of questions in two turns."""
    from tests.measurements.generation import run_stage

    chat = job.__class__(
        job.resolved.model_copy(update={"prompt": "chat"}), job.model.model_copy(update={"prompt": "chat"}),
        job.settings, job.execution,
    )  # fmt: skip
    (Path(job.resolved.id) / "chat_template.jinja").write_text(
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
    )
    turns = [
        question.model_copy(update={"turns": [question.instruction, "Now say it in other words, and shorter."],
                                    "references": [None, None]})
        for question in questions
    ]  # fmt: skip
    engine.job = chat
    run_stage(chat, engine, turns[:16], Path("warm.sqlite"))
    seconds, tokens = run_stage(chat, engine, turns, Path("turns.sqlite"))
    return {"turns": 2 * len(turns), "seconds": round(seconds, 1), "tokens/s": round(tokens / seconds)}


if __name__ == "__main__":
    main()
