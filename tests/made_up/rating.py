"""A run that people are asked about, and the page that asks them: the real server in a process of its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.made_up.run import Shape, write_run
from tests.running import SCRIPTS
from tests.waiting import PATIENCE_SECONDS
from tuneproof.common.files import write_text
from tuneproof.records.handovers import LABELS
from tuneproof.records.rows import Label


def write_rated_run(directory: Path, shape: Shape, **people: Any) -> Path:
    """A run up to its comparisons, with this section `people`. Gives the directory."""
    write_run(directory, shape)
    params = yaml.safe_load((directory / "params.yaml").read_text())
    write_text(directory / "params.yaml", yaml.safe_dump(params | {"people": people}, sort_keys=False))
    return directory


def labels_of(directory: Path, rater: str) -> list[Label]:
    """A rater's labels as they lie on disk."""
    path = directory / LABELS.path(rater)
    return LABELS.read(rater, directory) if path.is_file() else []


@dataclass
class Served:
    """The page of one or more raters, being served."""

    process: "subprocess.Popen[str]"
    addresses: dict[str, str]  # by rater

    def ask(self, rater: str, path: str, body: bytes | None = None, token: str | None = None) -> tuple[int, Any]:
        """The server's status and answer; `token` stands in for the rater's own."""
        parts = urlsplit(self.addresses[rater])
        known = parse_qs(parts.query)["token"][0] if token is None else token
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
        headers = {"Authorization": f"Bearer {known}"}
        connection.request("GET" if body is None else "PUT", path, body, headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if is_json else text.decode()

    def kill(self) -> None:
        """Ends the server as a crash of the machine would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def served(directory: Path, *raters: str, options: tuple[str, ...] = ()) -> Iterator[Served]:
    """Starts the page for these raters and ends it as Ctrl-C does."""
    command = [sys.executable, str(SCRIPTS / "annotate.py"), "--no-browser", "--rater", *raters, *options]
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            lines = [process.stdout.readline() for _ in raters]
            assert all(lines), process.communicate()
            yield Served(process, dict(line.strip().split(": ", 1) for line in lines))
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_SECONDS)
