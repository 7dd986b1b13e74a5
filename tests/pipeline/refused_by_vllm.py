"""A request with a setting that the installed vLLM itself refuses, asked in a workspace without starting an engine."""

import asyncio
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

from tests.pipeline.vllm_in_its_own_environment import job_of, requests_of
from tuneproof.common.errors import run
from tuneproof.generation.engines import vllm
from tuneproof.records.rows import EngineDescription


def main() -> None:
    """Asks for answers of no token, which params.yaml would not let through."""
    job = job_of("sft")
    vars(job)["sampling"] = job.sampling.model_copy(update={"max_tokens": 0})
    requests = requests_of(job)
    engine = vllm.Engine.__new__(vllm.Engine)
    engine.engine = SimpleNamespace(generate=None)  # it is not reached
    engine.job, engine.log, engine.adapter, engine.processes = job, Path("log"), None, []
    engine.description = EngineDescription(engine="vllm", version="0")
    with asyncio.Runner() as engine.runner:
        engine.answer(requests, lambda request, result: Future())


if __name__ == "__main__":
    run(main)
