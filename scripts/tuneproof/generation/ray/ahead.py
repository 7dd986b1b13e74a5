"""The weights of the models to come, brought into the caches of a cluster's nodes while replicas answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tuneproof.common.errors import shortened, warn
from tuneproof.generation.jobs import Job
from tuneproof.generation.ray.cluster import joined
from tuneproof.generation.ray.demand import need_of
from tuneproof.generation.weights.arriving import bring, wait_for
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.settings.execution import Ray
from tuneproof.sources.hub.ahead import Pace


class Fetcher:
    """The actor, one on each node. It ends with the process that made it."""

    def fetch(self, present: ResolvedModel, later: ResolvedModel, bytes_per_second: float | None) -> int:
        """Brings a model into this node's cache, the weights of the present one first; gives the bytes that came."""
        wait_for(present)
        pace = Pace(bytes_per_second)
        bring(later, pace)
        return pace.bytes


@contextmanager
def on_the_nodes(job: Job, settings: Ray, pace: Pace) -> Iterator[Callable[[ResolvedModel], None]]:
    """Gives what brings a model to every node that has room for a replica of the job, each at the pace's bound.

    What came is added to the pace. A node that fails is a warning.
    """
    with joined(settings):
        fetchers = fetchers_for(job, settings)

        def to_the_nodes(later: ResolvedModel) -> None:
            import ray
            from ray.exceptions import RayError

            calls = [one.fetch.remote(job.resolved, later, pace.bytes_per_second) for one in fetchers]
            for call in calls:
                try:
                    pace.bytes += ray.get(call)
                except RayError as error:  # what went wrong there, or that the node is gone
                    cause = getattr(error, "cause", None)
                    warn(f"a node does not fetch {later.id} ahead ({shortened(cause or error)})")

        yield to_the_nodes


def fetchers_for(job: Job, settings: Ray) -> list[Any]:
    """An actor on every living node that has room for a replica; it takes no processor and no GPU from one."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node for node in ray.nodes() if node["Alive"]]
    need = need_of(job, settings, [node["Resources"] for node in nodes])
    return [
        ray.remote(Fetcher)
        .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
        .remote()
        for node in nodes
        if need.fits(node["Resources"])
    ]
