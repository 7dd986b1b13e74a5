"""The way to a Ray cluster: one that is there already, or one of this machine's own that ends with the stage.

An own cluster listens on the loopback interface alone, under a token that stands in no file, and never joins or becomes
what others on this machine find.
"""

import importlib.util
import logging
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tuneproof.common.errors import UserError, shortened
from tuneproof.common.places import project_root
from tuneproof.common.processes import end_orphans, no_survivors
from tuneproof.generation.ray.code import shipped_code
from tuneproof.settings.execution import Ray

WHERE = "execution.ray.address"
INSTALL = "pip install -r requirements/ray.txt"
OBJECT_STORE_BYTES = 100 * 2**20  # rows are small; Ray would take a third of the memory
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # 0: Ray leaves 127.0.0.1 as it is, and binds to it
NICENESS = "RAY_worker_niceness"  # 15 by itself: beside other work on this machine a replica would get next to nothing
SECONDS_TO_ANSWER = 10.0
ANSWERS = "start one there with `ray start --head`, correct the address, or set it to local"


@contextmanager
def joined(settings: Ray) -> Iterator[None]:
    """Connects to the cluster and ships the code. Raises a UserError where Ray is not installed or none answers.

    What is left behind is nothing: of an own cluster no process, also where this one is killed; of another's no actor.
    """
    require_ray()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with ExitStack() as stack:
        own = own_cluster(stack) if settings.address == "local" else {}
        if not own:
            check_answers(settings.address)
        connect(settings, str(stack.enter_context(shipped_code())), own)
        import ray

        stack.callback(ray.shutdown)
        yield


def require_ray() -> None:
    """Raises a UserError where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        remedy = f"install it with `{INSTALL}`, or set execution.generate.run_on: local"
        raise UserError("execution.generate.run_on: ray", "the package ray is not installed", remedy)


def own_cluster(stack: ExitStack) -> dict[str, Any]:
    """How to start a cluster of this machine alone; all its processes carry the stage's mark."""
    end_orphans(project_root())
    stack.enter_context(no_survivors(project_root()))
    os.environ |= {LOOPBACK: "0", NICENESS: "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tuneproof-ray-", ignore_cleanup_errors=True))
    return {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES, "_temp_dir": folder}


def connect(settings: Ray, code: str, own: dict[str, Any]) -> None:
    """Has Ray connect, and leaves the signals as they were: Ray would end at once on SIGTERM."""
    import ray

    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=settings.address, runtime_env={"working_dir": code}, log_to_driver=False,
            logging_level=logging.ERROR, **own,
        )  # fmt: skip
    except Exception as error:  # ConnectionError, RuntimeError, ValueError, an error of authentication, …
        found = f"no Ray cluster can be used there ({shortened(error)})"
        raise UserError(f"{WHERE}: {settings.address}", found, ANSWERS) from None
    finally:
        signal.signal(signal.SIGTERM, handler)


def check_answers(address: str) -> None:
    """Raises a UserError where nothing listens at an address: Ray itself would try for minutes.

    A head that listens on the loopback interface alone is asked there; Ray would look for it at the machine's address.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if error := refusal(host, int(port)):
        found = f"no Ray cluster answers there ({error})"
        raise UserError(f"{WHERE}: {address}", found, ANSWERS)
    if host in ("127.0.0.1", "localhost", "::1") and refusal(own_address(), int(port)):
        os.environ[LOOPBACK] = "0"


def refusal(host: str, port: int) -> str | None:
    """Why nothing can be reached at a port, None where something can."""
    try:
        with socket.create_connection((host, port), SECONDS_TO_ANSWER):
            return None
    except (OSError, OverflowError) as error:
        return shortened(error)


def own_address() -> str:
    """This machine's address as others see it; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 1))
        except OSError:  # no route at all
            return "127.0.0.1"
        return str(probe.getsockname()[0])
