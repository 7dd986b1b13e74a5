"""What a replica needs of a node, and how many of them the cluster's nodes have room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuneproof.common.errors import UserError
from tuneproof.generation.jobs import Job
from tuneproof.settings.execution import Ray

Resources = Mapping[str, float]  # as Ray names them: CPU, GPU, memory, …


@dataclass(frozen=True)
class Need:
    """What one replica takes, all of it on one node."""

    gpus: int
    cpus: int

    def __str__(self) -> str:
        return f"{self.gpus} GPUs and {self.cpus} CPUs"

    def fits(self, resources: Resources) -> int:
        """How many replicas so much has room for."""
        cpus = int(resources.get("CPU", 0)) // self.cpus
        return min(cpus, int(resources.get("GPU", 0)) // self.gpus) if self.gpus else cpus


def need_of(job: Job, settings: Ray, nodes: Sequence[Resources]) -> Need:
    """What one replica of the job's engine takes. A model that several GPUs share needs all of them on one node."""
    gpus = settings.gpus_per_replica
    if gpus == "auto":
        wanted = job.execution.vllm.tensor_parallel_size if job.resolved.engine == "vllm" else 1
        gpus = wanted if any(node.get("GPU", 0) for node in nodes) else 0
    return Need(gpus, settings.cpus_per_replica)


def replicas_for(need: Need, settings: Ray, nodes: Sequence[Resources], free: Resources) -> int:
    """How many replicas to start on these nodes, of whose resources `free` is not taken by others now.

    Raises a UserError where the nodes cannot have so many, however long one waited. Nodes that are still to come are
    not counted.
    """
    if settings.autoscaling and settings.replicas != "auto":
        return settings.replicas
    room = sum(need.fits(node) for node in nodes)
    wanted = max(1, min(room, need.fits(free))) if settings.replicas == "auto" else settings.replicas
    if room < wanted:
        found = f"{wanted} replicas of {need} each, and the nodes have room for {room} ({described(nodes)})"
        remedy = "lower replicas, gpus_per_replica or cpus_per_replica, add nodes, or set autoscaling where they come"
        raise UserError("execution.ray", found, remedy)
    return wanted


def described(nodes: Sequence[Resources]) -> str:
    """The nodes in a few words, the largest first."""
    sizes = sorted(((int(node.get("GPU", 0)), int(node.get("CPU", 0))) for node in nodes), reverse=True)
    shown = ", ".join(f"{gpus} GPUs and {cpus} CPUs" for gpus, cpus in sizes[:4])
    return f"{len(sizes)} nodes: {shown}{', ...' if len(sizes) > 4 else ''}"
