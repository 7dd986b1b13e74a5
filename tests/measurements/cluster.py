"""Times generation on Ray: two replicas beside one, and one beside a bare pool of Ray actors with the same engine.

Run     PYTHONPATH=scripts:. python tests/measurements/cluster.py [--questions N] [--pairs N] [--memory N ...]
Prints the ratio of speeds with two replicas and with one, what the stage's pool adds to a row beside the bare one, the
driver's memory, and the load of the machine. Every replica computes with one thread; all have started and answered
before a time is taken. A result is put into a ledger by both. Needs ray (requirements/ray.txt) and two CPUs.

With --memory it prints nothing of this, but the peak of memory and the processor time of the stage's own process for so
many questions, answered with one token each, on this machine and on a cluster of it alone.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.measurements.generation import SMALL_MODEL, memory_bytes, questions_for
from tests.tuneproof.generation.engines.workspaces import make_workspace

WINDOWS_IN_FLIGHT = 2  # for each actor of the bare pool


def main() -> None:
    """Measures, and prints lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=2_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+", default=())
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    for count in chosen.memory:
        print(f"{count:,} questions: {memory_of_stage(count, 'local')}; on Ray {memory_of_stage(count, 'ray')}")
    if chosen.memory:
        return
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        job = job_on_the_cpu()
        requests = requests_of(job, chosen.questions)
        before = memory_bytes("VmRSS")
        one, bare, two = times(job, requests, chosen.pairs)
        grown = memory_bytes("VmHWM") - before
    rows = len(requests)
    ratios = [single / double for single, double in zip(one, two, strict=True)]
    added = [pool / plain - 1 for pool, plain in zip(one, bare, strict=True)]
    print(
        f"{rows:,} rows: {rows / statistics.median(one):,.0f} a second with one replica, "
        f"{rows / statistics.median(two):,.0f} with two: {statistics.median(ratios):.2f} times "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )
    print(
        f"A bare pool of one actor: {rows / statistics.median(bare):,.0f} a second; the stage's takes "
        f"{statistics.median(added):+.1%} ({min(added):+.1%} to {max(added):+.1%}) of its time more"
    )
    print(f"Memory of the driver grew by {grown / 1e6:.0f} MB, Ray included; load {os.getloadavg()[0]:.1f}")


def memory_of_stage(questions: int, run_on: str) -> str:
    """What the stage's own process takes, without those that it starts: memory at its peak, processor time, time."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_workspace(Path(folder) / "workspace", questions=questions)
        workspace.set(generate__sampling__max_tokens=1, execution__generate__run_on=run_on)
        peak, seconds, began = 0, 0.0, time.perf_counter()
        process = workspace.process()
        while process.poll() is None:
            with contextlib.suppress(OSError, StopIteration):  # it has ended
                peak = max(peak, memory_bytes("VmHWM", process.pid))
                seconds = processor_seconds(process.pid)
            time.sleep(0.1)
        assert process.returncode == 0, process.communicate()[0]
        return f"{peak / 1e6:,.0f} MB, {seconds:,.0f} s of processor time in {time.perf_counter() - began:,.0f} s"


def processor_seconds(process: int) -> float:
    """The processor time of a process's threads so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def job_on_the_cpu() -> Any:
    """The small model on the transformers engine, sampled so that answers are of about the same length."""
    from tuneproof.generation.jobs import Job
    from tuneproof.records.documents.resolved import ResolvedModel
    from tuneproof.settings.execution import ModelExecution
    from tuneproof.settings.generation import Generate, Model

    model = str(SMALL_MODEL)
    settings = Generate.model_validate({"sampling": {"temperature": 1.3, "top_p": 1.0, "min_p": 0.0, "max_tokens": 24}})
    resolved = ResolvedModel(
        model="sft", run="real", dummy=False, embedded=False, engine="transformers", prompt="alpaca", requested=model,
        id=model, sha=None, content="measured",
    )  # fmt: skip
    return Job(resolved, Model(id=model, prompt="alpaca"), settings, ModelExecution())


def requests_of(job: Any, count: int) -> list[Any]:
    """The rendered requests."""
    from tuneproof.generation.conversations.turns import first_requests
    from tuneproof.generation.engines import transformers

    return first_requests(transformers.renderer(job), questions_for(count), job.samples)


def times(job: Any, requests: Sequence[Any], pairs: int) -> tuple[list[float], list[float], list[float]]:
    """The seconds with one replica, with the bare pool of one actor, and with two replicas, in turns."""
    from tuneproof.generation.ray.cluster import joined
    from tuneproof.generation.ray.replica import work_of
    from tuneproof.generation.ray.run import capacity
    from tuneproof.settings.execution import Ray

    one, bare, two = [], [], []
    work, window = work_of(job), capacity(job)  # as many rows as a replica holds, so that both pad as little
    with joined(Ray()):
        for number in range(pairs):
            one.append(seconds_of_pool(job, work, 1, requests, f"one-{number}"))
            bare.append(seconds_of_bare_pool(work, requests, window, f"bare-{number}"))
            two.append(seconds_of_pool(job, work, 2, requests, f"two-{number}"))
    return one, bare, two


def seconds_of_pool(job: Any, work: Any, replicas: int, requests: Sequence[Any], name: str) -> float:
    """The seconds of the stage's pool of replicas that have answered before."""
    from tuneproof.generation.ray.demand import Need
    from tuneproof.generation.ray.pool import Pool, end_actor
    from tuneproof.generation.ray.run import actor, capacity

    actors = [actor(Need(gpus=0, cpus=1), work) for _ in range(replicas)]
    pool = Pool("measured", actors, capacity(job), patience_seconds=600)
    with saving(f"warm-{name}") as save:
        while not all(member.has_started for member in pool.members):
            pool.ask(requests[:64], save)
        pool.ask(requests[: 128 * replicas], save)
    with saving(name) as save:
        started = time.perf_counter()
        pool.ask(requests, save)
        seconds = time.perf_counter() - started
    for one in actors:
        end_actor(one)
    return seconds


@contextlib.contextmanager
def saving(name: str) -> Iterator[Any]:
    """What saves into a new ledger."""
    from tuneproof.records.ledger import Ledger

    with Ledger(Path(f"{name}.sqlite")) as ledger:
        yield partial(saved, ledger)


def saved(ledger: Any, request: Any, result: Any) -> Any:
    """What the stage does with a result."""
    return ledger.record(request.key, "answer", result.model_dump())


class BareActor:
    """The same engine, asked for a window at a time."""

    def __init__(self, job: Any) -> None:
        from tuneproof.generation.engines import transformers

        self.started = transformers.start(job)
        self.ask = self.started.__enter__()

    def answer(self, window: list[Any]) -> list[Any]:
        """The results of a window, by key."""
        from concurrent.futures import Future

        found: list[Any] = []

        def save(request: Any, result: Any) -> Any:
            found.append((request.key, result))
            done = Future[None]()
            done.set_result(None)
            return done

        self.ask(window, save)
        return found


def seconds_of_bare_pool(work: Any, requests: Sequence[Any], window: int, name: str) -> float:
    """The seconds of one bare actor that has answered before, two windows in flight."""
    import ray

    actor: Any = ray.remote(BareActor).options(num_cpus=1).remote(work.job)
    ray.get(actor.answer.remote(list(requests[:128])))
    by_key = {request.key: request for request in requests}
    windows = [list(requests[start : start + window]) for start in range(0, len(requests), window)]
    with saving(name) as save:
        started = time.perf_counter()
        flying = [actor.answer.remote(windows.pop(0)) for _ in range(WINDOWS_IN_FLIGHT)]
        while flying:
            done, flying = ray.wait(flying)
            if windows:
                flying.append(actor.answer.remote(windows.pop(0)))
            for one in [save(by_key[key], result) for key, result in ray.get(done[0])]:
                one.result()
        seconds = time.perf_counter() - started
    ray.kill(actor)
    return seconds


if __name__ == "__main__":
    main()
