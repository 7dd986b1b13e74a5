"""The sections of params.yaml that decide what is asked of which models: questions, models, generate."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from tuneproof.settings.base import (
    Address,
    ApiVersion,
    NotNegative,
    Positive,
    Settings,
    Share,
    Text,
    Texts,
    check_extra,
)

ENGINE_ARGS_WITH_A_SETTING = {  # vLLM argument -> the setting to use instead; null: it is not yours to set
    "model": "models.<key>.id", "tokenizer": None, "revision": "models.<key>.revision", "tokenizer_revision": None,
    "code_revision": None, "dtype": "generate.vllm.dtype", "quantization": "generate.vllm.quantization",
    "max_model_len": "generate.vllm.max_model_len", "max_num_seqs": "execution.generate.vllm.max_num_seqs",
    "gpu_memory_utilization": "execution.generate.vllm.gpu_memory_utilization", "seed": "generate.sampling.seed",
    "tensor_parallel_size": "execution.generate.vllm.tensor_parallel_size",
    "enforce_eager": "execution.generate.vllm.enforce_eager",
    "trust_remote_code": None, "hf_token": None, "allowed_local_media_path": None,
}  # fmt: skip
OF_THE_REQUEST = {  # field of a request to an endpoint -> the setting to use instead
    "model": "models.<key>.id", "messages": None, "stream": None, "n": "generate.sampling.samples",
    "temperature": "generate.sampling.temperature", "top_p": "generate.sampling.top_p",
    "min_p": "generate.sampling.min_p", "max_tokens": "generate.sampling.max_tokens",
    "seed": "generate.sampling.seed", "stop": "models.<key>.stop",
    "chat_template_kwargs": "models.<key>.chat_template_kwargs",
}  # fmt: skip
OF_THE_TEMPLATE = dict.fromkeys(("messages", "conversation", "tokenize", "add_generation_prompt", "strftime_now"))
EngineName = Literal["vllm", "transformers", "endpoint", "recorded", "embedded"]
PromptFormat = Literal["alpaca", "chat"]
WITH_WEIGHTS = ("vllm", "transformers")
ENGINES_OF = {  # a model's setting -> the engines that read it
    "path": ("recorded",), "answer_column": ("recorded",), "instruction_column": ("recorded",),
    "tokenizer": ("endpoint",), "base_url": ("endpoint",), "served_as": ("endpoint",),
    "api_version": ("endpoint",), "extra_body": ("endpoint",), "chat_template_kwargs": (*WITH_WEIGHTS, "endpoint"),
    "adapter": ("vllm",), "fallback": WITH_WEIGHTS, "revision": WITH_WEIGHTS, "system": (*WITH_WEIGHTS, "endpoint"),
    "prompt": (*WITH_WEIGHTS, "endpoint", "embedded"), "stop": (*WITH_WEIGHTS, "endpoint"), "vllm": ("vllm",),
    "transformers": ("transformers",),
}  # fmt: skip


Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(gt=0, le=1)]


class Sampling(Settings):
    """How answers are sampled; everything here determines the answers. What is null is not sent to an endpoint."""

    temperature: Temperature | None = 0.8
    top_p: TopP | None = 0.95
    min_p: Share | None = 0.05
    max_tokens: Positive | None = 2048
    seed: NotNegative | None = 42
    samples: Positive = 1

    @property
    def not_sent(self) -> tuple[str, ...]:
        """The settings that are null."""
        return tuple(name for name, value in self if value is None)

    def with_defaults(self) -> "CompleteSampling":
        """The same with the defaults for what is null."""
        return CompleteSampling(**self.model_dump(exclude_none=True))


class CompleteSampling(Sampling):
    """Sampling as an engine needs it that samples from weights itself: nobody else has a value for what is null."""

    temperature: Temperature = 0.8
    top_p: TopP = 0.95
    min_p: Share = 0.05
    max_tokens: Positive = 2048
    seed: NotNegative = 42


class Vllm(Settings):
    """What of vLLM's settings may change an answer."""

    max_model_len: Positive = 4096
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    quantization: str | None = None
    batch_invariant: bool = False
    engine_args: dict[str, Any] = Field(default_factory=dict)

    @field_validator("engine_args")
    @classmethod
    def refuse_what_has_a_setting(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        """Arguments that would run foreign code, leak a secret, contradict a setting or fit in no key are refused."""
        return check_extra("its values", arguments, ENGINE_ARGS_WITH_A_SETTING)


class Transformers(Settings):
    """What of the transformers engine's settings may change an answer."""

    dtype: Literal["auto", "bfloat16", "float16", "float32", "float64"] = "auto"


class Generate(Settings):
    """How answers are generated; a model may override engine, sampling and an engine's settings."""

    engine: EngineName = "vllm"
    thinking: Literal["keep", "strip"] = "keep"
    sampling: Sampling = Sampling()
    temperature_by_tag: dict[str, dict[str, Temperature]] = Field(default_factory=dict)
    vllm: Vllm = Vllm()
    transformers: Transformers = Transformers()


class Model(Settings):
    """One model to evaluate, with what it overrides of `generate`."""

    id: str | None = Field(default=None, min_length=1)
    fallback: str | None = None
    revision: str = "main"
    adapter: str | None = None
    adapter_revision: str = "main"
    prompt: PromptFormat = "chat"
    system: str | None = None
    stop: Texts = ()  # no empty one: every text holds it
    base_url: Address | None = None
    served_as: str | None = None
    api_version: ApiVersion | None = None
    tokenizer: Text | None = None
    extra_body: dict[str, Any] = Field(default_factory=dict)
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    path: str | None = None
    answer_column: Text = "answer"
    instruction_column: Text | None = None  # null: the questions'
    engine: EngineName | None = None
    sampling: dict[str, Any] = Field(default_factory=dict)
    vllm: dict[str, Any] = Field(default_factory=dict)
    transformers: dict[str, Any] = Field(default_factory=dict)

    @field_validator("extra_body")
    @classmethod
    def check_extra_body(cls, values: dict[str, Any]) -> dict[str, Any]:
        """What a server wants beyond the settings."""
        return check_extra("its values", values, OF_THE_REQUEST)

    @field_validator("chat_template_kwargs")
    @classmethod
    def check_template_arguments(cls, values: dict[str, Any]) -> dict[str, Any]:
        """What a chat template takes beyond the messages."""
        return check_extra("its values", values, OF_THE_TEMPLATE)

    def check_for_engine(self, engine: EngineName) -> None:
        """Raises a ValueError where the engine lacks a setting or one is given that it does not read."""
        needed = "path" if engine == "recorded" else "id"
        if getattr(self, needed) is None:
            raise ValueError(f"engine {engine} needs `{needed}`")
        for name, engines in ENGINES_OF.items():
            default = type(self).model_fields[name].get_default(call_default_factory=True)
            if getattr(self, name) != default and engine not in engines:
                raise ValueError(f"`{name}` is only for engine {' or '.join(engines)}, and this model's is {engine}")
        if self.chat_template_kwargs and self.prompt != "chat":
            raise ValueError("`chat_template_kwargs` has no effect with `prompt: alpaca`, which uses no chat template")
        for name in self.sampling.keys() - {"samples"} if engine == "recorded" else ():
            raise ValueError(f"`sampling.{name}` has no effect on answers that were made elsewhere (engine recorded)")
        if self.adapter is None and self.adapter_revision != "main":
            raise ValueError("`adapter_revision` has no effect without `adapter`")
