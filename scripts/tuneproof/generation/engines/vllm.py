"""The vLLM engine: every open request goes through one sliding window, and each answer is saved as it finishes.

Offline batches wait for their slowest answer; AsyncLLM with a window of a few times max_num_seqs keeps the device full
and costs what one large batch costs (https://docs.vllm.ai/en/latest/api/vllm/v1/engine/async_llm.html).
"""

import asyncio
import gc
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from tuneproof.common.errors import UserError, say, shortened, warn
from tuneproof.common.logs import output_to, reason_in
from tuneproof.common.places import project_root
from tuneproof.common.processes import end_orphans, no_survivors
from tuneproof.common.windows import work_through
from tuneproof.generation.jobs import Ask, Job, Renderer, Request, Save, missing_package, over_long
from tuneproof.generation.weights.broken_weights import repeated_token
from tuneproof.generation.weights.tokens import job_stop_token_ids, load_tokenizer, rendering
from tuneproof.records.rows import EngineDescription, FinishReason, Result
from tuneproof.sources.folders import tokenizer_folder, weights_folder
from tuneproof.sources.weights.adapters import check_adapter_fits, engine_rank
from tuneproof.sources.weights.checks import local_headers

WINDOWS = 3  # requests under way for each of max_num_seqs, so that the engine never waits for the next one
CPU_PREFILL_TOKENS = 8192
KEPT = "run again: finished answers are kept"
# An engine frees what it has of the device at once and then spends 3 to 5 s on taking its interpreter apart. All of it
# goes with its process anyway, and `vllm serve` gives it no time at all.
SECONDS_TO_END = 1.0
SECONDS_UNTIL_GONE = 60.0  # of a process that was killed; one that its driver holds for longer is left to the system


def renderer(job: Job) -> Renderer:
    """What renders the requests, keyed by what determines an answer here. How fast they are answered is in no key."""
    settings = job.settings.vllm.model_dump(
        include={"dtype", "quantization", "max_model_len", "batch_invariant", "engine_args"}
    )
    return rendering(job, tokenizer_folder(job.resolved), **settings)


@contextmanager
def start(job: Job) -> Iterator[Ask]:
    """Starts vLLM and gives what answers requests; whatever it started is gone afterwards. Raises a UserError."""
    with start_engine(job) as engine:
        yield engine.answer


@contextmanager
def start_engine(job: Job) -> Iterator["Engine"]:
    """The engine with the model's adapter, and its end."""
    with started_engine(job) as engine:
        if job.resolved.adapter:
            engine.load_adapter(job.resolved.adapter.content, weights_folder(job.resolved.adapter))
        yield engine


@contextmanager
def started_engine(job: Job) -> Iterator["Engine"]:
    """The engine without its adapter, and its end."""
    log = project_root() / ".cache" / f"vllm-{job.resolved.model}.log"
    folder = weights_folder(job.resolved)
    if job.resolved.adapter:
        where, adapter = f"model {job.resolved.model}", weights_folder(job.resolved.adapter)
        check_adapter_fits(where, local_headers(where, adapter), local_headers(where, folder))
    orphans = end_orphans(project_root())
    if orphans:
        warn(f"ended {orphans} engine processes that a killed run had left")
    say(f"model {job.resolved.model}: starting vLLM, which logs to {log}")
    set_environment()
    with no_survivors(project_root()), asyncio.Runner() as runner:
        with output_to(log):
            engine = Engine(job, load_engine(job, folder, log), runner, log)
        if job.settings.vllm.batch_invariant and not engine.description.batch_invariant:
            warn("batch_invariant has no effect here: vLLM's kernels need an NVIDIA GPU of capability 8.0 or more")
        try:
            yield engine
        finally:
            engine.close()


def set_environment() -> None:
    """What vLLM reads from the environment, before it is imported."""
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"  # a forked process would not show its mark
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB; the build for the CPU would take nearly all there is


def load_engine(job: Job, folder: Path, log: Path) -> Any:
    """The running engine. Raises a UserError with vLLM's reason when it does not start."""
    try:
        os.environ["VLLM_BATCH_INVARIANT"] = str(int(batch_invariant(job)))
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM
    except ModuleNotFoundError as error:
        if error.name == "vllm":
            raise missing_package("vllm", "vllm", "gpu") from None
        raise
    try:
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**engine_arguments(job, folder)))
    except Exception as error:  # whatever vLLM and what it stands on raise: settings, memory, drivers, weights
        found = f"vLLM does not start ({reason_in(log) or shortened(error)})"
        raise UserError(f"model {job.resolved.model}", found, f"correct the settings of vllm or see {log}") from None


def batch_invariant(job: Job) -> bool:
    """Whether vLLM's batch-invariant kernels are asked for and the device has them: elsewhere the engine would die."""
    from vllm.platforms import current_platform

    has_them = current_platform.is_cuda_alike() and current_platform.has_device_capability(80)
    return job.settings.vllm.batch_invariant and has_them


def engine_arguments(job: Job, folder: Path) -> dict[str, Any]:
    """VLLM's arguments: the settings, what this project needs, and last the user's own."""
    from vllm.platforms import current_platform

    settings = job.settings.vllm
    arguments: dict[str, Any] = settings.model_dump(exclude={"batch_invariant", "engine_args"})
    arguments |= job.execution.vllm.model_dump(exclude={"replicas"})
    arguments |= {
        "model": str(folder),
        "generation_config": "vllm",  # the settings in params.yaml are the only ones
        "trust_remote_code": False,
        "disable_log_stats": True,
        "data_parallel_size": replicas_here(job),
    }
    if job.resolved.adapter:
        rank = engine_rank(f"model {job.resolved.model}", weights_folder(job.resolved.adapter))
        arguments |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
    if current_platform.is_cpu():
        # With chunked prefill a seeded request can end the engine there ("CPU Generator does not use offset").
        tokens = max(CPU_PREFILL_TOKENS, settings.max_model_len)
        arguments |= {"enable_chunked_prefill": False, "max_num_batched_tokens": tokens}
    return arguments | settings.engine_args


def replicas_here(job: Job) -> int:
    """How many engines answer side by side: as set, or as many as the visible GPUs have room for."""
    import torch

    settings = job.execution.vllm
    if settings.replicas != "auto":
        return settings.replicas
    return max(1, torch.cuda.device_count() // settings.tensor_parallel_size)


def describe(job: Job, engine: Any) -> EngineDescription:
    """What answers, for the side record."""
    import torch
    import vllm
    from vllm.platforms import current_platform

    return EngineDescription(
        engine="vllm",
        version=f"vllm {vllm.__version__}, torch {torch.__version__}",
        device="cpu" if current_platform.is_cpu() else current_platform.get_device_name(),
        dtype=str(engine.model_config.dtype).removeprefix("torch."),
        batch_invariant=batch_invariant(job),
    )


class Engine:
    """A started engine of vLLM, with the adapter that it answers through."""

    def __init__(self, job: Job, engine: Any, runner: asyncio.Runner, log: Path) -> None:
        self.job, self.engine, self.runner, self.log = job, engine, runner, log
        self.adapter: Any = None
        self.description = describe(job, engine)
        self.processes = multiprocessing.active_children()

    def close(self) -> None:
        """Ends the engine's processes and waits until they are gone, and with them what they had of the device.

        What is left of it here is freed now, since its destructor fails in an interpreter that is ending.
        """
        self.engine.shutdown(timeout=SECONDS_TO_END)
        for process in self.processes:
            process.join(SECONDS_UNTIL_GONE)
        self.engine = None
        gc.collect()

    def load_adapter(self, content: str, folder: Path) -> None:
        """Answers through an adapter from now on. Raises a UserError when vLLM cannot load it."""
        from vllm.lora.request import LoRARequest

        request = LoRARequest(content[:12], int(content[:7], 16) + 1, str(folder))
        try:
            self.runner.run(self.engine.add_lora(request))
        except Exception as error:  # a shape, a module or a file that does not fit, each with an exception of its own
            found = f"its adapter does not load ({reason_in(self.log) or shortened(error)})"
            remedy = f"check that it was trained on {self.job.resolved.id}"
            raise UserError(self.where, found, remedy) from None
        self.adapter = request

    def answer(self, requests: Iterable[Request], save: Save) -> None:
        """Answers the requests within one window and saves each as it finishes. Raises a UserError when vLLM fails."""
        from vllm.exceptions import VLLMValidationError
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        limit, folder = self.job.settings.vllm.max_model_len, tokenizer_folder(self.job.resolved)
        stops = job_stop_token_ids(self.job, load_tokenizer(folder), folder)
        sampling = sampling_arguments(self.job, list(stops))

        async def answer(request: Request) -> None:
            if len(request.token_ids) >= limit:
                saved = save(request, over_long(len(request.token_ids), limit, self.description))
            else:
                saved = save(request, await self.generate(request, sampling))
            await asyncio.wrap_future(saved)

        try:
            self.runner.run(work_through(requests, answer, self.at_once))
        except (EngineDeadError, EngineGenerateError) as error:
            raise self.failure(error) from None
        except (ValueError, VLLMValidationError) as error:  # the request itself; no ValueError since release 0.32
            found = f"vLLM refuses a request ({shortened(error)})"
            raise UserError(
                self.where, found, "correct the settings of generate, or see what validate warns of"
            ) from None

    async def generate(self, request: Request, sampling: dict[str, Any]) -> Result:
        """One answer."""
        from vllm import SamplingParams

        final: Any = None
        async for output in self.engine.generate(
            {"prompt_token_ids": list(request.token_ids)},
            SamplingParams(**sampling | {"temperature": self.job.sampling_of(request).temperature}, seed=request.seed),
            request_id=request.key,
            lora_request=self.adapter,
        ):
            final = output
        answer = final.outputs[0]
        if answer.finish_reason not in get_args(FinishReason):
            found = f"vLLM ended an answer with '{answer.finish_reason}'"
            raise UserError(self.where, found, f"see {self.log}, then {KEPT}")
        return Result(
            answer=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=len(request.token_ids),
            answer_tokens=len(answer.token_ids),
            engine=self.description,
            repeated_token=repeated_token(answer.token_ids, answer.finish_reason),
        )

    def failure(self, error: Exception) -> UserError:
        """Why the engine ended: the exception in its log, else the signal that killed it."""
        reason = reason_in(self.log)
        for exit_code in (process.exitcode or 0 for process in self.processes):
            if not reason and exit_code < 0:
                reason = f"its process was killed by {signal.Signals(-exit_code).name}"
        found = f"vLLM's engine failed ({reason or shortened(error.__cause__ or error)})"
        return UserError(self.where, found, f"see {self.log}, then {KEPT}")

    @property
    def at_once(self) -> int:
        """Requests under way at once: all replicas draw from one window, each request going to the least busy one."""
        return WINDOWS * self.job.execution.vllm.max_num_seqs * replicas_here(self.job)

    @property
    def where(self) -> str:
        """The place for error lines."""
        return f"model {self.job.resolved.model}"


def sampling_arguments(job: Job, stop_token_ids: list[int]) -> dict[str, Any]:
    """What every answer is sampled with; the seed is each row's own."""
    from vllm.sampling_params import RequestOutputKind

    return {
        **job.sampling.model_dump(include={"temperature", "top_p", "min_p", "max_tokens"}),
        "stop": list(job.model.stop),
        "stop_token_ids": stop_token_ids,
        "output_kind": RequestOutputKind.FINAL_ONLY,
    }
