"""What replicas need, against what nodes have."""

import pytest

from tuneproof.common.errors import UserError
from tuneproof.generation.jobs import Job
from tuneproof.generation.ray.demand import Need, need_of, replicas_for
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.settings.execution import ModelExecution, Ray, VllmExecution
from tuneproof.settings.generation import Generate, Model

GPU_NODE = {"CPU": 16.0, "GPU": 4.0, "memory": 1e11}
CPU_NODE = {"CPU": 2.0}


def job(engine: str, tensor_parallel_size: int = 1) -> Job:
    resolved = ResolvedModel(
        model="sft", run="real", dummy=False, embedded=False, engine=engine, prompt="alpaca", requested="m", id="m",
        sha=None, content="c",
    )  # fmt: skip
    execution = ModelExecution(vllm=VllmExecution(tensor_parallel_size=tensor_parallel_size))
    return Job(resolved, Model(id="m", prompt="alpaca"), Generate(), execution)


def test_a_model_that_gpus_share_needs_them_all_on_one_node() -> None:
    need = need_of(job("vllm", tensor_parallel_size=2), Ray(), [GPU_NODE, CPU_NODE])
    assert need == Need(gpus=2, cpus=1)
    assert replicas_for(need, Ray(), [GPU_NODE, CPU_NODE, GPU_NODE], {"CPU": 34.0, "GPU": 8.0}) == 4


def test_without_a_gpu_anywhere_none_is_needed() -> None:
    assert need_of(job("transformers"), Ray(), [CPU_NODE]) == Need(gpus=0, cpus=1)
    assert need_of(job("transformers"), Ray(), [CPU_NODE, GPU_NODE]) == Need(gpus=1, cpus=1)
    assert need_of(job("vllm"), Ray(gpus_per_replica=0), [GPU_NODE]) == Need(gpus=0, cpus=1)


def test_auto_leaves_alone_what_others_use_now_but_is_at_least_one() -> None:
    need, nodes = Need(gpus=1, cpus=1), [GPU_NODE, GPU_NODE]
    assert replicas_for(need, Ray(), nodes, {"CPU": 32.0, "GPU": 3.0}) == 3
    assert replicas_for(need, Ray(), nodes, {"CPU": 32.0}) == 1


def test_a_demand_that_no_node_can_meet_is_refused_before_anything_waits_for_it() -> None:
    with pytest.raises(UserError, match=r"4 GPUs and 1 CPUs each, .* room for 0 \(2 nodes: ") as refused:
        replicas_for(Need(gpus=4, cpus=1), Ray(), [{"CPU": 8, "GPU": 2}, {"CPU": 8, "GPU": 2}], {"CPU": 16, "GPU": 4})
    assert refused.value.where == "execution.ray"
    with pytest.raises(UserError, match="9 replicas"):
        replicas_for(Need(gpus=1, cpus=1), Ray(replicas=9), [GPU_NODE], GPU_NODE)


def test_nodes_that_come_when_they_are_asked_for_are_not_counted() -> None:
    settings = Ray(autoscaling=True, replicas=8, gpus_per_replica=1)
    assert replicas_for(Need(gpus=1, cpus=1), settings, [CPU_NODE], CPU_NODE) == 8
