"""What the tests of the vLLM engine have it do, in vLLM's own environment: one engine, asked in many ways.

Run in a workspace: python vllm_in_its_own_environment.py OUTPUT.json
"""

import json
import random
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from tuneproof.common.errors import UserError
from tuneproof.generation.conversations.turns import first_requests
from tuneproof.generation.engines import vllm
from tuneproof.generation.jobs import Job, Request
from tuneproof.records.handovers import QUESTIONS, resolved_model
from tuneproof.records.rows import Result
from tuneproof.settings.reading import load_params
from tuneproof.sources.folders import weights_folder

Saved = dict[str, list[str | int | None]]


def job_of(model: str) -> Job:
    params = load_params()
    execution = params.execution.generate.of_model(model)
    return Job(resolved_model(model), params.models[model], params.generation(model), execution)


def requests_of(job: Job) -> list[Request]:
    """Everything that a model is to be asked."""
    return first_requests(vllm.renderer(job), QUESTIONS.read(), job.samples)


def ask(engine: vllm.Engine, model: str, first: int | None = None, shuffled: bool = False) -> Saved:
    """Everything that is saved when a model's settings are used, by question and sample."""
    engine.job = job_of(model)
    requests: Sequence[Request] = requests_of(engine.job)[:first]
    if shuffled:
        requests = random.Random(5).sample(requests, len(requests))
    saved: Saved = {}

    def save(request: Request, result: Result) -> Future[None]:
        name = f"{request.id}#{request.sample}"
        assert name not in saved
        saved[name] = [result.answer, result.finish_reason, result.error, result.prompt_tokens, result.answer_tokens]
        on_disk = Future[None]()
        on_disk.set_result(None)
        return on_disk

    engine.answer(requests, save)
    return saved


def answers(engine: vllm.Engine) -> dict[str, Saved]:
    """The same questions in several windows, orders and numbers of samples."""
    done = {"window 96": ask(engine, "sft"), "shuffled": ask(engine, "sft", shuffled=True)}
    done["three samples"] = ask(engine, "samples", first=36)
    done["stop string"] = ask(engine, "stopped", first=60)
    done["greedy"] = ask(engine, "greedy", first=60)
    windows, vllm.WINDOWS = vllm.WINDOWS, 1
    done["window 1"] = ask(engine, "one", first=12)
    vllm.WINDOWS = windows
    return done


def adapters(engine: vllm.Engine) -> dict[str, Saved | str]:
    """Two adapters over one base, then one that does not fit it."""
    done: dict[str, Saved | str] = {}
    for model in ("first", "second"):
        adapter = job_of(model).resolved.adapter
        assert adapter
        engine.load_adapter(adapter.content, weights_folder(adapter))
        done[model] = ask(engine, model, first=60)
    engine.job = job_of("broken")
    adapter = engine.job.resolved.adapter
    assert adapter
    try:
        engine.load_adapter(adapter.content, weights_folder(adapter))
    except UserError as error:
        done["broken"] = str(error)
    return done


if __name__ == "__main__":
    with vllm.started_engine(job_of("first")) as started:  # one that takes adapters, and first gets none
        found = {"answers": answers(started), "adapters": adapters(started)}
    Path(sys.argv[1]).write_text(json.dumps(found))
