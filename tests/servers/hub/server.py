"""A small Hugging Face Hub for tests: speaks the protocol of the official client from memory, on a free port.

Checked against huggingface_hub 2.4.0 and datasets 5.2.0: information, files by revision, tree, gated and private
repositories, renames, tokens, uploads through Git LFS, commits. Large files come from a second host name (localhost),
as they come from a content network in reality. Faults are planted per request: a status, a stall, a cut connection.

Run alone: python -m tests.servers.hub.server 8080   (then HF_ENDPOINT=http://127.0.0.1:8080 HF_HUB_DISABLE_XET=1)
"""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

from tests.servers.hub.handler import HubHandler
from tests.servers.hub.repositories import Fault, Hub, Request


class HubServer(ThreadingHTTPServer):
    """The Hub with its address, the faults planted in it, and what was asked of it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), HubHandler)
        self.hub = Hub()
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.bytes_per_second: float | None = None  # of each body
        self.closing = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def storage_url(self) -> str:
        return f"http://localhost:{self.server_port}/storage"

    def fault_for(self, request: str) -> Fault | None:
        """The planted fault that a request meets, if any; counts it."""
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.pattern, request):
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that hung up is part of the tests
            super().handle_error(request, client_address)


@contextmanager
def running_hub(port: int = 0) -> Iterator[HubServer]:
    """A Hub in a thread, gone afterwards."""
    server = HubServer(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    with running_hub(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as standing:
        print(f"HF_ENDPOINT={standing.url} HF_HUB_DISABLE_XET=1", flush=True)
        standing.closing.wait()
