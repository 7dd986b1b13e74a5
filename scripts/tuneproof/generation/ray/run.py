"""Generation on a Ray cluster: replicas of the job's engine as actors, their rows brought into the ledger here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tuneproof.common.errors import say
from tuneproof.generation.jobs import Ask, Job
from tuneproof.generation.ray.cluster import joined
from tuneproof.generation.ray.demand import Need, need_of, replicas_for
from tuneproof.generation.ray.pool import Pool, end_actor
from tuneproof.generation.ray.replica import Replica, work_of
from tuneproof.settings.execution import Ray

BATCHES = 4  # a replica holds, so that it never waits for the driver
EMBEDDED_BATCH = 64


@contextmanager
def start_on_ray(job: Job, settings: Ray) -> Iterator[Ask]:
    """Gives what has requests answered by replicas on the cluster; afterwards they are ended, and nothing else there.

    Raises a UserError where no cluster answers, or its nodes cannot have the replicas.
    """
    where = f"model {job.resolved.model}"
    work = work_of(job)
    with joined(settings):
        nodes, free = resources()
        need = need_of(job, settings, nodes)
        count = replicas_for(need, settings, nodes, free)
        place = "a cluster of this machine alone" if settings.address == "local" else f"the cluster {settings.address}"
        say(f"{where}: {count} replicas of {need} each on {place}, {len(nodes)} nodes")
        actors = [actor(need, work) for _ in range(count)]
        try:
            yield Pool(where, actors, capacity(job), settings.patience_seconds).ask
        finally:
            for one in actors:
                end_actor(one)


def resources() -> tuple[list[dict[str, float]], dict[str, float]]:
    """What each living node has, and what of all is free."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]], ray.available_resources()


def actor(need: Need, work: Any) -> Any:
    """An actor that Ray starts anew when its process or node dies; calls that were lost are made by the pool."""
    import ray

    options = {"max_restarts": -1, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
    return ray.remote(Replica).options(num_gpus=need.gpus, num_cpus=need.cpus, **options).remote(work)


def capacity(job: Job) -> int:
    """How many requests a replica holds: a few of what its engine works on at once."""
    at_once = {
        "vllm": job.execution.vllm.max_num_seqs,
        "transformers": job.execution.transformers.batch_size,
        "embedded": EMBEDDED_BATCH,
    }
    return BATCHES * at_once[job.resolved.engine]
