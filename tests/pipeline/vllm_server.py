"""vLLM's own API server on the CPU, for the tests of what asks it."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pipeline.vllm_environment import WORKER_IN_THE_ENGINE, vllm_python
from tests.processes import ended_with_test, ending_processes
from tests.waiting import PATIENCE_SECONDS
from tuneproof.common.processes import no_survivors


@contextmanager
def vllm_server(model: Path, *options: str, folder: Path) -> Iterator[tuple[str, str]]:
    """The address of a server of the model in that folder, and the name it is served under.

    Nobody else's name, so that a server left over elsewhere cannot answer in its place. `folder` takes the log.
    """
    name, port, log = f"small-{time.time_ns()}", free_port(), folder / "server.log"
    command = [
        vllm_python(), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model),
        "--served-model-name", name, "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32",
        "--enforce-eager", "--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192", *options,
    ]  # fmt: skip
    with (
        no_survivors(folder),
        log.open("wb") as output,
        pytest.MonkeyPatch.context() as patch,
        ending_processes(),
    ):
        settings = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
        for variable, value in (settings | WORKER_IN_THE_ENGINE).items():
            patch.setenv(variable, value)
        running = ended_with_test(subprocess.Popen(command, stdout=output, stderr=output))
        until = time.monotonic() + PATIENCE_SECONDS
        while name not in served_models(port):
            assert running.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", name


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def served_models(port: int) -> list[str]:
    """What a server says that it serves; nothing before it listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=10) as answer:
            return [model["id"] for model in json.load(answer)["data"]]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return []
