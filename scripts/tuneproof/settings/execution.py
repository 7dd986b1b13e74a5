"""The section `execution` of params.yaml: where and how fast a run works, and for how much. It changes no result.

No key of the ledger holds any of it and DVC tracks none of it; what determines a result stands in the other sections.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tuneproof.settings.base import Concurrency, KeyVariable, NotNegative, Positive, Settings, Strings

Seconds = Annotated[float, Field(gt=0)]
PositiveNumber = Annotated[float, Field(gt=0)]


class VllmExecution(Settings):
    """How much of the device vLLM takes, and how many answers it works on at once."""

    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    tensor_parallel_size: Positive = 1
    replicas: Literal["auto"] | Positive = 1
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


class Prefetch(Settings):
    """Whether the weights of the models to come are downloaded while one answers, and how fast at most."""

    enabled: bool = False
    megabytes_per_second: PositiveNumber | None = None


class GenerateExecution(Settings):
    """Where and how fast answers are generated; `models` holds what is different for some of the models, by key."""

    run_on: Literal["local", "sagemaker", "ray"] = "local"
    vllm: VllmExecution = VllmExecution()
    transformers: TransformersExecution = TransformersExecution()
    endpoint: EndpointExecution = EndpointExecution()
    prefetch: Prefetch = Prefetch()
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

    With `follow` answers are judged while they are generated.

    `key_variable` belongs to the endpoint of `judge.base_url`; `key_variables` to those of `judge.panel`, by name.
    """

    concurrency: Concurrency = 64
    timeout_seconds: Seconds = 120
    transport: Literal["direct", "batch"] = "direct"
    follow: bool = False
    key_variable: KeyVariable | None = None
    key_variables: dict[str, KeyVariable] = Field(default_factory=dict)
    budget_usd: Annotated[float, Field(ge=0)] | None = None
    prices: dict[str, Price] = Field(default_factory=dict)

    @model_validator(mode="after")
    def check_follow(self) -> Self:
        """A batch takes all requests at once."""
        if self.follow and self.transport == "batch":
            raise ValueError("follow is for transport direct: a batch is made when all answers are there")
        return self


S3_PREFIX = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w!.*'()/-]+)?")
SECRET_NAME = re.compile(r"[\w/+=.@:-]{1,256}", re.ASCII)  # as long as a variable of a job's environment may be
TOKEN = re.compile(r"hf_[a-zA-Z0-9]{20,}|sk-.+|AKIA\w{12,}", re.ASCII)
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
LONGEST_RUNTIME_SECONDS = 777_600  # what AWS takes
MOST_INSTANCE_TYPES = 5  # likewise


def check_s3_prefix(prefix: str) -> str:
    """A place in S3, without the slash at its end."""
    prefix = prefix.rstrip("/")
    if not S3_PREFIX.fullmatch(prefix):
        raise ValueError("it is no place in S3, such as s3://my-bucket/tuneproof")
    return prefix


def check_secret_name(name: str) -> str:
    """The name of a secret; a token pasted in its place is refused without being shown."""
    if TOKEN.fullmatch(name) or not SECRET_NAME.fullmatch(name):
        raise ValueError("it is the name of a secret in AWS Secrets Manager, and never the token itself")
    return name


def check_role(role: str) -> str:
    """The ARN of a role."""
    if not ROLE.fullmatch(role):
        raise ValueError("it is no role, such as arn:aws:iam::123456789012:role/tuneproof")
    return role


def check_no_doubles(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of which AWS takes each once."""
    if len(set(names)) < len(names):
        raise ValueError("it names something twice")
    return names


class SageMaker(Settings):
    """What a job on SageMaker needs; AWS's own chain of credentials and region is used where nothing is said."""

    role: Annotated[str, AfterValidator(check_role)] | None = None
    region: Annotated[str, Field(min_length=1)] | None = None
    s3_prefix: Annotated[str, AfterValidator(check_s3_prefix)] | None = None
    image_uri: Annotated[str, Field(min_length=1)] | None = None
    instance_types: Annotated[
        Strings, Field(min_length=1, max_length=MOST_INSTANCE_TYPES), AfterValidator(check_no_doubles)
    ] = ("ml.g5.2xlarge", "ml.g6.2xlarge")
    volume_gib: Positive = 100
    max_runtime_seconds: Annotated[int, Field(gt=0, le=LONGEST_RUNTIME_SECONDS)] = 14_400
    max_cost_usd: PositiveNumber | None = None
    prices_usd_per_hour: dict[str, PositiveNumber] = Field(default_factory=dict)
    assumed_tokens_per_answer: Positive = 400
    assumed_tokens_per_second: PositiveNumber = 500
    assumed_startup_minutes: PositiveNumber = 15
    hf_token_secret: Annotated[str, AfterValidator(check_secret_name)] | None = None
    subnets: Strings = ()
    security_group_ids: Strings = ()
    kms_key: Annotated[str, Field(min_length=1)] | None = None
    keep: bool = False
    on_interrupt: Literal["stop", "leave"] = "stop"
    poll_seconds: PositiveNumber = 15
    patience_seconds: PositiveNumber = 600

    @model_validator(mode="after")
    def check_network(self) -> Self:
        """AWS takes subnets and security groups together only."""
        if bool(self.subnets) != bool(self.security_group_ids):
            raise ValueError("subnets and security_group_ids go together; set both or none")
        return self


RAY_ADDRESS = re.compile(r"local|auto|(\[[0-9a-fA-F:]+\]|[A-Za-z0-9][\w.-]*):[1-9]\d{0,4}", re.ASCII)


def check_ray_address(address: str) -> str:
    """Where a Ray cluster is. Ray's client, `ray://`, works otherwise and is not for this."""
    if not RAY_ADDRESS.fullmatch(address):
        raise ValueError("it is local, auto, or the host and port of a cluster's head, such as 10.0.0.5:6379")
    return address


class Ray(Settings):
    """The Ray cluster that answers are generated on, and what each replica of an engine gets of it."""

    address: Annotated[str, AfterValidator(check_ray_address)] = "local"
    replicas: Literal["auto"] | Positive = "auto"
    gpus_per_replica: Literal["auto"] | NotNegative = "auto"
    cpus_per_replica: Positive = 1
    autoscaling: bool = False
    patience_seconds: PositiveNumber = 600

    @model_validator(mode="after")
    def check_autoscaling(self) -> Self:
        """Nodes that are not there yet cannot be counted."""
        if self.autoscaling and "auto" in (self.replicas, self.gpus_per_replica):
            raise ValueError("with autoscaling nothing can be counted yet; give replicas and gpus_per_replica a number")
        return self


class TrainExecution(Settings):
    """Where an evaluator's encoder is trained."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class Execution(Settings):
    """Where and how fast each stage works."""

    generate: GenerateExecution = GenerateExecution()
    judge: JudgeExecution = JudgeExecution()
    train: TrainExecution = TrainExecution()
    sagemaker: SageMaker = SageMaker()
    ray: Ray = Ray()
