"""How a model is asked for benchmarks: in tokens or in messages, by which tokenizer, and what determines a response."""

from typing import Any

from tuneproof.generation.jobs import Job
from tuneproof.generation.weights.tokens import job_tokenizer
from tuneproof.sources.folders import tokenizer_folder


def in_messages(job: Job) -> bool:
    """Whether a model is asked in chat messages: a served one of which nothing says how it cuts texts into tokens."""
    return job.resolved.engine == "endpoint" and job.resolved.tokenizer is None


def load_tokenizer(job: Job) -> Any:
    """The tokenizer of a model's folder, or of the one that stands for a served model."""
    return job_tokenizer(job, tokenizer_folder(job.resolved.tokenizer or job.resolved))


def identity(job: Job, harness: str) -> dict[str, Any]:
    """What determines a response besides the request: harness, weights with their tokenizer, how they compute."""
    settings = job.settings
    computes = {
        "vllm": settings.vllm.model_dump(),
        "endpoint": {"extra_body": job.model.extra_body, **cutting(job)},
    }.get(job.resolved.engine, settings.transformers.model_dump())
    return {
        "harness": harness,
        "engine": job.resolved.engine,
        "model": job.resolved.content,
        "adapter": job.resolved.adapter.content if job.resolved.adapter else None,
        "first_token": "as the tokenizer begins its texts",
        **computes,
    }


def cutting(job: Job) -> dict[str, Any]:
    """What determines a served model's prompts: its tokenizer, or what its server's chat template is given."""
    if job.resolved.tokenizer:
        return {"tokenizer": job.resolved.tokenizer.content}
    return {"asked_in": "messages", "chat_template_kwargs": job.model.chat_template_kwargs}
