"""The section `execution` of params.yaml: where and how fast a run works, and for how much. It changes no result.

No key of the ledger holds any of it and DVC tracks none of it; what determines a result stands in the other sections.
"""

from typing import Annotated, Literal

from pydantic import Field

from tuneproof.settings.base import Concurrency, KeyVariable, Positive, Settings
from tuneproof.settings.sagemaker import SageMaker

Seconds = Annotated[float, Field(gt=0)]


class VllmExecution(Settings):
    """How much of the device vLLM takes, and how many answers it works on at once."""

    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    tensor_parallel_size: Positive = 1
    max_num_seqs: Positive = 128
    enforce_eager: bool = False


class TransformersExecution(Settings):
    """Where the transformers engine computes, and how many answers at once."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    batch_size: Positive = 32


class EndpointExecution(Settings):
    """How fast a served model is asked."""

    concurrency: Concurrency = 64
    timeout_seconds: Seconds = 300


class ModelExecution(Settings):
    """How one model runs; `key_variable` names the environment variable with the key of the endpoint that serves it."""

    key_variable: KeyVariable | None = None
    vllm: VllmExecution = VllmExecution()
    transformers: TransformersExecution = TransformersExecution()
    endpoint: EndpointExecution = EndpointExecution()

    def check_for_engine(self, engine: str) -> None:
        """Raises a ValueError where something is set that the engine does not read."""
        for name in sorted(self.model_fields_set):
            needed = "endpoint" if name == "key_variable" else name
            if needed != engine:
                raise ValueError(f"`{name}` is only for engine {needed}, and this model's is {engine}")


class GenerateExecution(Settings):
    """Where and how fast answers are generated; `models` holds what is different for some of the models, by key."""

    run_on: Literal["local", "sagemaker"] = "local"
    vllm: VllmExecution = VllmExecution()
    transformers: TransformersExecution = TransformersExecution()
    endpoint: EndpointExecution = EndpointExecution()
    models: dict[str, ModelExecution] = Field(default_factory=dict)

    def of_model(self, key: str) -> ModelExecution:
        """How one model runs: what is set for it, and otherwise what is set for all."""
        own = self.models.get(key, ModelExecution())
        return ModelExecution(
            key_variable=own.key_variable,
            vllm=self.vllm.model_copy(update=own.vllm.model_dump(exclude_unset=True)),
            transformers=self.transformers.model_copy(update=own.transformers.model_dump(exclude_unset=True)),
            endpoint=self.endpoint.model_copy(update=own.endpoint.model_dump(exclude_unset=True)),
        )


class Price(Settings):
    """USD per million tokens."""

    prompt: Annotated[float, Field(ge=0)]
    reply: Annotated[float, Field(ge=0)]

    def cost_usd(self, prompt_tokens: float, reply_tokens: float) -> float:
        """USD for so many tokens."""
        return (prompt_tokens * self.prompt + reply_tokens * self.reply) / 1e6


class JudgeExecution(Settings):
    """How fast judges are asked, with whose keys and for how much money; compare asks them likewise.

    `key_variable` belongs to the endpoint of `judge.base_url`; `key_variables` to those of `judge.panel`, by name.
    """

    concurrency: Concurrency = 64
    timeout_seconds: Seconds = 120
    transport: Literal["direct", "batch"] = "direct"
    key_variable: KeyVariable | None = None
    key_variables: dict[str, KeyVariable] = Field(default_factory=dict)
    budget_usd: Annotated[float, Field(ge=0)] | None = None
    prices: dict[str, Price] = Field(default_factory=dict)


class Execution(Settings):
    """Where and how fast each stage works."""

    generate: GenerateExecution = GenerateExecution()
    judge: JudgeExecution = JudgeExecution()
    sagemaker: SageMaker = SageMaker()
