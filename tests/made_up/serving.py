"""The real service in a process of its own, and one in this process whose model does as it is told."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn

from tests.conftest import ROOT
from tests.running import SCRIPTS
from tests.waiting import PATIENCE_SECONDS, wait_until
from tuneproof.endpoint.listening import LOOPBACK, listen
from tuneproof.scoring.evaluator import Evaluator
from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.scoring.evaluator.loading import read_manifest
from tuneproof.scoring.serving.app import Service, application
from tuneproof.scoring.serving.desk import Desk
from tuneproof.scoring.serving.work import BoundedWork

ACCURACY, STYLE = (str(ROOT / "data" / "embedded" / "judge" / name) for name in ("accuracy", "style"))
TOKEN = "a-token-of-the-tests-0123456789"
ITEM = {"input": "Why batch?", "output": "It keeps the GPU busy.", "ground_truth": "It amortises weight reads."}


@dataclass(frozen=True)
class Answer:
    """What the service answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def ask(port: int, path: str, body: object = None, method: str | None = None, **headers: str) -> Answer:
    """Asks a service; a body that is no text is sent as JSON. Headers are named with _ for -."""
    connection = HTTPConnection(LOOPBACK, port, timeout=PATIENCE_SECONDS)
    sent = {"content-type": "application/json"} if body is not None else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, content, sent)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode())
    finally:
        connection.close()


@dataclass
class Served:
    """A service that runs, and all that it said once it has ended."""

    process: "subprocess.Popen[str]"
    port: int
    said: str = ""

    def ask(self, path: str, body: object = None, method: str | None = None, **headers: str) -> Answer:
        return ask(self.port, path, body, method, **headers)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it by a signal; gives its exit code."""
        self.process.send_signal(number)
        self.said += "".join(self.process.communicate(timeout=PATIENCE_SECONDS))
        return self.process.returncode


@contextmanager
def served(*options: str, evaluators: Sequence[str] = (ACCURACY,), token: str | None = None) -> Iterator[Served]:
    """Starts `scripts/serve.py` on a free port and ends it."""
    named = [word for folder in evaluators for word in ("--evaluator", folder)]
    command = [sys.executable, str(SCRIPTS / "serve.py"), *named, "--port", "0", *options]
    environment = os.environ | {"TUNEPROOF_SERVE_TOKEN": token or ""}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line, process.communicate()
            yield Served(process, int(line.strip().rstrip("/").rpartition(":")[2]))
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


@dataclass
class Gate:
    """A model that answers only once it may; `begun` counts the batches that it was asked for."""

    open: threading.Event = field(default_factory=threading.Event)
    begun: int = 0
    fails: Exception | None = None

    def logits(self, rows: Sequence[Texts]) -> list[list[float]]:
        self.begun += 1
        assert self.open.wait(PATIENCE_SECONDS)
        if self.fails:
            raise self.fails
        return [[1.0, -1.0] for _ in rows]


@contextmanager
def gated(workers: int = 1, line: int = 0, **settings: Any) -> Iterator[tuple[int, Gate]]:
    """A service in this process, by its port, whose one evaluator waits at a gate."""
    manifest, content = read_manifest(Path(ACCURACY))
    gate, work = Gate(), BoundedWork(workers, line)
    desk = Desk({"accuracy": Evaluator(manifest, gate, content)}, {"accuracy": 0.7})
    listening = listen(LOOPBACK, 0)
    config = uvicorn.Config(application(Service(desk, work, **settings)), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield listening.getsockname()[1], gate
    finally:
        gate.open.set()
        server.should_exit = True
        thread.join()
        work.stop()
