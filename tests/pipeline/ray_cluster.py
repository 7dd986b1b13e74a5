"""A Ray cluster of three nodes with a CPU each, and a bystander's actor on it, until its standard input ends.

Prints one line of JSON: its address, the raylets' process ids (the head's first), the bystander's process id.
"""

import json
import logging
import os
import sys

import ray
from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


class Bystander:
    """Somebody else's actor."""

    def pid(self) -> int:
        """Its process."""
        return os.getpid()


def main() -> None:
    """Starts it."""
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    nodes = [cluster.head_node, cluster.add_node(**NODE), cluster.add_node(**NODE)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    bystander = ray.remote(Bystander).options(num_cpus=0).remote()
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(
        json.dumps({"address": cluster.address, "raylets": raylets, "bystander": ray.get(bystander.pid.remote())}),
        flush=True,
    )
    sys.stdin.read()
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
